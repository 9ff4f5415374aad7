//! State files' JSON, read by schema: attributes that the schema no longer has are dropped, missing ones become null.

use serde_json::Value as Json;

use super::{Number, Object, Value, ValueError};
use crate::schema::{Block, Type};

/// Reads the attributes of a resource from the JSON that a state file holds for it.
pub fn from_state_json(bytes: &[u8], block: &Block) -> Result<Value, ValueError> {
    let json: Json = serde_json::from_slice(bytes).map_err(|e| ValueError::Encoding {
        encoding: "JSON",
        reason: e.to_string(),
    })?;
    match json {
        Json::Null => Ok(Value::Null),
        Json::Object(attributes) => object(&attributes, block, "").map(Value::Map),
        _ => Err(mismatch("the state", "an object")),
    }
}

fn object(
    json: &serde_json::Map<String, Json>,
    block: &Block,
    path: &str,
) -> Result<Object, ValueError> {
    let mut result = Object::new();
    for attribute in block.attributes {
        let path = join(path, attribute.name);
        let value = match json.get(attribute.name) {
            None => Value::Null,
            Some(json) => typed(json, &attribute.ty, &path)?,
        };
        result.insert(attribute.name.to_owned(), value);
    }
    for nested in block.blocks {
        let path = join(path, nested.name);
        let elements = match json.get(nested.name) {
            None | Some(Json::Null) => &[][..],
            Some(Json::Array(elements)) => elements,
            Some(_) => return Err(mismatch(&path, "a list of blocks")),
        };
        let mut blocks = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let Json::Object(element) = element else {
                return Err(mismatch(&path, "a block"));
            };
            blocks.push(Value::Map(object(element, nested.block, &path)?));
        }
        result.insert(nested.name.to_owned(), Value::Sequence(blocks));
    }
    Ok(result)
}

/// Reads one attribute. Older writers may have stored a scalar in another of the scalar types: what Terraform itself
/// would convert is converted.
fn typed(json: &Json, ty: &Type, path: &str) -> Result<Value, ValueError> {
    if json.is_null() {
        return Ok(Value::Null);
    }
    Ok(match (ty, json) {
        (Type::String, Json::String(text)) => Value::text(text),
        (Type::String, Json::Number(number)) => Value::text(number.to_string()),
        (Type::String, Json::Bool(value)) => Value::text(value.to_string()),
        (Type::Bool, Json::Bool(value)) => Value::Bool(*value),
        (Type::Bool, Json::String(text)) if text == "true" || text == "false" => {
            Value::Bool(text == "true")
        }
        (Type::Number, Json::Number(number)) => Value::Number(from_number(number)),
        (Type::Number, Json::String(text)) => {
            Value::Number(Number::parse(text).ok_or_else(|| mismatch(path, ty.described()))?)
        }
        (Type::MapOfString, Json::Object(entries)) => {
            let mut map = Object::new();
            for (key, value) in entries {
                map.insert(key.clone(), typed(value, &Type::String, &join(path, key))?);
            }
            Value::Map(map)
        }
        (Type::ListOfString, Json::Array(elements)) => Value::Sequence(
            elements
                .iter()
                .map(|element| typed(element, &Type::String, path))
                .collect::<Result<_, _>>()?,
        ),
        (Type::ListOfObject(fields), Json::Array(elements)) => {
            let mut list = Vec::with_capacity(elements.len());
            for element in elements {
                let Json::Object(element) = element else {
                    return Err(mismatch(path, ty.described()));
                };
                let mut item = Object::new();
                for (name, ty) in *fields {
                    let value = element.get(*name).unwrap_or(&Json::Null);
                    item.insert((*name).to_owned(), typed(value, ty, &join(path, name))?);
                }
                list.push(Value::Map(item));
            }
            Value::Sequence(list)
        }
        _ => return Err(mismatch(path, ty.described())),
    })
}

fn from_number(number: &serde_json::Number) -> Number {
    match (number.as_i64(), number.as_f64()) {
        (Some(number), _) => Number::Int(number),
        (None, Some(float)) if !number.is_u64() => Number::Float(float),
        _ => Number::Text(number.to_string()),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn mismatch(path: &str, expected: &'static str) -> ValueError {
    ValueError::Type {
        path: path.to_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::from_state_json;
    use crate::schema::{Attribute, Block, Nested};
    use crate::value::{Value, field};

    const INNER: Block = Block::new(
        "",
        &[Attribute::string("key"), Attribute::number("count")],
        &[],
    );
    const BLOCK: Block = Block::new(
        "",
        &[
            Attribute::string("name"),
            Attribute::bool("on"),
            Attribute::string_map("env"),
        ],
        &[Nested::list("item", &INNER)],
    );

    fn read(json: &str) -> Result<Value, String> {
        from_state_json(json.as_bytes(), &BLOCK).map_err(|e| e.to_string())
    }

    #[test]
    fn unknown_attributes_are_dropped_and_missing_ones_are_null() {
        let value = read(r#"{"name": "a", "gone": [1], "item": [{"key": "k"}]}"#).unwrap();
        let object = value.as_object().unwrap();
        assert!(!object.contains_key("gone"));
        assert_eq!(field(object, "on"), &Value::Null);
        let item = field(object, "item").elements()[0].as_object().unwrap();
        assert_eq!(field(item, "count"), &Value::Null);
        assert_eq!(
            field(read("{}").unwrap().as_object().unwrap(), "item"),
            &Value::Sequence(vec![])
        );
    }

    #[test]
    fn scalars_of_another_type_are_converted_like_terraform_does() {
        let value = read(r#"{"name": 5, "on": "true", "item": [{"count": "7"}]}"#).unwrap();
        let object = value.as_object().unwrap();
        assert_eq!(field(object, "name"), &Value::text("5"));
        assert_eq!(field(object, "on"), &Value::Bool(true));
        assert_eq!(
            field(
                field(object, "item").elements()[0].as_object().unwrap(),
                "count"
            ),
            &Value::int(7)
        );
    }

    #[test]
    fn what_cannot_be_converted_names_the_place() {
        assert_eq!(
            read(r#"{"item": [{"count": "x"}]}"#).unwrap_err(),
            "item[0].count must be a number"
        );
        assert_eq!(
            read(r#"{"item": 1}"#).unwrap_err(),
            "item must be a list of blocks"
        );
        assert_eq!(
            read(r#"{"env": {"A": []}}"#).unwrap_err(),
            "env.A must be a string"
        );
        assert!(read("[").unwrap_err().contains("not valid JSON"));
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(read(&deep).is_err());
    }
}
