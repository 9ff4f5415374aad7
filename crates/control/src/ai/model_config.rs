//! The configuration of a model, checked.

use llm::CallOptions;
use serde_json::{Value, json};

use crate::{Error, Result};

/// Names of older versions; they are read and left out: prices have a table of their own.
const OLD_PRICES: &[&str] = &[
    "cost",
    "input_price_per_million_tokens",
    "output_price_per_million_tokens",
    "cache_read_price_per_million_tokens",
    "cache_write_price_per_million_tokens",
];
/// Families of provider options.
const FAMILIES: &[&str] = &[
    "openai",
    "anthropic",
    "google",
    "openaicompat",
    "openrouter",
    "vercel",
];

fn wrong(detail: impl Into<String>) -> Error {
    Error::invalid("Invalid model config.").with_detail(detail)
}

/// The configuration as it is stored.
pub(super) fn checked(given: Option<&Value>) -> Result<Value> {
    let Some(given) = given.filter(|value| !value.is_null()) else {
        return Ok(json!({}));
    };
    let mut given = given.clone();
    let Value::Object(fields) = &mut given else {
        return Err(wrong("model_config must be an object"));
    };
    for old in OLD_PRICES {
        fields.remove(*old);
    }
    if let Some(effort) = fields.get("reasoning_effort")
        && !effort.is_null()
        && (effort["default"].is_null() || effort["max"].is_null())
    {
        return Err(wrong(
            "reasoning_effort needs both default and max, or must be left out",
        ));
    }
    let options: CallOptions = serde_json::from_value(given).map_err(|e| wrong(e.to_string()))?;
    let range = |name: &str, value: Option<f64>, from: f64, to: f64| match value {
        Some(value) if !(from..=to).contains(&value) => {
            Err(wrong(format!("{name} must be between {from} and {to}")))
        }
        _ => Ok(()),
    };
    range("temperature", options.temperature, 0.0, 2.0)?;
    range("top_p", options.top_p, 0.0, 1.0)?;
    range("presence_penalty", options.presence_penalty, -2.0, 2.0)?;
    range("frequency_penalty", options.frequency_penalty, -2.0, 2.0)?;
    if options.max_output_tokens == Some(0) {
        return Err(wrong("max_output_tokens must be greater than zero"));
    }
    if let Some(effort) = options.reasoning_effort
        && effort.default > effort.max
    {
        return Err(wrong(
            "the default of reasoning_effort must not be above its max",
        ));
    }
    for (family, value) in options.provider_options.iter().flatten() {
        if !FAMILIES.contains(&family.as_str()) {
            return Err(wrong(format!("unknown provider_options {family:?}")));
        }
        if !value.is_object() {
            return Err(wrong(format!(
                "provider_options.{family} must be an object"
            )));
        }
    }
    serde_json::to_value(options).map_err(|e| wrong(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_and_what_is_not() {
        let ok = json!({"temperature": 0.5, "cost": {"x": 1},
            "reasoning_effort": {"default": "low", "max": "high"},
            "provider_options": {"openai": {"store": false}}});
        let stored = checked(Some(&ok)).unwrap();
        assert!(stored.get("cost").is_none());
        assert_eq!(stored["reasoning_effort"]["max"], "high");
        for bad in [
            json!([]),
            json!({"surprise": 1}),
            json!({"temperature": 3}),
            json!({"reasoning_effort": {"default": "low"}}),
            json!({"reasoning_effort": {"default": "max", "max": "low"}}),
            json!({"provider_options": {"nobody": {}}}),
            json!({"provider_options": {"openai": 1}}),
            json!({"max_output_tokens": -1}),
        ] {
            assert!(checked(Some(&bad)).is_err(), "{bad}");
        }
        assert_eq!(checked(None).unwrap(), json!({}));
    }
}
