//! Options of the family `openai` in a model's configuration that are sent as they are.

use serde_json::{Map, Value};

use super::FAMILY;
use crate::Request;

/// Options that the Responses API knows under the same name.
const RESPONSES: &[&str] = &[
    "instructions",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "safety_identifier",
    "user",
];
/// Options that Chat Completions knows under the same name.
const CHAT: &[&str] = &[
    "logit_bias",
    "metadata",
    "parallel_tool_calls",
    "prediction",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
];

/// The options of `request`, possibly none.
pub(crate) fn of(request: &Request) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    request
        .provider_options
        .get(FAMILY)
        .and_then(Value::as_object)
        .unwrap_or(&NONE)
}

pub(super) fn responses(request: &Request, body: &mut Map<String, Value>) {
    copy(of(request), RESPONSES, body);
    // The other tiers exist in Chat Completions only.
    if let Some(tier @ ("auto" | "flex" | "priority")) =
        of(request).get("service_tier").and_then(Value::as_str)
    {
        body.insert("service_tier".to_owned(), tier.into());
    }
    if let Some(top) = of(request).get("top_log_probs").filter(|v| !v.is_null()) {
        body.insert("top_logprobs".to_owned(), top.clone());
    }
}

/// The same for Chat Completions.
pub(crate) fn chat(request: &Request, body: &mut Map<String, Value>) {
    copy(of(request), CHAT, body);
    for (from, to) in [
        ("log_probs", "logprobs"),
        ("top_log_probs", "top_logprobs"),
        ("text_verbosity", "verbosity"),
    ] {
        if let Some(value) = of(request).get(from).filter(|v| !v.is_null()) {
            body.insert(to.to_owned(), value.clone());
        }
    }
}

/// Copies what is set.
pub(crate) fn copy(from: &Map<String, Value>, names: &[&str], body: &mut Map<String, Value>) {
    for name in names {
        if let Some(value) = from.get(*name).filter(|value| !value.is_null()) {
            body.insert((*name).to_owned(), value.clone());
        }
    }
}
