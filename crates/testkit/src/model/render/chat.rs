//! Chat Completions.

use serde_json::{Value, json};

use super::super::say::Say;
use super::{calls, halves, truncated, usage};

fn reason(says: &[Say]) -> &'static str {
    if truncated(says) {
        "length"
    } else if calls(says) {
        "tool_calls"
    } else {
        "stop"
    }
}

fn tokens(says: &[Say]) -> Value {
    let (input, output, cached) = usage(says);
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": cached}})
}

pub(super) fn stream(model: &str, says: &[Say]) -> Vec<String> {
    let chunk = |delta: Value, reason: Value| {
        let body = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
        format!("data: {body}\n\n")
    };
    let mut frames = vec![chunk(
        json!({"role": "assistant", "content": ""}),
        Value::Null,
    )];
    let mut index = 0;
    for say in says {
        match say {
            Say::Text(text) => frames.push(chunk(json!({"content": text}), Value::Null)),
            Say::Reasoning(text, _) => {
                frames.push(chunk(json!({"reasoning_content": text}), Value::Null));
            }
            Say::Call(id, name, args) => {
                let (first, second) = halves(args);
                frames.push(chunk(
                    json!({"tool_calls": [{"index": index, "id": id, "type": "function",
                        "function": {"name": name, "arguments": first}}]}),
                    Value::Null,
                ));
                frames.push(chunk(
                    json!({"tool_calls": [{"index": index, "function": {"arguments": second}}]}),
                    Value::Null,
                ));
                index += 1;
            }
            Say::Search(..) | Say::Usage(..) | Say::Truncated => {}
        }
    }
    frames.push(chunk(json!({}), json!(reason(says))));
    frames.push(format!(
        "data: {}\n\n",
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": model,
            "choices": [], "usage": tokens(says)})
    ));
    frames.push("data: [DONE]\n\n".to_owned());
    frames
}

pub(super) fn whole(model: &str, says: &[Say]) -> Value {
    let mut text = String::new();
    let mut tool_calls = Vec::new();
    for say in says {
        match say {
            Say::Text(more) => text.push_str(more),
            Say::Call(id, name, args) => tool_calls.push(json!({"id": id, "type": "function",
                "function": {"name": name, "arguments": args}})),
            _ => {}
        }
    }
    let mut message = json!({"role": "assistant", "content": text});
    if !tool_calls.is_empty() {
        message["tool_calls"] = Value::Array(tool_calls);
    }
    json!({"id": "chatcmpl-1", "object": "chat.completion", "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": reason(says)}],
        "usage": tokens(says)})
}
