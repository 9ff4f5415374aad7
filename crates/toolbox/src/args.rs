//! Arguments of a call, which are whatever a model wrote.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use api_types::WorkspaceBuildParameter;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Arguments of a call.
#[derive(Debug)]
pub struct Args(Map<String, Value>);

impl Args {
    /// As they came.
    pub fn new(arguments: Map<String, Value>) -> Self {
        Args(arguments)
    }

    /// A text that must be there.
    pub fn text(&self, name: &str) -> Result<&str> {
        self.maybe(name)?
            .with_context(|| format!("{name} is missing"))
    }

    /// A text; none if it is absent or empty.
    pub fn maybe(&self, name: &str) -> Result<Option<&str>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(other) => bail!("{name} must be a text, not {other}"),
        }
    }

    /// An id that must be there.
    pub fn id(&self, name: &str) -> Result<Uuid> {
        self.maybe_id(name)?
            .with_context(|| format!("{name} is missing"))
    }

    /// An id.
    pub fn maybe_id(&self, name: &str) -> Result<Option<Uuid>> {
        let text = self.maybe(name)?;
        text.map(str::parse)
            .transpose()
            .with_context(|| format!("{name} must be a valid UUID"))
    }

    /// A whole number that is not negative; models at times write it as 2.0 or as a text.
    pub fn number(&self, name: &str) -> Result<Option<u64>> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(value) => value.as_u64().or_else(|| {
                let whole = value.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0);
                whole.filter(|n| *n < 9e15).map(|n| n as u64)
            }),
        };
        match number {
            Some(number) => Ok(Some(number)),
            None => bail!("{name} must be a whole number that is not negative"),
        }
    }

    /// A yes or no; no if it is absent.
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => bail!("{name} must be true or false, not {other}"),
        }
    }

    /// Something with a shape; its default if it is absent.
    pub fn shaped<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(T::default()),
            Some(value) => serde_json::from_value(value.clone())
                .with_context(|| format!("{name} has another shape than the schema says")),
        }
    }

    /// Texts by name. Numbers and flags are taken as they are written.
    pub fn texts(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let values: BTreeMap<String, Value> = self.shaped(name)?;
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(values.into_iter().map(|(k, v)| (k, text(v))).collect())
    }

    /// Parameters of a build.
    pub fn parameters(&self, name: &str) -> Result<Vec<WorkspaceBuildParameter>> {
        let values = self.texts(name)?.into_iter();
        Ok(values
            .map(|(name, value)| WorkspaceBuildParameter { name, value })
            .collect())
    }
}

/// The schema of arguments: name (with `*` if it must be given), type and description each. A type
/// is one of JSON, `a|b` for one of these texts, or `[edits]` for a list of edits of a file.
pub fn schema(arguments: &[(&str, &str, &str)]) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, kind, description) in arguments {
        let plain = name.trim_end_matches('*');
        if plain.len() < name.len() {
            required.push(plain);
        }
        let mut property = match *kind {
            "[edits]" => json!({ "type": "array", "items": edit() }),
            "[files]" => json!({ "type": "array", "items": {
                "type": "object",
                "properties": {
                    "path": { "type": "string", "description": "Absolute path of the file." },
                    "edits": { "type": "array", "items": edit() },
                },
                "required": ["path", "edits"],
            }}),
            choice if choice.contains('|') => {
                json!({ "type": "string", "enum": choice.split('|').collect::<Vec<_>>() })
            }
            kind => json!({ "type": kind }),
        };
        if !description.is_empty() {
            property["description"] = (*description).into();
        }
        properties.insert(plain.to_owned(), property);
    }
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    schema
}

fn edit() -> Value {
    json!({
        "type": "object",
        "properties": {
            "search": { "type": "string", "description": "The text to find; it must occur once." },
            "replace": { "type": "string", "description": "What stands in its place afterwards." },
            "replace_all": { "type": "boolean", "description": "It may occur more than once." },
        },
        "required": ["search", "replace"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arguments_are_named() {
        let map = json!({"a": 1, "b": "", "c": 2.0, "d": "x", "e": -1, "f": "7", "g": {"x": 1, "y": "z"}});
        let args = Args::new(map.as_object().unwrap().clone());
        assert!(args.text("a").is_err() && args.text("b").is_err() && args.text("z").is_err());
        assert!(args.number("d").is_err() && args.number("e").is_err() && args.flag("a").is_err());
        assert_eq!(args.number("c").unwrap(), Some(2));
        assert_eq!(args.number("f").unwrap(), Some(7));
        assert!(args.id("d").unwrap_err().to_string().contains("d must be"));
        assert_eq!(args.texts("g").unwrap()["x"], "1");
        assert!(args.texts("d").is_err());
    }

    #[test]
    fn schemas_say_what_must_be_given() {
        let schema = schema(&[
            ("a*", "string", "x"),
            ("b", "x|y", ""),
            ("c", "[edits]", ""),
        ]);
        assert_eq!(schema["required"], json!(["a"]));
        assert_eq!(schema["properties"]["b"]["enum"], json!(["x", "y"]));
        assert_eq!(schema["properties"]["c"]["items"]["type"], "object");
    }
}
