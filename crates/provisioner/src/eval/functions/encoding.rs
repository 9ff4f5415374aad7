//! Encodings and hashes.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Args, Result, Value};

pub(super) fn call(args: &Args<'_>) -> Option<Result> {
    Some(match args.name {
        "base64encode" => args.text(0).map(|s| Value::text(STANDARD.encode(s))),
        "base64decode" => args.text(0).and_then(|s| {
            let bytes = STANDARD.decode(s).map_err(|e| args.error(e))?;
            String::from_utf8(bytes)
                .map(Value::String)
                .map_err(|e| args.error(e))
        }),
        "jsonencode" => args
            .get(0)
            .map(|v| Value::text(escape(&v.to_json().to_string()))),
        "jsondecode" => args.text(0).and_then(|s| {
            serde_json::from_str(&s)
                .map(|json| Value::from_json(&json))
                .map_err(|e| args.error(e))
        }),
        "urlencode" => args.text(0).map(|s| Value::text(urlencode(&s))),
        "sha1" => args
            .text(0)
            .map(|s| Value::text(hex::encode(Sha1::digest(s)))),
        "sha256" => args
            .text(0)
            .map(|s| Value::text(hex::encode(Sha256::digest(s)))),
        "sha512" => args
            .text(0)
            .map(|s| Value::text(hex::encode(Sha512::digest(s)))),
        "base64sha256" => args
            .text(0)
            .map(|s| Value::text(STANDARD.encode(Sha256::digest(s)))),
        _ => return None,
    })
}

/// Terraform escapes these in JSON, so that it may stand in HTML.
fn escape(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

fn urlencode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte as char);
            }
            b' ' => out.push('+'),
            other => {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}
