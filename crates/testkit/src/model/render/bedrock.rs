//! AWS event streams around Anthropic's events.

use base64::Engine as _;
use flate2::Crc;
use serde_json::{Value, json};

pub(super) fn stream(events: &[Value]) -> Vec<Vec<u8>> {
    events
        .iter()
        .map(|event| {
            let bytes = base64::engine::general_purpose::STANDARD.encode(event.to_string());
            let headers = [
                (":event-type", "chunk"),
                (":content-type", "application/json"),
                (":message-type", "event"),
            ];
            message(&headers, json!({"bytes": bytes}).to_string().as_bytes())
        })
        .collect()
}

fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(name.len() as u8);
        head.extend(name.as_bytes());
        // Text.
        head.push(7);
        head.extend((value.len() as u16).to_be_bytes());
        head.extend(value.as_bytes());
    }
    let sum = |bytes: &[u8]| {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc.sum().to_be_bytes()
    };
    let total = 12 + head.len() + payload.len() + 4;
    let mut out = Vec::new();
    out.extend((total as u32).to_be_bytes());
    out.extend((head.len() as u32).to_be_bytes());
    out.extend(sum(&out));
    out.extend(head);
    out.extend(payload);
    out.extend(sum(&out));
    out
}
