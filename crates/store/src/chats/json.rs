//! Parts of messages as the database can hold them: it knows no NUL within JSON. NUL is
//! written as U+E000 U+E001, and U+E000 itself twice.

use api_types::ChatMessagePart;
use serde_json::Value;

use crate::StoreError;

const ESCAPE: char = '\u{E000}';
const NUL: char = '\u{E001}';

/// Parts as JSON text for a `jsonb` column.
pub(super) fn encode(parts: &[ChatMessagePart]) -> Result<String, StoreError> {
    let text = serde_json::to_string(parts).map_err(bug)?;
    if !text.contains("\\u0000") && !text.contains(ESCAPE) {
        return Ok(text);
    }
    let mut value = serde_json::to_value(parts).map_err(bug)?;
    each_text(&mut value, &|text| {
        text.chars().fold(String::new(), |mut out, c| {
            match c {
                '\0' => out.extend([ESCAPE, NUL]),
                ESCAPE => out.extend([ESCAPE, ESCAPE]),
                c => out.push(c),
            }
            out
        })
    });
    Ok(value.to_string())
}

/// Parts from the text of a `jsonb` column.
pub(super) fn decode(text: &str) -> Result<Vec<ChatMessagePart>, StoreError> {
    if !text.contains(ESCAPE) {
        return serde_json::from_str(text).map_err(bug);
    }
    let mut value: Value = serde_json::from_str(text).map_err(bug)?;
    each_text(&mut value, &|text| {
        let mut out = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                ESCAPE => match chars.next() {
                    Some(NUL) => out.push('\0'),
                    other => out.extend(other),
                },
                c => out.push(c),
            }
        }
        out
    });
    serde_json::from_value(value).map_err(bug)
}

fn bug(error: serde_json::Error) -> StoreError {
    StoreError::Internal(format!("the content of a chat message: {error}"))
}

/// Changes every text, keys of objects included.
fn each_text(value: &mut Value, change: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(map) => {
            let old = std::mem::take(map);
            for (key, mut item) in old {
                each_text(&mut item, change);
                map.insert(change(&key), item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for text in [
            "plain",
            "a\0b",
            "\u{E000}",
            "\u{E000}\u{E001}",
            "\\u0000",
            "\0\u{E000}\0",
        ] {
            let args = serde_json::json!({ text: [text] });
            let parts = [
                ChatMessagePart::text(text),
                ChatMessagePart::tool_call("1", "t", args),
            ];
            let json = encode(&parts).unwrap();
            assert!(!json.contains('\0') && !json.replace("\\\\u0000", "").contains("\\u0000"));
            assert_eq!(decode(&json).unwrap(), parts, "{text:?}");
        }
        assert!(decode("{").is_err());
    }
}
