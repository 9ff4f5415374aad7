//! `coder_secret`: a secret of the owner that the template needs.

use super::{DataSource, set};
use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::resources::is_variable_name;
use crate::schema::{Attribute, Block, Check, Finding};
use crate::value::{Object, Value, text};

/// The data source.
pub const DATA_SOURCE: DataSource = DataSource {
    name: "coder_secret",
    version: 1,
    block: &BLOCK,
    read,
};

const BLOCK: Block = Block::new(
    "A secret that the owner must have stored, named by the environment variable or the file that it appears as. Exactly one of `env` and `file` is set.",
    &[
        Attribute::string("env")
            .about("Name of the environment variable, for example `MY_TOKEN`.")
            .checked(&[Check::Custom(check_env)]),
        Attribute::string("file")
            .about("Path of the file; begins with `/` or `~/`.")
            .checked(&[Check::Custom(check_file)]),
        Attribute::string("help_message")
            .required()
            .about("What to tell an owner who lacks the secret."),
        Attribute::implied_id(),
        Attribute::string("value")
            .computed()
            .sensitive()
            .about("The secret. An empty one counts as missing."),
    ],
    &[],
);

fn check_env(value: &Value, _: &str) -> Vec<Finding> {
    match value.as_str() {
        Some(name) if !name.is_empty() && !is_variable_name(name) => vec![Finding::Error(format!(
            "`env` must be letters, digits and underscores that do not begin with a digit; got {name:?}"
        ))],
        _ => Vec::new(),
    }
}

fn check_file(value: &Value, _: &str) -> Vec<Finding> {
    match value.as_str() {
        Some(path) if !path.is_empty() && !path.starts_with('/') && !path.starts_with("~/") => {
            vec![Finding::Error(format!(
                "`file` must start with `/` or `~/`; got {path:?}"
            ))]
        }
        _ => Vec::new(),
    }
}

fn read(state: &mut Object, _: &Object, context: &Context) -> Result<(), Vec<Diagnostic>> {
    let (id, variable, requirement) = match (text(state, "env"), text(state, "file")) {
        ("", "") => {
            return Err(vec![Diagnostic::error(
                "exactly one of `env` or `file` must be set",
            )]);
        }
        (env, "") => (
            format!("env:{env}"),
            format!("CODER_SECRET_ENV_{env}"),
            format!("environment variable {env:?}"),
        ),
        ("", file) => (
            format!("file:{file}"),
            format!("CODER_SECRET_FILE_{}", hex::encode(file)),
            format!("file {file:?}"),
        ),
        _ => {
            return Err(vec![Diagnostic::error(
                "exactly one of `env` or `file` must be set, not both",
            )]);
        }
    };
    let value = context.environment.get(&variable);
    // A workspace must stay stoppable and deletable after its owner has removed the secret.
    if value.is_empty() && context.environment.is_start_build() {
        let help = text(state, "help_message");
        let help = if help.is_empty() {
            String::new()
        } else {
            format!("\n\nHelp message: {help}")
        };
        return Err(vec![Diagnostic::error(format!("Missing required secret: {requirement}")).detail(format!(
            "Required: {requirement}{help}\n\nTo resolve: store a secret that appears as the {requirement}."
        ))]);
    }
    set(state, "id", id);
    set(state, "value", value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::DATA_SOURCE;
    use crate::data_sources::testing::read;
    use crate::value::{Value, text};

    const HELP: (&str, Value) = ("help_message", Value::Null);

    #[test]
    fn the_value_is_found_by_variable_or_by_file() {
        let env = read(
            &DATA_SOURCE,
            &[("env", "A".into()), HELP],
            &[("CODER_SECRET_ENV_A", "1")],
        )
        .unwrap();
        assert_eq!((text(&env, "id"), text(&env, "value")), ("env:A", "1"));
        let file = read(
            &DATA_SOURCE,
            &[("file", "/a".into()), HELP],
            &[("CODER_SECRET_FILE_2f61", "2")],
        )
        .unwrap();
        assert_eq!((text(&file, "id"), text(&file, "value")), ("file:/a", "2"));
        assert!(
            read(&DATA_SOURCE, &[HELP], &[])
                .unwrap_err()
                .contains("exactly one of")
        );
        assert!(
            read(
                &DATA_SOURCE,
                &[("env", "A".into()), ("file", "/a".into())],
                &[]
            )
            .is_err()
        );
    }

    #[test]
    fn it_is_missed_only_when_a_workspace_starts() {
        let config = [("env", "A".into()), ("help_message", "ask".into())];
        let read = |transition| {
            read(
                &DATA_SOURCE,
                &config,
                &[
                    ("CODER_WORKSPACE_BUILD_ID", "1"),
                    ("CODER_WORKSPACE_TRANSITION", transition),
                ],
            )
        };
        assert_eq!(text(&read("stop").unwrap(), "value"), "");
        let error = read("start").unwrap_err();
        assert!(
            error.contains("Missing required secret: environment variable \"A\""),
            "{error}"
        );
        assert!(error.contains("Help message: ask"), "{error}");
    }
}
