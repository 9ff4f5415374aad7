//! Takes secrets out of what is collected.

use serde_json::Value;

/// Stands where a secret stood.
pub const PLACEHOLDER: &str = "[redacted]";
/// Parts of names whose values are secrets.
const SECRET: [&str; 9] = [
    "token",
    "password",
    "secret",
    "private_key",
    "api_key",
    "apikey",
    "credential",
    "authorization",
    "cookie",
];
/// Fields with the value of what the field `name` beside them names, such as a parameter.
const VALUES: [&str; 2] = ["value", "default_value"];
/// Names that hold maps of what people chose, secrets among them.
const MAPS: [&str; 2] = ["environment_variables", "env"];

/// Replaces values of secret names, however deep.
pub fn json(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let named = map.get("name").and_then(Value::as_str).unwrap_or_default();
            let names_secret = is_secret(&named.to_ascii_lowercase());
            for (name, value) in map {
                let name = name.to_ascii_lowercase();
                if MAPS.contains(&name.as_str()) {
                    every_text(value);
                } else if is_secret(&name) || names_secret && VALUES.contains(&name.as_str()) {
                    text(value);
                }
                json(value);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(json),
        _ => {}
    }
}

fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|s| name.contains(s))
}

fn text(value: &mut Value) {
    if value.as_str().is_some_and(|t| !t.is_empty()) {
        *value = PLACEHOLDER.into();
    }
}

fn every_text(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(every_text),
        Value::Array(list) => list.iter_mut().for_each(every_text),
        other => text(other),
    }
}

/// Replaces `secret` wherever it stands in `bytes`.
pub fn everywhere(bytes: Vec<u8>, secret: &str) -> Vec<u8> {
    let found = |at: &[u8]| at.windows(secret.len()).any(|w| w == secret.as_bytes());
    if secret.is_empty() || !found(&bytes) {
        return bytes;
    }
    // Only text is searched for: a secret in other bytes is a coincidence.
    String::from_utf8_lossy(&bytes)
        .replace(secret, PLACEHOLDER)
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let mut value = json!({
            "name": "dev",
            "session_token": "abc",
            "session_token_lifetime": 5,
            "agents": [{"environment_variables": {"A": "x", "B": ""}, "auth_token": ""}],
            "nested": {"Private_Key": "k", "list": [{"password": "p"}]},
            "parameters": [{"name": "API_Token", "value": "t"}, {"name": "region", "value": "eu"}],
        });
        json(&mut value);
        assert_eq!(
            value,
            json!({
                "name": "dev",
                "session_token": "[redacted]",
                "session_token_lifetime": 5,
                "agents": [{"environment_variables": {"A": "[redacted]", "B": ""}, "auth_token": ""}],
                "nested": {"Private_Key": "[redacted]", "list": [{"password": "[redacted]"}]},
                "parameters": [
                    {"name": "API_Token", "value": "[redacted]"},
                    {"name": "region", "value": "eu"},
                ],
            })
        );
    }

    #[test]
    fn a_token_goes_from_any_text() {
        let text = everywhere(b"GET /x token=t0ken end".to_vec(), "t0ken");
        assert_eq!(text, b"GET /x token=[redacted] end");
        assert_eq!(everywhere(vec![0xff, 1], "t0ken"), [0xff, 1]);
    }
}
