//! Brings a decoded value into the shape of its schema: complete, and of the right types.

use crate::schema::{Block, Type};
use crate::value::{Number, Object, Value, ValueError};

/// Brings an object into the shape of a block. Attributes that the schema does not have are dropped, missing ones
/// become null, missing blocks an empty sequence.
pub fn conform(value: Value, block: &Block) -> Result<Object, ValueError> {
    object(value, block, "")
}

fn object(value: Value, block: &Block, path: &str) -> Result<Object, ValueError> {
    let mut given = match value {
        Value::Map(given) => given,
        Value::Null => Object::new(),
        _ => return Err(mismatch(path, "an object")),
    };
    let mut result = Object::new();
    for attribute in block.attributes {
        let path = join(path, attribute.name);
        let value = given.remove(attribute.name).unwrap_or_default();
        result.insert(
            attribute.name.to_owned(),
            typed(value, &attribute.ty, &path)?,
        );
    }
    for nested in block.blocks {
        let path = join(path, nested.name);
        let value = match given.remove(nested.name).unwrap_or_default() {
            Value::Unknown => Value::Unknown,
            Value::Null => Value::Sequence(Vec::new()),
            Value::Sequence(elements) => Value::Sequence(
                elements
                    .into_iter()
                    .map(|element| match element {
                        Value::Unknown => Ok(Value::Unknown),
                        known => object(known, nested.block, &path).map(Value::Map),
                    })
                    .collect::<Result<_, _>>()?,
            ),
            _ => return Err(mismatch(&path, "a list of blocks")),
        };
        result.insert(nested.name.to_owned(), value);
    }
    Ok(result)
}

fn typed(value: Value, ty: &Type, path: &str) -> Result<Value, ValueError> {
    let elements = |values: Vec<Value>, ty: &Type| {
        values
            .into_iter()
            .map(|value| typed(value, ty, path))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Sequence)
    };
    match (ty, value) {
        (_, value @ (Value::Null | Value::Unknown))
        | (Type::String, value @ Value::String(_))
        | (Type::Bool, value @ Value::Bool(_))
        | (Type::Number, value @ Value::Number(_)) => Ok(value),
        // Numbers that no machine type holds exactly travel as decimal texts.
        (Type::Number, Value::String(digits)) => Ok(Value::Number(Number::Text(digits))),
        (Type::MapOfString, Value::Map(entries)) => {
            let mut map = Object::new();
            for (key, value) in entries {
                let value = typed(value, &Type::String, &join(path, &key))?;
                map.insert(key, value);
            }
            Ok(Value::Map(map))
        }
        (Type::ListOfString, Value::Sequence(values)) => elements(values, &Type::String),
        (Type::ListOfObject(fields), Value::Sequence(values)) => {
            let mut list = Vec::with_capacity(values.len());
            for value in values {
                let Value::Map(mut given) = value else {
                    return Err(mismatch(path, ty.described()));
                };
                let mut item = Object::new();
                for (name, ty) in *fields {
                    let value = given.remove(*name).unwrap_or_default();
                    item.insert((*name).to_owned(), typed(value, ty, &join(path, name))?);
                }
                list.push(Value::Map(item));
            }
            Ok(Value::Sequence(list))
        }
        (ty, _) => Err(mismatch(path, ty.described())),
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
    let path = if path.is_empty() { "the value" } else { path };
    ValueError::Type {
        path: path.to_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::conform;
    use crate::schema::{Attribute, Block, Nested};
    use crate::value::{Number, Object, Value};

    const INNER: Block = Block::new("", &[Attribute::number("n")], &[]);
    const BLOCK: Block = Block::new("", &[Attribute::string("s")], &[Nested::list("b", &INNER)]);

    fn map(entries: &[(&str, Value)]) -> Value {
        Value::Map(
            entries
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect::<Object>(),
        )
    }

    #[test]
    fn objects_become_complete() {
        let object = conform(map(&[("extra", Value::Bool(true))]), &BLOCK).unwrap();
        assert_eq!(
            Value::Map(object),
            map(&[("s", Value::Null), ("b", Value::Sequence(vec![]))])
        );
        let digits = Value::text("99999999999999999999");
        let object = conform(
            map(&[("b", Value::Sequence(vec![map(&[("n", digits)])]))]),
            &BLOCK,
        )
        .unwrap();
        let inner = object["b"].elements()[0].as_object().unwrap();
        assert_eq!(
            inner["n"],
            Value::Number(Number::Text("99999999999999999999".into()))
        );
    }

    #[test]
    fn wrong_types_name_the_place() {
        let wrong = map(&[("b", Value::Sequence(vec![map(&[("n", Value::Bool(true))])]))]);
        assert_eq!(
            conform(wrong, &BLOCK).unwrap_err().to_string(),
            "b.n must be a number"
        );
        assert!(conform(Value::Bool(true), &BLOCK).is_err());
        assert!(conform(map(&[("b", Value::text("x"))]), &BLOCK).is_err());
    }
}
