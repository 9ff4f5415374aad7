//! Anthropic's Messages.

use serde_json::{Value, json};

use super::super::say::Say;
use super::{calls, halves, truncated, usage};

fn reason(says: &[Say]) -> &'static str {
    if truncated(says) {
        "max_tokens"
    } else if calls(says) {
        "tool_use"
    } else {
        "end_turn"
    }
}

fn tokens(says: &[Say]) -> Value {
    let (input, output, cached) = usage(says);
    json!({"input_tokens": input - cached, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached, "output_tokens": output})
}

/// Blocks as they begin, their deltas, and as they are whole.
fn blocks(says: &[Say]) -> Vec<(Value, Vec<Value>, Value)> {
    let mut blocks = Vec::new();
    for (n, say) in says.iter().enumerate() {
        match say {
            Say::Text(text) => blocks.push((
                json!({"type": "text", "text": ""}),
                vec![json!({"type": "text_delta", "text": text})],
                json!({"type": "text", "text": text}),
            )),
            Say::Reasoning(text, signature) => blocks.push((
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                vec![
                    json!({"type": "thinking_delta", "thinking": text}),
                    json!({"type": "signature_delta", "signature": signature}),
                ],
                json!({"type": "thinking", "thinking": text, "signature": signature}),
            )),
            Say::Call(id, name, args) => {
                let (first, second) = halves(args);
                let input: Value = serde_json::from_str(args).unwrap_or_else(|_| json!({}));
                blocks.push((
                    json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
                    vec![
                        json!({"type": "input_json_delta", "partial_json": first}),
                        json!({"type": "input_json_delta", "partial_json": second}),
                    ],
                    json!({"type": "tool_use", "id": id, "name": name, "input": input}),
                ));
            }
            Say::Search(query, url, title) => {
                let id = format!("srvtoolu_{n}");
                let found = json!([{"type": "web_search_result", "url": url, "title": title,
                    "encrypted_content": "opaque"}]);
                blocks.push((
                    json!({"type": "server_tool_use", "id": id, "name": "web_search", "input": {}}),
                    vec![json!({"type": "input_json_delta",
                        "partial_json": json!({"query": query}).to_string()})],
                    json!({"type": "server_tool_use", "id": id, "name": "web_search",
                        "input": {"query": query}}),
                ));
                let result =
                    json!({"type": "web_search_tool_result", "tool_use_id": id, "content": found});
                blocks.push((result.clone(), Vec::new(), result));
            }
            Say::Usage(..) | Say::Truncated => {}
        }
    }
    blocks
}

/// The events of a stream, without framing.
pub(super) fn events(model: &str, says: &[Say]) -> Vec<Value> {
    let mut start = tokens(says);
    start["output_tokens"] = json!(1);
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
            "role": "assistant", "model": model, "content": [], "stop_reason": null,
            "usage": start}}),
        json!({"type": "ping"}),
    ];
    for (index, (begin, deltas, _)) in blocks(says).into_iter().enumerate() {
        events.push(json!({"type": "content_block_start", "index": index, "content_block": begin}));
        for delta in deltas {
            events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    let (_, output, _) = usage(says);
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": reason(says)},
        "usage": {"output_tokens": output}}),
    );
    events.push(json!({"type": "message_stop"}));
    events
}

pub(super) fn stream(model: &str, says: &[Say]) -> Vec<String> {
    events(model, says)
        .into_iter()
        .map(|event| {
            let kind = event["type"].as_str().unwrap_or_default();
            format!("event: {kind}\ndata: {event}\n\n")
        })
        .collect()
}

pub(super) fn whole(model: &str, says: &[Say]) -> Value {
    let content: Vec<Value> = blocks(says)
        .into_iter()
        .map(|(_, _, whole)| whole)
        .collect();
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": model,
        "content": content, "stop_reason": reason(says), "usage": tokens(says)})
}
