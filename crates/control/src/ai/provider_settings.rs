//! Settings of providers on AWS Bedrock: as requests bring them, as they are kept, as they are shown.

use api_types::ValidationError;
use gateway::BedrockSettings;
use serde_json::{Value, json};

use crate::{Error, Result};

/// The one version of the settings.
const VERSION: i64 = 1;

/// The settings in a request, if there are any.
pub(super) fn given(value: &Value) -> Result<Option<&Value>> {
    let wrong =
        |detail: String| Error::invalid("Request body must be valid JSON.").with_detail(detail);
    if value.is_null() {
        return Ok(None);
    }
    match value["_type"].as_str() {
        Some("bedrock") if value["_version"] == VERSION => Ok(Some(value)),
        Some("bedrock") => Err(wrong(format!(
            "unsupported \"bedrock\" settings version (expected {VERSION})"
        ))),
        Some("") | None => Err(wrong("settings missing _type discriminator".to_owned())),
        Some(other) => Err(wrong(format!("unknown settings type {other:?}"))),
    }
}

/// `old` with what `new` says: fields that are absent keep their value; of the access key an empty
/// text clears it.
pub(super) fn merged(old: Option<&BedrockSettings>, new: &Value) -> Result<BedrockSettings> {
    let mut whole = json!(old.cloned().unwrap_or_default());
    if let (Value::Object(whole), Value::Object(new)) = (&mut whole, new) {
        for (key, value) in new {
            match value {
                Value::Null => {}
                Value::String(text) if text.is_empty() && key.starts_with("access_key") => {
                    whole.remove(key);
                }
                value => {
                    whole.insert(key.clone(), value.clone());
                }
            }
        }
    }
    let mut settings: BedrockSettings = serde_json::from_value(whole).map_err(|e| {
        Error::invalid("Request body must be valid JSON.").with_detail(e.to_string())
    })?;
    // Made by the server alone, for roles that it assumes.
    settings.external_id = old.map(|old| old.external_id.clone()).unwrap_or_default();
    Ok(settings)
}

/// As it is kept, before sealing.
pub(super) fn stored(settings: &BedrockSettings) -> String {
    let mut value = json!(settings);
    mark(&mut value);
    value.to_string()
}

/// As it is shown: without the access key.
pub(super) fn shown(settings: Option<&BedrockSettings>) -> Value {
    let Some(settings) = settings else {
        return Value::Null;
    };
    let mut value = json!(settings);
    if let Value::Object(fields) = &mut value {
        fields.retain(|key, _| !key.starts_with("access_key"));
    }
    mark(&mut value);
    value
}

fn mark(value: &mut Value) {
    value["_type"] = json!("bedrock");
    value["_version"] = json!(VERSION);
}

/// What is wrong with them.
pub(super) fn faults(settings: &BedrockSettings) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, detail: &str| {
        faults.push(ValidationError {
            field: field.to_owned(),
            detail: detail.to_owned(),
        });
    };
    // What is stored must be what is called: nothing is accepted that would be ignored.
    if !matches!(settings.protocol.as_str(), "" | "invoke-model") {
        fault(
            "settings.protocol",
            "unsupported bedrock protocol: this server speaks \"invoke-model\"",
        );
    }
    if settings.model.is_empty() {
        fault(
            "settings.model",
            "model is required for the invoke-model protocol",
        );
    }
    if settings.small_fast_model.is_empty() {
        fault(
            "settings.small_fast_model",
            "small_fast_model is required for the invoke-model protocol",
        );
    }
    if settings.access_key.is_some() != settings.access_key_secret.is_some() {
        fault(
            "settings.access_key",
            "access_key and access_key_secret go together: give both or none",
        );
    }
    if !settings.role_arn.is_empty() {
        fault(
            "settings.role_arn",
            "this server does not assume roles: give the access key of the role's user instead",
        );
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_stay_and_empty_keys_go() {
        let first = merged(
            None,
            &json!({"region": "eu-west-1", "access_key": "AKIA1", "access_key_secret": "s"}),
        )
        .unwrap();
        assert!(!shown(Some(&first)).to_string().contains("AKIA1"));
        let second = merged(Some(&first), &json!({"region": "us-east-1"})).unwrap();
        assert_eq!(second.access_key, first.access_key);
        assert_eq!(second.region, "us-east-1");
        let third = merged(
            Some(&second),
            &json!({"access_key": "", "access_key_secret": ""}),
        )
        .unwrap();
        assert_eq!(third.access_key, None);
        assert_eq!(BedrockSettings::parse(&stored(&first)), Some(first));
    }
}
