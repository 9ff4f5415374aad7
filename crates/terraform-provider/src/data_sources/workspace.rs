//! `coder_workspace`: the workspace that is being built.

use super::{DataSource, set};
use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::schema::{Attribute, Block};
use crate::text::uuid;
use crate::value::Object;

/// The data source.
pub const DATA_SOURCE: DataSource = DataSource {
    name: "coder_workspace",
    version: 1,
    block: &BLOCK,
    read,
};

const BLOCK: Block = Block::new(
    "The workspace that is being built.",
    &[
        Attribute::number("access_port").computed().about("Port of the deployment's access URL."),
        Attribute::string("access_url").computed().about("URL at which the deployment is reached, without a slash at its end."),
        Attribute::string("id").computed().about("Identifier of the workspace."),
        Attribute::bool("is_prebuild").computed().about("Whether the workspace is a prebuilt one that nobody has claimed."),
        Attribute::bool("is_prebuild_claim").computed().about("Whether this build hands a prebuilt workspace to its owner."),
        Attribute::string("name").computed().about("Name of the workspace."),
        Attribute::number("prebuild_count").computed().about("1 while the workspace is a prebuilt one that nobody has claimed, else 0: a `count` for what needs no owner."),
        Attribute::number("start_count").computed().about("1 when the workspace starts, else 0: a `count` for what shall not outlive a stop."),
        Attribute::string("template_id").computed().about("Identifier of the template."),
        Attribute::string("template_name").computed().about("Name of the template."),
        Attribute::string("template_version").computed().about("Name of the template's version."),
        Attribute::string("transition").computed().about("What the build does: `start`, `stop` or `destroy`."),
    ],
    &[],
);

fn read(state: &mut Object, _: &Object, context: &Context) -> Result<(), Vec<Diagnostic>> {
    let environment = &context.environment;
    let or_else = |name: &str, default: &str| {
        environment
            .non_empty(name)
            .unwrap_or_else(|| default.to_owned())
    };

    let transition = or_else("CODER_WORKSPACE_TRANSITION", "start");
    set(state, "start_count", i64::from(transition == "start"));
    set(state, "transition", transition);

    let claim = environment.is_true("CODER_WORKSPACE_IS_PREBUILD_CLAIM");
    let prebuild = environment.is_true("CODER_WORKSPACE_IS_PREBUILD") && !claim;
    set(state, "is_prebuild_claim", claim);
    set(state, "is_prebuild", prebuild);
    set(state, "prebuild_count", i64::from(prebuild));

    set(state, "name", or_else("CODER_WORKSPACE_NAME", "default"));
    set(
        state,
        "id",
        environment
            .non_empty("CODER_WORKSPACE_ID")
            .unwrap_or_else(uuid::random),
    );
    for (attribute, variable, meaning) in [
        ("template_id", "CODER_WORKSPACE_TEMPLATE_ID", "ID"),
        ("template_name", "CODER_WORKSPACE_TEMPLATE_NAME", "name"),
        (
            "template_version",
            "CODER_WORKSPACE_TEMPLATE_VERSION",
            "version",
        ),
    ] {
        let value = environment.required(variable).map_err(|reason| {
            vec![Diagnostic::error(format!(
                "template {meaning} is missing: {reason}"
            ))]
        })?;
        set(state, attribute, value);
    }

    set(state, "access_url", context.access_url.as_str());
    set(state, "access_port", i64::from(context.access_url.port()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::DATA_SOURCE;
    use crate::data_sources::testing::read;
    use crate::value::{Value, field, text};

    #[test]
    fn by_hand_it_is_a_starting_workspace_named_default() {
        let state = read(&DATA_SOURCE, &[], &[]).unwrap();
        assert_eq!(
            (text(&state, "name"), text(&state, "transition")),
            ("default", "start")
        );
        assert_eq!(field(&state, "start_count"), &Value::int(1));
        assert_eq!(text(&state, "access_url"), "https://h/p");
        assert_eq!(field(&state, "access_port"), &Value::int(443));
    }

    #[test]
    fn a_build_without_its_template_is_refused() {
        let build = [
            ("CODER_WORKSPACE_BUILD_ID", "1"),
            ("CODER_WORKSPACE_TEMPLATE_ID", "2"),
        ];
        let error = read(&DATA_SOURCE, &[], &build).unwrap_err();
        assert!(
            error.contains("template name is missing: CODER_WORKSPACE_TEMPLATE_NAME is required"),
            "{error}"
        );
    }

    #[test]
    fn a_claimed_prebuild_is_none_any_more() {
        let state = |variables: &[(&str, &str)]| {
            let state = read(&DATA_SOURCE, &[], variables).unwrap();
            (
                field(&state, "is_prebuild").clone(),
                field(&state, "prebuild_count").clone(),
            )
        };
        let prebuild = ("CODER_WORKSPACE_IS_PREBUILD", "True");
        assert_eq!(state(&[prebuild]), (Value::Bool(true), Value::int(1)));
        assert_eq!(
            state(&[prebuild, ("CODER_WORKSPACE_IS_PREBUILD_CLAIM", "true")]),
            (Value::Bool(false), Value::int(0))
        );
        let stop = read(&DATA_SOURCE, &[], &[("CODER_WORKSPACE_TRANSITION", "stop")]).unwrap();
        assert_eq!(field(&stop, "start_count"), &Value::int(0));
    }
}
