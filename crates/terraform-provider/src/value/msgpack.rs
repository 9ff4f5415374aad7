//! cty's MessagePack encoding: plain MessagePack plus an extension for values that are not known yet.

use rmpv::Value as Pack;

use super::{Number, Object, Value, ValueError};

/// Extension type of an unknown value; its bytes mean nothing.
const UNKNOWN: i8 = 0;
/// Extension type of an unknown value of which something is known (a prefix, bounds). We have no use for that.
const REFINED_UNKNOWN: i8 = 12;
/// Deepest nesting that is read: schemas here nest five deep, and dynamic values never occur.
const MAX_DEPTH: usize = 64;

/// Reads a value. Empty bytes, as protobuf gives for a field that was not sent, are null.
pub fn decode(bytes: &[u8]) -> Result<Value, ValueError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let mut rest = bytes;
    let pack = rmpv::decode::read_value_with_max_depth(&mut rest, MAX_DEPTH)
        .map_err(|e| invalid(e.to_string()))?;
    if !rest.is_empty() {
        return Err(invalid("there are bytes after the value"));
    }
    from_pack(pack)
}

/// Writes a value. Objects must be complete: the host refuses one that lacks an attribute of its type.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory cannot fail; should it ever, the host refuses the truncated value.
    let _ = rmpv::encode::write_value(&mut bytes, &to_pack(value));
    bytes
}

fn invalid(reason: impl Into<String>) -> ValueError {
    ValueError::Encoding {
        encoding: "MessagePack",
        reason: reason.into(),
    }
}

fn from_pack(pack: Pack) -> Result<Value, ValueError> {
    Ok(match pack {
        Pack::Nil => Value::Null,
        Pack::Boolean(value) => Value::Bool(value),
        Pack::Integer(number) => Value::Number(match number.as_i64() {
            Some(number) => Number::Int(number),
            None => Number::Text(number.to_string()),
        }),
        Pack::F32(number) => Value::Number(Number::Float(f64::from(number))),
        Pack::F64(number) => Value::Number(Number::Float(number)),
        Pack::String(text) => match text.into_str() {
            Some(text) => Value::String(text),
            None => return Err(invalid("a string is not UTF-8")),
        },
        Pack::Array(elements) => Value::Sequence(
            elements
                .into_iter()
                .map(from_pack)
                .collect::<Result<_, _>>()?,
        ),
        Pack::Map(entries) => {
            let mut object = Object::new();
            for (key, value) in entries {
                let Pack::String(key) = key else {
                    return Err(invalid("a key is not a string"));
                };
                let Some(key) = key.into_str() else {
                    return Err(invalid("a key is not UTF-8"));
                };
                object.insert(key, from_pack(value)?);
            }
            Value::Map(object)
        }
        Pack::Ext(UNKNOWN | REFINED_UNKNOWN, _) => Value::Unknown,
        Pack::Ext(other, _) => return Err(invalid(format!("extension type {other} is not known"))),
        Pack::Binary(_) => return Err(invalid("binary values do not occur")),
    })
}

fn to_pack(value: &Value) -> Pack {
    match value {
        Value::Null => Pack::Nil,
        Value::Unknown => Pack::Ext(UNKNOWN, vec![0]),
        Value::Bool(value) => Pack::Boolean(*value),
        Value::Number(Number::Int(number)) => Pack::from(*number),
        Value::Number(Number::Float(number)) => Pack::F64(*number),
        Value::Number(Number::Text(digits)) => Pack::from(digits.as_str()),
        Value::String(text) => Pack::from(text.as_str()),
        Value::Sequence(elements) => Pack::Array(elements.iter().map(to_pack).collect()),
        Value::Map(object) => Pack::Map(
            object
                .iter()
                .map(|(key, value)| (Pack::from(key.as_str()), to_pack(value)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::value::{Number, Object, Value};

    #[test]
    fn what_is_written_is_read_back() {
        let object = Object::from([
            ("null".to_owned(), Value::Null),
            ("unknown".to_owned(), Value::Unknown),
            ("int".to_owned(), Value::int(-70_000)),
            ("float".to_owned(), Value::Number(Number::Float(1.5))),
            (
                "list".to_owned(),
                Value::Sequence(vec![Value::Bool(true), Value::text("naïve 🙂")]),
            ),
        ]);
        let value = Value::Map(object);
        assert_eq!(decode(&encode(&value)), Ok(value));
    }

    #[test]
    fn unknown_is_the_extension_that_hosts_use() {
        assert_eq!(encode(&Value::Unknown), [0xd4, 0, 0]);
        assert_eq!(decode(&[0xd4, 0, 0]), Ok(Value::Unknown));
        // Refined: a string that is not null (ext 12, a map of one entry).
        assert_eq!(decode(&[0xc7, 3, 12, 0x81, 0x01, 0xc2]), Ok(Value::Unknown));
    }

    #[test]
    fn numbers_beyond_64_bits_survive() {
        assert_eq!(
            decode(&[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).unwrap(),
            { Value::Number(Number::Text("18446744073709551615".into())) }
        );
    }

    #[test]
    fn garbage_is_refused_without_harm() {
        for bytes in [
            &[0xdd, 0xff, 0xff, 0xff, 0xff][..],
            &[0xdb, 0xff, 0xff, 0xff, 0xff, b'x'],
            &[0xdf, 0xff, 0xff, 0xff, 0xff],
            &[0xa2, 0xff, 0xfe],
            &[0x81, 0x01, 0x01],
            &[0xc4, 0x01, 0x00],
            &[0xd4, 0x07, 0x00],
            &[0xc0, 0xc0],
        ] {
            assert!(decode(bytes).is_err(), "{bytes:x?}");
        }
        assert!(decode(&[0x91; 10_000]).is_err());
        assert_eq!(decode(&[]), Ok(Value::Null));
    }
}
