//! The provider's operations on values: validate, plan, create, refresh, read. No protocol.

use crate::context::Context;
use crate::data_sources::DataSource;
use crate::diagnostics::{Diagnostic, Path, has_error};
use crate::engine;
use crate::resources::Resource;
use crate::schema::{Attribute, Block, Check};
use crate::text::uuid;
use crate::value::{Object, Value};

/// Configuration of the provider itself.
pub const PROVIDER: Block = Block::new(
    "",
    &[Attribute::string("url")
        .about("URL at which the deployment is reached. During a build it is known and need not be set.")
        .checked(&[Check::Url])],
    &[],
);

/// A plan, with what there is to say about it.
pub struct PlanOutcome {
    /// The planned state.
    pub state: Object,
    /// Places whose change makes a new resource necessary.
    pub requires_replace: Vec<Path>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// Plans a resource that is created (no prior state) or compared with its configuration.
pub fn plan_resource(resource: &Resource, prior: Option<&Object>, config: &Object) -> PlanOutcome {
    let planned = engine::plan(prior, config, resource.block);
    let changes = prior.is_none() || !planned.requires_replace.is_empty();
    let diagnostics = if changes {
        (resource.check)(&planned.state)
    } else {
        Vec::new()
    };
    PlanOutcome {
        state: planned.state,
        requires_replace: planned.requires_replace,
        diagnostics,
    }
}

/// Creates a planned resource.
///
/// # Errors
/// Why it cannot be created. Warnings come with the state.
pub fn create_resource(
    resource: &Resource,
    mut state: Object,
    context: &Context,
) -> Result<(Object, Vec<Diagnostic>), Vec<Diagnostic>> {
    state.insert("id".to_owned(), Value::String(uuid::random()));
    let diagnostics = (resource.create)(&mut state, context);
    if has_error(&diagnostics) {
        return Err(diagnostics);
    }
    engine::settle_resource(&mut state, resource.block);
    Ok((state, diagnostics))
}

/// Reads a data source whose configuration is wholly known.
///
/// # Errors
/// Why it cannot be read.
pub fn read_data_source(
    source: &DataSource,
    config: &Object,
    context: &Context,
) -> Result<Object, Vec<Diagnostic>> {
    let mut state = engine::plan(None, config, source.block).state;
    engine::settle_data(&mut state, source.block);
    (source.read)(&mut state, config, context)?;
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::{create_resource, plan_resource};
    use crate::context::Context;
    use crate::environment::Environment;
    use crate::value::{Object, Value, field};
    use crate::{engine, resources};

    fn context() -> Context {
        Context::new(Environment::given([("", "")]), None).unwrap()
    }

    fn object(entries: &[(&str, Value)]) -> Object {
        entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    /// Every resource with the least configuration that it takes is planned, created, and then planned without change.
    #[test]
    fn a_created_resource_needs_no_change() {
        let cases: &[(&str, &[(&str, Value)])] = &[
            (
                "coder_agent",
                &[("os", "linux".into()), ("arch", "amd64".into())],
            ),
            (
                "coder_agent_instance",
                &[("agent_id", "a".into()), ("instance_id", "i".into())],
            ),
            (
                "coder_ai_task",
                &[("app_id", "6fc86ab6-2083-496f-b193-5b32f39beeef".into())],
            ),
            (
                "coder_app",
                &[("agent_id", "a".into()), ("slug", "s".into())],
            ),
            (
                "coder_devcontainer",
                &[("agent_id", "a".into()), ("workspace_folder", "/w".into())],
            ),
            (
                "coder_env",
                &[("agent_id", "a".into()), ("name", "N".into())],
            ),
            ("coder_external_agent", &[("agent_id", "a".into())]),
            (
                "coder_metadata",
                &[
                    ("resource_id", "r".into()),
                    (
                        "item",
                        Value::Sequence(vec![Value::Map(object(&[("key", "k".into())]))]),
                    ),
                ],
            ),
            (
                "coder_script",
                &[
                    ("agent_id", "a".into()),
                    ("display_name", "d".into()),
                    ("script", "s".into()),
                    ("run_on_start", true.into()),
                ],
            ),
        ];
        assert_eq!(cases.len(), resources::ALL.len());
        for (name, config) in cases {
            let resource = resources::find(name).unwrap();
            let config = engine::conform(Value::Map(object(config)), resource.block).unwrap();
            assert_eq!(engine::validate(&config, resource.block), [], "{name}");
            let planned = plan_resource(resource, None, &config);
            assert_eq!(field(&planned.state, "id"), &Value::Unknown, "{name}");
            let (created, warnings) = create_resource(resource, planned.state, &context()).unwrap();
            assert_eq!(warnings, [], "{name}");
            assert!(
                !format!("{created:?}").contains("Unknown"),
                "{name}: {created:?}"
            );
            let again = plan_resource(resource, Some(&created), &config);
            assert_eq!(again.requires_replace.len(), 0, "{name}");
            assert_eq!(again.state, created, "{name}");
        }
    }
}
