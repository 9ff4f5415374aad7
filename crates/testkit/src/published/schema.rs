//! Whether a JSON value is one of a schema.
//!
//! Only what answers can get wrong is checked: JSON types, listed values, formats, fields that the
//! definition does not know. A field that is absent or null is fine: the document marks almost
//! nothing as required.

use serde_json::Value;

use super::document::Document;
use super::seen;

/// Adds what is wrong with `value`, which stands `at` a place of the body.
pub fn check(
    document: &Document,
    schema: &Value,
    value: &Value,
    at: &str,
    found: &mut Vec<String>,
) {
    named(document, schema, None, value, at, found);
}

/// As [`check`]; `name` is the definition that the schema has.
fn named(
    document: &Document,
    schema: &Value,
    name: Option<&str>,
    value: &Value,
    at: &str,
    found: &mut Vec<String>,
) {
    if value.is_null() || schema.is_null() {
        return;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let (definition, name) = document.definition(reference);
        return named(document, definition, Some(&name), value, at, found);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check(document, part, value, at, found);
    }
    // No value at all is written as an empty text.
    if let Some(listed) = schema["enum"].as_array()
        && !listed.contains(value)
        && value != ""
    {
        found.push(format!("{at}: {value} is none of the listed values"));
    }
    match schema["type"].as_str() {
        Some("object") => object(document, schema, name, value, at, found),
        Some("array") => match value.as_array() {
            Some(items) => {
                for (index, item) in items.iter().enumerate() {
                    let at = format!("{at}[{index}]");
                    check(document, &schema["items"], item, &at, found);
                }
            }
            None => found.push(format!("{at}: an array is expected, not {value:.80}")),
        },
        Some(kind) => scalar(kind, schema, value, at, found),
        None => {}
    }
}

fn scalar(kind: &str, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let (right, expected) = match kind {
        "string" => (value.is_string(), "a string"),
        "boolean" => (value.is_boolean(), "true or false"),
        "integer" => (value.is_i64() || value.is_u64(), "a whole number"),
        "number" => (value.is_number(), "a number"),
        _ => return,
    };
    if !right {
        found.push(format!("{at}: {expected} is expected, not {value:.80}"));
    }
    let text = value.as_str().unwrap_or_default();
    match schema["format"].as_str() {
        Some("uuid") if right && !is_uuid(text) => {
            found.push(format!("{at}: {value} is no UUID"));
        }
        Some("date-time") if right && !is_time(text) => {
            found.push(format!("{at}: {value} is no RFC 3339 time"));
        }
        _ => {}
    }
}

fn object(
    document: &Document,
    schema: &Value,
    name: Option<&str>,
    value: &Value,
    at: &str,
    found: &mut Vec<String>,
) {
    let Some(fields) = value.as_object() else {
        found.push(format!("{at}: an object is expected, not {value:.80}"));
        return;
    };
    let known = schema["properties"].as_object();
    let more = &schema["additionalProperties"];
    for (field, value) in fields {
        let here = format!("{at}.{field}");
        match known.and_then(|known| known.get(field)) {
            Some(property) => check(document, property, value, &here, found),
            None if more.is_object() => check(document, more, value, &here, found),
            None if more == true || known.is_none() => {}
            None => found.push(format!("{here} is not in the definition")),
        }
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if let Some(field) = required.as_str()
            && !fields.contains_key(field)
        {
            found.push(format!("{at}.{field} is required"));
        }
    }
    if let (Some(name), Some(known)) = (name, known) {
        for field in known.keys() {
            seen::field(name, field, fields.contains_key(field));
        }
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// `2026-01-02T03:04:05[.678](Z|±09:10)`
fn is_time(text: &str) -> bool {
    let shape = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(b, s)| match s {
                b'0' => b.is_ascii_digit(),
                s => b == s,
            })
    };
    let Some((time, rest)) = text.split_at_checked(19) else {
        return false;
    };
    let zone = match rest.strip_prefix('.') {
        Some(rest) => {
            let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == rest.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    shape(time, "0000-00-00T00:00:00")
        && (zone == "Z" || shape(zone, "+00:00") || shape(zone, "-00:00"))
}
