//! The resources: what templates create. Each file holds one: its table, and what creating it does.

mod agent;
mod agent_instance;
mod ai_task;
mod app;
mod devcontainer;
mod env;
mod external_agent;
mod metadata;
mod script;

use std::collections::BTreeSet;

use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::schema::{Attribute, Block};
use crate::value::{Object, Value, field, text};

pub(crate) use env::is_variable_name;

/// A kind of resource. None of them exists outside of Terraform's state: reading one returns what is stored, and
/// deleting one forgets it.
pub struct Resource {
    /// Its type name.
    pub name: &'static str,
    /// Version of its schema, stored with its state.
    pub version: i64,
    /// Its shape.
    pub block: &'static Block,
    /// What cannot be told from single values: run over the plan when something changes. Unknown parts are passed
    /// over.
    pub check: fn(&Object) -> Vec<Diagnostic>,
    /// Fills in what applying decides. The `id` is already a new UUID.
    pub create: fn(&mut Object, &Context) -> Vec<Diagnostic>,
    /// Brings the stored state up to date, where there is anything to bring.
    pub refresh: Option<fn(&mut Object, &Context)>,
}

impl Resource {
    const fn new(name: &'static str, version: i64, block: &'static Block) -> Self {
        Self {
            name,
            version,
            block,
            check: |_| Vec::new(),
            create: |_, _| Vec::new(),
            refresh: None,
        }
    }
}

/// All resources, by name.
pub const ALL: &[&Resource] = &[
    &agent::RESOURCE,
    &agent_instance::RESOURCE,
    &ai_task::RESOURCE,
    &app::RESOURCE,
    &devcontainer::RESOURCE,
    &env::RESOURCE,
    &external_agent::RESOURCE,
    &metadata::RESOURCE,
    &script::RESOURCE,
];

/// The resource of that type name.
pub fn find(name: &str) -> Option<&'static Resource> {
    ALL.iter().copied().find(|resource| resource.name == name)
}

/// The attribute by which most resources belong to an agent.
const AGENT_ID: Attribute = Attribute::string("agent_id")
    .required()
    .about("The `id` of the `coder_agent` that this belongs to.");

/// The first text of an attribute that two of these blocks share. Unknown ones are passed over.
fn first_duplicate<'a>(blocks: &'a [Value], attribute: &str) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    blocks
        .iter()
        .filter_map(|block| field(block.as_object()?, attribute).as_str())
        .find(|value| !seen.insert(*value))
}

/// Whether a text attribute is set to something.
fn is_set(object: &Object, name: &str) -> bool {
    !text(object, name).is_empty()
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_resource_has_an_id_and_its_own_name() {
        for (index, resource) in ALL.iter().enumerate() {
            assert!(
                resource.block.attribute("id").is_some(),
                "{}",
                resource.name
            );
            assert!(
                ALL[index + 1..]
                    .iter()
                    .all(|other| other.name != resource.name)
            );
        }
    }
}
