//! Template variables handed to Terraform in a file, so that secrets stand neither on a command
//! line nor in the environment of every provider.

use hcl_edit::expr::Expression;
use rpc::proto::provisioner::VariableValue;

use crate::hcl::{Module, variables};

/// The content of a `.tfvars` file with those of `values` that `root` declares.
///
/// A variable of a plain type gets its value as text; any other value is an HCL expression, as
/// with `-var` on a command line, and JSON is one.
pub fn variable_file(root: &Module, values: &[VariableValue]) -> String {
    let mut text = String::new();
    for value in values {
        let Some(variable) = root.variables.iter().find(|v| v.name == value.name) else {
            continue;
        };
        let kind = variables::type_text(&variable.body);
        let plain = matches!(kind.as_str(), "" | "string" | "number" | "bool" | "any");
        let expression = if plain {
            None
        } else {
            // Checked before it is pasted: it must be one expression and nothing else.
            value.value.parse::<Expression>().ok()
        };
        let written = match expression {
            Some(_) => value.value.trim().to_owned(),
            None => quote(&value.value),
        };
        text.push_str(&format!("{} = {written}\n", value.name));
    }
    text
}

/// A string literal without interpolation.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hcl::Files;

    #[test]
    fn values_cannot_break_out() {
        let source = "variable \"s\" {}\nvariable \"l\" { type = list(string) }\nvariable \"n\" { type = number }\n";
        let files = Files::new([("main.tf".to_owned(), source.as_bytes().to_vec())].into());
        let root = Module::read(&files, "").unwrap();
        let value = |name: &str, value: &str| VariableValue {
            name: name.into(),
            value: value.into(),
            sensitive: false,
        };
        let text = variable_file(
            &root,
            &[
                value("s", "a\"\n${file(\"/etc/passwd\")}%{x}"),
                value("l", "[\"a\"]"),
                value("n", "3"),
                value("unknown", "x"),
            ],
        );
        assert_eq!(
            text,
            "s = \"a\\\"\\n$${file(\\\"/etc/passwd\\\")}%%{x}\"\nl = [\"a\"]\nn = \"3\"\n"
        );
        let text = variable_file(&root, &[value("l", "[]\nother = 1")]);
        assert!(text.starts_with("l = \"[]\\nother"), "{text}");
    }
}
