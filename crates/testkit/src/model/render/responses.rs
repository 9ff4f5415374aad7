//! OpenAI's Responses.

use serde_json::{Value, json};

use super::super::say::Say;
use super::{halves, truncated, usage};

fn items(says: &[Say]) -> Vec<Value> {
    let mut items = Vec::new();
    for (n, say) in says.iter().enumerate() {
        match say {
            Say::Text(text) => items.push(json!({"id": format!("msg_{n}"), "type": "message",
                "status": "completed", "role": "assistant",
                "content": [{"type": "output_text", "text": text, "annotations": []}]})),
            Say::Reasoning(text, signature) => items.push(json!({"id": format!("rs_{n}"),
                "type": "reasoning", "summary": [{"type": "summary_text", "text": text}],
                "encrypted_content": signature})),
            Say::Call(id, name, args) => items.push(json!({"id": format!("fc_{n}"),
                "type": "function_call", "status": "completed", "call_id": id, "name": name,
                "arguments": args})),
            Say::Search(query, url, title) => items.push(json!({"id": format!("ws_{n}"),
                "type": "web_search_call", "status": "completed",
                "action": {"type": "search", "query": query,
                    "sources": [{"type": "url", "url": url, "title": title}]}})),
            Say::Usage(..) | Say::Truncated => {}
        }
    }
    items
}

pub(super) fn whole(model: &str, says: &[Say]) -> Value {
    let (input, output, cached) = usage(says);
    let (status, details) = if truncated(says) {
        ("incomplete", json!({"reason": "max_output_tokens"}))
    } else {
        ("completed", Value::Null)
    };
    json!({"id": "resp_1", "object": "response", "status": status, "error": null,
        "incomplete_details": details, "model": model, "output": items(says),
        "usage": {"input_tokens": input, "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input + output}})
}

pub(super) fn stream(model: &str, says: &[Say]) -> Vec<String> {
    let mut frames = Vec::new();
    let mut event = |kind: &str, mut fields: Value| {
        fields["type"] = json!(kind);
        fields["sequence_number"] = json!(frames.len());
        frames.push(format!("event: {kind}\ndata: {fields}\n\n"));
    };
    event(
        "response.created",
        json!({"response": {"id": "resp_1", "status": "in_progress", "output": []}}),
    );
    for (index, item) in items(says).into_iter().enumerate() {
        let place = |fields: Value| {
            let mut fields = fields;
            fields["output_index"] = json!(index);
            fields["item_id"] = item["id"].clone();
            fields
        };
        let mut begun = item.clone();
        begun["status"] = json!("in_progress");
        for (key, empty) in [
            ("arguments", json!("")),
            ("content", json!([])),
            ("summary", json!([])),
        ] {
            if begun.get(key).is_some() {
                begun[key] = empty;
            }
        }
        event("response.output_item.added", place(json!({"item": begun})));
        match item["type"].as_str() {
            Some("message") => event(
                "response.output_text.delta",
                place(json!({"content_index": 0, "delta": item["content"][0]["text"]})),
            ),
            Some("reasoning") => event(
                "response.reasoning_summary_text.delta",
                place(json!({"summary_index": 0, "delta": item["summary"][0]["text"]})),
            ),
            Some("function_call") => {
                let (first, second) = halves(item["arguments"].as_str().unwrap_or_default());
                for delta in [first, second] {
                    event(
                        "response.function_call_arguments.delta",
                        place(json!({"delta": delta})),
                    );
                }
            }
            _ => {}
        }
        event("response.output_item.done", place(json!({"item": item})));
    }
    let kind = if truncated(says) {
        "response.incomplete"
    } else {
        "response.completed"
    };
    event(kind, json!({"response": whole(model, says)}));
    frames
}
