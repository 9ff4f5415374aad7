//! Google's Gemini.

use serde_json::{Value, json};

use super::super::say::Say;
use super::{truncated, usage};

fn parts(says: &[Say]) -> Vec<Value> {
    let mut parts = Vec::new();
    for say in says {
        match say {
            Say::Text(text) => parts.push(json!({"text": text})),
            Say::Reasoning(text, signature) => {
                parts.push(json!({"text": text, "thought": true, "thoughtSignature": signature}));
            }
            Say::Call(id, name, args) => {
                let args: Value = serde_json::from_str(args).unwrap_or_else(|_| json!({}));
                parts.push(
                    json!({"functionCall": {"id": id, "name": name, "args": args},
                    "thoughtSignature": format!("signed-{id}")}),
                );
            }
            _ => {}
        }
    }
    parts
}

fn last(says: &[Say]) -> Value {
    let (input, output, cached) = usage(says);
    let reason = if truncated(says) {
        "MAX_TOKENS"
    } else {
        "STOP"
    };
    let found: Vec<Value> = says
        .iter()
        .filter_map(|say| match say {
            Say::Search(_, url, title) => Some(json!({"web": {"uri": url, "title": title}})),
            _ => None,
        })
        .collect();
    let mut candidate = json!({"content": {"role": "model", "parts": []}, "finishReason": reason});
    if !found.is_empty() {
        candidate["groundingMetadata"] = json!({"groundingChunks": found});
    }
    json!({"candidates": [candidate], "responseId": "gemini-1",
        "usageMetadata": {"promptTokenCount": input, "candidatesTokenCount": output,
            "cachedContentTokenCount": cached, "totalTokenCount": input + output}})
}

pub(super) fn stream(says: &[Say]) -> Vec<String> {
    let mut frames: Vec<String> = parts(says)
        .into_iter()
        .map(|part| {
            let chunk = json!({"candidates": [{"content": {"role": "model", "parts": [part]}}],
                "responseId": "gemini-1"});
            format!("data: {chunk}\r\n\r\n")
        })
        .collect();
    frames.push(format!("data: {}\r\n\r\n", last(says)));
    frames
}

pub(super) fn whole(says: &[Say]) -> Value {
    let mut whole = last(says);
    whole["candidates"][0]["content"]["parts"] = Value::Array(parts(says));
    whole
}
