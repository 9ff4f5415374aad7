//! What debug logs leave out: values of JSON keys that name credentials, and the rest of long texts.

use llm::REDACTED;
use serde_json::Value;

/// Longest text kept, in characters.
pub(super) const MAX_TEXT: usize = 10_000;
/// Longest label kept, in characters.
const MAX_LABEL: usize = 200;
/// Longest body of an exchange that is looked into.
const MAX_BODY: usize = 4 << 20;

/// A key with one of these in it names a credential. `token` is not among them: usage is counted in
/// tokens.
const PARTS: &[&str] = &[
    "secret",
    "password",
    "passwd",
    "authorization",
    "credential",
    "cookie",
];
/// So do these, without `_` and `-`.
const WHOLE: &[&str] = &[
    "token",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "apitoken",
    "apikey",
    "xapikey",
    "authtoken",
    "bearertoken",
    "sessiontoken",
    "codersessiontoken",
    "securitytoken",
    "privatekey",
    "signingkey",
    "accesskey",
];

fn is_private(key: &str) -> bool {
    let key: String = key
        .chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect();
    WHOLE.contains(&key.as_str()) || PARTS.iter().any(|part| key.contains(part))
}

/// A value without credentials and without the rest of long texts.
pub(super) fn value(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, inner)| {
                let inner = match inner {
                    Value::String(_) | Value::Number(_) | Value::Array(_) if is_private(&key) => {
                        REDACTED.into()
                    }
                    inner => self::value(inner),
                };
                (key, inner)
            })
            .collect(),
        Value::Array(all) => all.into_iter().map(self::value).collect(),
        Value::String(text) => cut(&text).into(),
        other => other,
    }
}

/// A text; one that is JSON without what its keys name as private.
pub(super) fn text(text: &str) -> String {
    let head = text.trim_start();
    if head.starts_with(['{', '['])
        && let Ok(json) = serde_json::from_str::<Value>(text)
    {
        return cut(&value(json).to_string());
    }
    cut(text)
}

/// The body of an exchange: JSON without credentials, or what says why it is not shown.
pub(super) fn body(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    if bytes.len() > MAX_BODY {
        return format!("[{} bytes, too long to keep]", bytes.len());
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(json) => value(json).to_string(),
        // A page of some proxy, or half an answer: what is in it cannot be told.
        Err(_) => format!("[{} bytes that are not JSON]", bytes.len()),
    }
}

/// The beginning of a text, on one line.
pub(super) fn label(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    shorten(&words.join(" "), MAX_LABEL)
}

fn cut(text: &str) -> String {
    shorten(text, MAX_TEXT)
}

fn shorten(text: &str, most: usize) -> String {
    // Bytes are no fewer than characters: most texts are not counted.
    if text.len() <= most || text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn credentials_go_and_counters_stay() {
        let shown = value(json!({
            "api_key": "k", "x-api-key": "k", "accessToken": "k", "Authorization": ["k"],
            "db_password": "k", "client_secret": {"api-key": "k", "note": "stays"},
            "token": 7, "input_tokens": 7, "max_tokens": 5, "list": [{"session_token": "k"}],
            "private_key": null,
        }));
        assert_eq!(
            shown,
            json!({
                "api_key": REDACTED, "x-api-key": REDACTED, "accessToken": REDACTED,
                "Authorization": REDACTED, "db_password": REDACTED,
                "client_secret": {"api-key": REDACTED, "note": "stays"},
                "token": REDACTED, "input_tokens": 7, "max_tokens": 5,
                "list": [{"session_token": REDACTED}], "private_key": null,
            })
        );
    }

    #[test]
    fn texts_are_cut_and_bodies_are_json() {
        assert_eq!(text(&"é".repeat(MAX_TEXT)).chars().count(), MAX_TEXT);
        let long = text(&"é".repeat(MAX_TEXT + 1));
        assert_eq!(
            (long.chars().count(), long.ends_with('…')),
            (MAX_TEXT, true)
        );
        assert_eq!(
            text("{\"password\":\"k\"}"),
            "{\"password\":\"[REDACTED]\"}"
        );
        assert_eq!(text("{half"), "{half");
        assert_eq!(
            body(b"<html>key=abc</html>"),
            "[20 bytes that are not JSON]"
        );
        assert_eq!(
            body(b"{\"a\":{\"apikey\":\"k\"}}"),
            "{\"a\":{\"apikey\":\"[REDACTED]\"}}"
        );
        assert_eq!(label("  a\n b "), "a b");
    }
}
