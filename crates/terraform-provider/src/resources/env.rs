//! `coder_env`: one environment variable of an agent.

use super::{AGENT_ID, Resource};
use crate::schema::{Attribute, Block, Check, Constant, Finding};
use crate::value::Value;

/// The resource.
pub const RESOURCE: Resource = Resource::new("coder_env", 1, &BLOCK);

const BLOCK: Block = Block::new(
    "An environment variable of an agent's processes. Variables of the `coder_agent` itself win over it.",
    &[
        AGENT_ID,
        Attribute::implied_id(),
        Attribute::string("merge_strategy")
            .about("What happens when several resources set the same variable, in the order of their addresses: `replace` takes the last, `append` and `prepend` join with a colon, `error` fails the build.")
            .default(Constant::Text("replace"))
            .checked(&[Check::OneOf(&["replace", "append", "prepend", "error"])]),
        Attribute::string("name").required().about("Name of the variable.").checked(&[Check::Custom(check_name)]),
        Attribute::string("value").about("Its value."),
    ],
    &[],
);

fn check_name(value: &Value, name: &str) -> Vec<Finding> {
    match value.as_str() {
        Some(text) if !is_variable_name(text) => {
            vec![Finding::Error(format!(
                "invalid value for {name}: {text:?} must be a valid environment variable name"
            ))]
        }
        _ => Vec::new(),
    }
}

/// A letter or underscore, then letters, digits and underscores; ASCII only.
pub(crate) fn is_variable_name(text: &str) -> bool {
    text.bytes().enumerate().all(|(index, byte)| {
        byte == b'_' || byte.is_ascii_alphabetic() || (index > 0 && byte.is_ascii_digit())
    }) && !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::is_variable_name;

    #[test]
    fn names_are_those_that_shells_accept() {
        for name in ["A", "_", "a1_B"] {
            assert!(is_variable_name(name), "{name}");
        }
        for name in ["", "1a", "a-b", "é", "a b", "a=b", "a\n"] {
            assert!(!is_variable_name(name), "{name}");
        }
    }
}
