//! What a template says about itself statically: its variables, its readme, its tags.

use std::collections::BTreeMap;

use hcl_edit::structure::Body;
use rpc::proto::provisioner::TemplateVariable;

use super::{Files, HclError, Module, constant};

/// The variables of the root module.
///
/// # Errors
/// A default that is not constant, with its place.
pub fn template_variables(root: &Module) -> Result<Vec<TemplateVariable>, HclError> {
    root.variables
        .iter()
        .map(|variable| {
            let attribute = |key: &str| variable.body.get_attribute(key).map(|a| &a.value);
            let default = match attribute("default") {
                None => None,
                Some(expression) => Some(constant::value(expression).ok_or_else(|| HclError {
                    file: variable.file.clone(),
                    line: variable.line,
                    column: 0,
                    snippet: format!("variable {:?}", variable.name),
                    message: "the default of a variable must be a constant value".to_owned(),
                })?),
            };
            let flag = |key| {
                attribute(key)
                    .and_then(constant::value)
                    .and_then(|v| v.as_bool())
                    .unwrap_or(false)
            };
            Ok(TemplateVariable {
                name: variable.name.clone(),
                description: attribute("description")
                    .and_then(constant::string)
                    .unwrap_or_default(),
                r#type: type_text(&variable.body),
                required: default.is_none(),
                default_value: default
                    .as_ref()
                    .map(constant::as_variable_text)
                    .unwrap_or_default(),
                sensitive: flag("sensitive"),
            })
        })
        .collect()
}

/// The type as written, without surrounding space; empty when none is given.
pub fn type_text(body: &Body) -> String {
    body.get_attribute("type")
        .map(|a| {
            constant::string(&a.value).unwrap_or_else(|| a.value.to_string().trim().to_owned())
        })
        .unwrap_or_default()
}

/// The file shown as a template version's readme.
pub fn readme(files: &Files) -> Vec<u8> {
    files.get("README.md").unwrap_or_default().to_vec()
}

/// Tags of `coder_workspace_tags` blocks whose values are plain strings. Others are expressions,
/// left to evaluation.
pub fn constant_tags(root: &Module) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for resource in &root.resources {
        if !(resource.data && resource.kind == "coder_workspace_tags") {
            continue;
        }
        if let Some(hcl_edit::expr::Expression::Object(object)) = resource.attribute("tags") {
            for (key, value) in object {
                let value = constant::value(value.expr()).map(|v| constant::as_variable_text(&v));
                if let (Some(key), Some(value)) = (constant::key(key), value) {
                    tags.insert(key, value);
                }
            }
        }
    }
    tags
}

/// The values in a `.tfvars` or `.tfvars.json` file, as strings (JSON for lists and objects).
///
/// # Errors
/// Syntax errors and values that are not constant, with their place.
pub fn variable_file(path: &str, content: &[u8]) -> Result<Vec<(String, String)>, HclError> {
    let text = std::str::from_utf8(content)
        .map_err(|_| HclError::file(path, "the file is not UTF-8 text"))?;
    if path.ends_with(".json") {
        let map: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|e| HclError::file(path, e.to_string()))?;
        return Ok(map
            .into_iter()
            .map(|(k, v)| (k, constant::as_variable_text(&v)))
            .collect());
    }
    let body = hcl_edit::parser::parse_body(text).map_err(|e| HclError::syntax(path, &e))?;
    let mut values = Vec::new();
    for attribute in body.attributes() {
        let name = attribute.key.as_str().to_owned();
        let value = constant::value(&attribute.value).ok_or_else(|| {
            HclError::file(path, format!("the value of {name:?} is not a constant"))
        })?;
        values.push((name, constant::as_variable_text(&value)));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> Result<Module, HclError> {
        let files = Files::new([("main.tf".to_owned(), text.as_bytes().to_vec())].into());
        Module::read(&files, "")
    }

    #[test]
    fn reads_variables() {
        let module = module(
            r#"
variable "plain" {}
variable "full" {
  type        = list(string)
  description = "Some names"
  default     = ["a", "b"]
  sensitive   = true
}
variable "n" { default = 3 }
"#,
        )
        .unwrap();
        let variables = template_variables(&module).unwrap();
        assert!(variables[0].required);
        assert_eq!(variables[1].r#type, "list(string)");
        assert_eq!(variables[1].default_value, r#"["a","b"]"#);
        assert!(variables[1].sensitive && !variables[1].required);
        assert_eq!(variables[2].default_value, "3");
    }

    #[test]
    fn errors_name_file_and_line() {
        let error = module("\nresource \"x\" {\n  a = \n}\n").unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("main.tf", 3), "{error}");
        let module = module("variable \"v\" {\n  default = local.x\n}\n").unwrap();
        let error = template_variables(&module).unwrap_err();
        assert!(error.to_string().starts_with("main.tf line 1"), "{error}");
    }

    #[test]
    fn reads_variable_files() {
        let values = variable_file("a.tfvars", b"a = \"x\"\nb = [1]\nc = true").unwrap();
        assert_eq!(
            values,
            [("a", "x"), ("b", "[1]"), ("c", "true")].map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
        assert!(variable_file("a.tfvars", b"a = ").is_err());
        assert!(variable_file("a.tfvars.json", b"[]").is_err());
    }
}
