//! The data sources: what templates read. Each file holds one: its table, and how it is read.

mod external_auth;
mod parameter;
mod provisioner;
mod secret;
mod task;
mod workspace;
mod workspace_owner;
mod workspace_preset;
mod workspace_tags;

use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::schema::Block;
use crate::text::uuid;
use crate::value::{Object, Value};

/// A kind of data source.
pub struct DataSource {
    /// Its type name.
    pub name: &'static str,
    /// Version of its schema.
    pub version: i64,
    /// Its shape.
    pub block: &'static Block,
    /// Fills in what the provider knows. The state arrives with the configuration and its defaults; the configuration
    /// itself is given too, to tell what is null from what is zero.
    pub read: fn(&mut Object, &Object, &Context) -> Result<(), Vec<Diagnostic>>,
}

/// All data sources, by name.
pub const ALL: &[&DataSource] = &[
    &external_auth::DATA_SOURCE,
    &parameter::DATA_SOURCE,
    &provisioner::DATA_SOURCE,
    &secret::DATA_SOURCE,
    &task::DATA_SOURCE,
    &workspace::DATA_SOURCE,
    &workspace_owner::DATA_SOURCE,
    &workspace_preset::DATA_SOURCE,
    &workspace_tags::DATA_SOURCE,
];

/// The data source of that type name.
pub fn find(name: &str) -> Option<&'static DataSource> {
    ALL.iter().copied().find(|source| source.name == name)
}

fn set(state: &mut Object, name: &str, value: impl Into<Value>) {
    state.insert(name.to_owned(), value.into());
}

fn set_random_id(state: &mut Object) {
    set(state, "id", uuid::random());
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::int(number)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::DataSource;
    use crate::context::Context;
    use crate::engine;
    use crate::environment::Environment;
    use crate::value::{Object, Value};

    /// Reads a data source as the host would: configuration in, state or the first error out.
    pub(crate) fn read(
        source: &DataSource,
        config: &[(&str, Value)],
        variables: &[(&str, &str)],
    ) -> Result<Object, String> {
        let config = config
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let config = engine::conform(Value::Map(config), source.block).unwrap();
        let context = Context::new(
            Environment::given(variables.iter().copied()),
            Some("https://h/p"),
        )
        .unwrap();
        crate::operations::read_data_source(source, &config, &context)
            .map_err(|diagnostics| format!("{}: {}", diagnostics[0].summary, diagnostics[0].detail))
    }
}
