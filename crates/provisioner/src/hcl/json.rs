//! Terraform's JSON syntax, read into the same tree as HCL.
//!
//! JSON does not tell nested blocks from attributes. Blocks at the top are known by name; inside
//! of them an object stays an attribute, which `Module`'s readers accept where they expect blocks.

use hcl_edit::expr::{Array, Expression, Object, ObjectKey};
use hcl_edit::structure::{Attribute, Block, BlockLabel, Body};
use hcl_edit::template::{StringTemplate, Template};
use hcl_edit::{Decorated, Ident};
use serde_json::Value;

use super::HclError;

/// How many labels the blocks have that are known by a name at the top.
fn labels(keyword: &str) -> Option<usize> {
    match keyword {
        "resource" | "data" | "ephemeral" => Some(2),
        "variable" | "output" | "module" | "provider" | "check" => Some(1),
        "locals" | "terraform" | "moved" | "import" | "removed" => Some(0),
        _ => None,
    }
}

/// Nested blocks that readers of this crate look for by block.
fn nested_blocks(keyword: &str) -> &'static [&'static str] {
    match keyword {
        "terraform" => &["required_providers", "backend", "cloud"],
        _ => &["option", "validation", "parameters", "prebuilds"],
    }
}

pub(super) fn parse(path: &str, text: &str) -> Result<Body, HclError> {
    let value: Value = serde_json::from_str(text).map_err(|e| HclError {
        file: path.to_owned(),
        line: e.line(),
        column: e.column(),
        snippet: String::new(),
        message: format!("invalid JSON: {e}"),
    })?;
    let Value::Object(top) = value else {
        return Err(HclError::file(path, "a JSON template must be an object"));
    };
    let mut body = Body::new();
    for (keyword, value) in top {
        let Some(count) = labels(&keyword) else {
            continue; // "//" comments and what later versions add
        };
        blocks(&mut body, &keyword, &mut Vec::new(), count, value);
    }
    Ok(body)
}

fn blocks(body: &mut Body, keyword: &str, path: &mut Vec<String>, labels: usize, value: Value) {
    match value {
        Value::Array(items) => {
            for item in items {
                blocks(body, keyword, path, labels, item);
            }
        }
        Value::Object(map) if labels > 0 => {
            for (label, inner) in map {
                path.push(label);
                blocks(body, keyword, path, labels - 1, inner);
                path.pop();
            }
        }
        Value::Object(map) => {
            let mut block = Block::new(Ident::new_sanitized(keyword));
            block.labels = path
                .iter()
                .map(|l| BlockLabel::String(Decorated::new(l.clone())))
                .collect();
            for (key, value) in map {
                if key == "//" {
                    continue;
                }
                if nested_blocks(keyword).contains(&key.as_str()) && is_block(&value) {
                    let labels = usize::from(key == "backend");
                    blocks(&mut block.body, &key, &mut Vec::new(), labels, value);
                } else {
                    let key = Ident::new_sanitized(key);
                    // A key given twice cannot happen: serde_json keeps one.
                    block.body.push(Attribute::new(key, expression(value)));
                }
            }
            body.push(block);
        }
        _ => {}
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().all(Value::is_object),
        _ => false,
    }
}

fn expression(value: Value) -> Expression {
    match value {
        Value::Null => Expression::null(),
        Value::Bool(b) => Expression::Bool(Decorated::new(b)),
        Value::Number(n) => match hcl_edit::Number::from_f64(n.as_f64().unwrap_or(0.0)) {
            Some(float) => {
                let number = n.as_i64().map_or(float, hcl_edit::Number::from);
                Expression::from(number)
            }
            None => Expression::null(),
        },
        Value::String(text) => string(text),
        Value::Array(items) => {
            let mut array = Array::new();
            for item in items {
                array.push(expression(item));
            }
            Expression::Array(array)
        }
        Value::Object(map) => {
            let mut object = Object::new();
            for (key, value) in map {
                object.insert(ObjectKey::Expression(string(key)), expression(value));
            }
            Expression::Object(object)
        }
    }
}

/// Strings in JSON are templates.
fn string(text: String) -> Expression {
    if !text.contains("${") && !text.contains("%{") {
        return Expression::String(Decorated::new(text));
    }
    match text.parse::<Template>() {
        Ok(template) => {
            let mut string = StringTemplate::new();
            for element in template {
                string.push(element);
            }
            Expression::StringTemplate(string)
        }
        Err(_) => Expression::String(Decorated::new(text)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::eval::{Owner, Renderer};
    use crate::hcl::{Files, Module};

    const TEMPLATE: &str = r#"{
  "//": "a comment",
  "terraform": {"required_providers": {"coder": {"source": "coder/coder", "version": "~> 2.0"}}},
  "locals": {"sizes": ["s", "m"]},
  "data": {
    "coder_parameter": {
      "size": {
        "name": "size",
        "default": "${local.sizes[1]}",
        "option": [{"name": "Small", "value": "s"}, {"name": "Medium", "value": "m"}]
      }
    }
  },
  "resource": {"terraform_data": {"x": [{"input": "${data.coder_parameter.size.value}-x"}]}}
}"#;

    fn files(text: &str) -> Files {
        Files::new([("main.tf.json".to_owned(), text.as_bytes().to_vec())].into())
    }

    #[test]
    fn reads_the_same_as_hcl() {
        let module = Module::read(&files(TEMPLATE), "").unwrap();
        assert_eq!(module.required_providers["coder"].source, "coder/coder");
        assert!(module.resource(false, "terraform_data", "x").is_some());
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(TEMPLATE.len() as u64);
        archive
            .append_data(&mut header, "main.tf.json", TEMPLATE.as_bytes())
            .unwrap();
        let renderer = Renderer::new(&archive.into_inner().unwrap(), &[], &[], &[]).unwrap();
        let rendered = renderer.render(&Owner::default(), &BTreeMap::new(), &BTreeMap::new());
        assert_eq!(rendered.parameters[0].value.as_deref(), Some("m"));
        assert_eq!(rendered.parameters[0].options.len(), 2);
        assert_eq!(rendered.errors().count(), 0, "{rendered:?}");
    }

    #[test]
    fn garbage_has_a_place() {
        let error = Module::read(&files("{\n \"a\": }"), "").unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("main.tf.json", 2));
        assert!(Module::read(&files("[]"), "").is_err());
        let deep = "[".repeat(100_000);
        assert!(Module::read(&files(&deep), "").is_err());
    }
}
