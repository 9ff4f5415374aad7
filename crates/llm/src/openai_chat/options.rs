//! Options of each family that speaks Chat Completions.

use serde_json::{Map, Value, json};

use crate::Request;
use crate::openai_responses::options::{chat, copy};

/// Names that OpenRouter and Vercel send on under the same name.
const ROUTERS: &[&str] = &["logit_bias", "parallel_tool_calls", "user", "provider"];

/// Puts the options of `provider`'s family into `body`.
pub(super) fn put(request: &Request, provider: &str, own: bool, body: &mut Map<String, Value>) {
    if own {
        chat(request, body);
        return;
    }
    let family = match provider {
        "openrouter" => "openrouter",
        "vercel" => "vercel",
        "google" => "google",
        _ => "openaicompat",
    };
    let Some(options) = request
        .provider_options
        .get(family)
        .and_then(Value::as_object)
    else {
        return;
    };
    match family {
        "openrouter" | "vercel" => router(options, body),
        "openaicompat" => copy(options, &["user"], body),
        _ => {}
    }
}

fn router(options: &Map<String, Value>, body: &mut Map<String, Value>) {
    copy(options, ROUTERS, body);
    for (from, to) in [
        ("log_probs", "logprobs"),
        ("logprobs", "logprobs"),
        ("top_logprobs", "top_logprobs"),
        ("providerOptions", "providerOptions"),
    ] {
        if let Some(value) = options.get(from).filter(|v| !v.is_null()) {
            body.insert(to.to_owned(), value.clone());
        }
    }
    if let Some(Value::Object(reasoning)) = options.get("reasoning") {
        let slot = body.entry("reasoning").or_insert_with(|| json!({}));
        if let Value::Object(slot) = slot {
            for (key, value) in reasoning {
                if !value.is_null() {
                    slot.entry(key).or_insert_with(|| value.clone());
                }
            }
        }
    }
    // What an administrator adds must not replace the conversation or its form.
    if let Some(Value::Object(extra)) = options.get("extra_body") {
        for (key, value) in extra {
            body.entry(key).or_insert_with(|| value.clone());
        }
    }
}
