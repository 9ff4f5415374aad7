//! Checks responses against the published API definitions (Swagger 2.0).
//!
//! Only what our responses can get wrong is checked: JSON types, listed values,
//! fields that the definition does not know. A property that is absent or null
//! is fine: the published document marks almost nothing as required.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// The published document.
pub struct Swagger {
    document: Value,
}

impl Swagger {
    /// The document that `CODER_TEST_SWAGGER` names, or a clear line and `None`.
    pub fn find() -> Result<Option<Self>> {
        let Some(path) = std::env::var_os("CODER_TEST_SWAGGER").map(PathBuf::from) else {
            println!("skipped: CODER_TEST_SWAGGER is not set");
            return Ok(None);
        };
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Some(Self {
            document: serde_json::from_str(&text)?,
        }))
    }

    /// What is wrong with `body` as the answer with `status` to `method` on `path`
    /// (a template of the document, such as `/api/v2/users/{user}`).
    pub fn problems(&self, method: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
        let operation = &self.document["paths"][path][method.to_lowercase()];
        if operation.is_null() {
            return vec![format!("{method} {path} is not in the document")];
        }
        let response = &operation["responses"][status.to_string()];
        if response.is_null() {
            return vec![format!(
                "{method} {path}: status {status} is not in the document"
            )];
        }
        let mut problems = Vec::new();
        self.check(&response["schema"], body, "$", &mut problems);
        problems
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
        if value.is_null() || schema.is_null() {
            return;
        }
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.trim_start_matches("#/definitions/");
            return self.check(&self.document["definitions"][name], value, at, problems);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check(part, value, at, problems);
        }
        if let Some(listed) = schema["enum"].as_array()
            && !listed.contains(value)
            && value != ""
        {
            problems.push(format!("{at}: {value} is none of the listed values"));
        }
        match schema["type"].as_str() {
            Some("object") => self.check_object(schema, value, at, problems),
            Some("array") => match value.as_array() {
                Some(items) => {
                    for (index, item) in items.iter().enumerate() {
                        self.check(&schema["items"], item, &format!("{at}[{index}]"), problems);
                    }
                }
                None => problems.push(format!("{at}: an array is expected, not {value}")),
            },
            Some("string") if !value.is_string() => {
                problems.push(format!("{at}: a string is expected, not {value}"));
            }
            Some("boolean") if !value.is_boolean() => {
                problems.push(format!("{at}: true or false is expected, not {value}"));
            }
            Some("integer") if !value.is_i64() && !value.is_u64() => {
                problems.push(format!("{at}: a whole number is expected, not {value}"));
            }
            Some("number") if !value.is_number() => {
                problems.push(format!("{at}: a number is expected, not {value}"));
            }
            _ => {}
        }
        if schema["format"] == "uuid" && value.as_str().is_some_and(|s| !is_uuid(s)) {
            problems.push(format!("{at}: {value} is no UUID"));
        }
        if schema["format"] == "date-time" && value.as_str().is_some_and(|s| !s.contains('T')) {
            problems.push(format!("{at}: {value} is no RFC 3339 time"));
        }
    }

    fn check_object(&self, schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
        let Some(fields) = value.as_object() else {
            problems.push(format!("{at}: an object is expected, not {value}"));
            return;
        };
        let known = schema["properties"].as_object();
        let more = &schema["additionalProperties"];
        for (name, field) in fields {
            let here = format!("{at}.{name}");
            match known.and_then(|k| k.get(name)) {
                Some(property) => self.check(property, field, &here, problems),
                None if more.is_object() => self.check(more, field, &here, problems),
                None if more == true || known.is_none() => {}
                None => problems.push(format!("{here} is not in the definition")),
            }
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            if let Some(name) = name.as_str()
                && !fields.contains_key(name)
            {
                problems.push(format!("{at}.{name} is required"));
            }
        }
    }
}

fn is_uuid(text: &str) -> bool {
    text.is_empty()
        || (text.len() == 36
            && text.bytes().enumerate().all(|(i, b)| match i {
                8 | 13 | 18 | 23 => b == b'-',
                _ => b.is_ascii_hexdigit(),
            }))
}
