//! AWS event streams: `total length, headers length, CRC, headers, payload, CRC`, all numbers
//! big-endian. Source: the AWS documentation of `application/vnd.amazon.eventstream`.

use base64::Engine as _;
use flate2::Crc;
use serde::Deserialize;
use serde_json::json;

use crate::wire::frames::{Frame, FrameError};

/// Two lengths and their checksum.
const PRELUDE: usize = 12;
/// The checksum at the end.
const TRAILER: usize = 4;
/// Longest message. AWS allows 24 MiB.
const MAX_MESSAGE: usize = 24 << 20;
/// Header values of this type are text.
const STRING: u8 = 7;

/// Reads messages from pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct EventStream {
    buffer: Vec<u8>,
}

#[derive(Deserialize)]
struct Chunk {
    bytes: String,
}

impl EventStream {
    /// Takes the next piece; events of complete messages go to `frames`.
    pub(crate) fn push(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), FrameError> {
        self.buffer.extend_from_slice(piece);
        let mut start = 0;
        while let Some(total) = number(&self.buffer, start) {
            if !(PRELUDE + TRAILER..=MAX_MESSAGE).contains(&total) {
                return Err(FrameError(
                    "a message of the stream has an impossible length",
                ));
            }
            let Some(message) = self.buffer.get(start..start + total) else {
                break;
            };
            frames.extend(read(message)?);
            start += total;
        }
        self.buffer.drain(..start);
        Ok(())
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(four)).ok()
}

fn checked(bytes: &[u8], sum: Option<usize>) -> Result<(), FrameError> {
    let mut crc = Crc::new();
    crc.update(bytes);
    if sum == usize::try_from(crc.sum()).ok() {
        return Ok(());
    }
    Err(FrameError("a message of the stream has a wrong checksum"))
}

fn read(message: &[u8]) -> Result<Option<Frame>, FrameError> {
    let malformed = FrameError("a message of the stream is malformed");
    let end = message.len() - TRAILER;
    checked(&message[..PRELUDE - 4], number(message, PRELUDE - 4))?;
    checked(&message[..end], number(message, end))?;
    let headers_end = number(message, 4)
        .and_then(|length| length.checked_add(PRELUDE))
        .filter(|at| *at <= end)
        .ok_or(malformed)?;
    let headers = headers(&message[PRELUDE..headers_end])
        .ok_or(FrameError("a message of the stream has malformed headers"))?;
    let payload = &message[headers_end..end];
    let header = |name: &str| {
        headers
            .iter()
            .find(|(have, _)| have == name)
            .map_or("", |(_, value)| value.as_str())
    };
    match header(":message-type") {
        "event" if header(":event-type") == "chunk" => {
            let chunk: Chunk = serde_json::from_slice(payload)
                .map_err(|_| FrameError("an event of the stream is not JSON"))?;
            let data = base64::engine::general_purpose::STANDARD
                .decode(chunk.bytes)
                .map_err(|_| FrameError("an event of the stream is not base64"))?;
            Ok(Some(Frame {
                event: String::new(),
                data: String::from_utf8_lossy(&data).into_owned(),
            }))
        }
        "exception" | "error" => {
            let kind = [header(":exception-type"), header(":error-code")].concat();
            let payload: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
            let message = payload["message"]
                .as_str()
                .or_else(|| payload["originalMessage"].as_str())
                .unwrap_or_else(|| header(":error-message"));
            // In Anthropic's shape, so that one decoder reads both.
            let data =
                json!({"type": "error", "error": {"type": meaning(&kind), "message": message}});
            Ok(Some(Frame {
                event: "error".to_owned(),
                data: data.to_string(),
            }))
        }
        _ => Ok(None),
    }
}

/// AWS's names of failures in words that classification knows.
fn meaning(kind: &str) -> String {
    match kind {
        "modelStreamErrorException" | "internalServerException" => {
            format!("{kind} server_error")
        }
        "serviceUnavailableException" | "modelTimeoutException" => format!("{kind} overloaded"),
        other => other.to_owned(),
    }
}

fn headers(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    while let [length, rest @ ..] = bytes {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let [kind, rest @ ..] = rest else { return None };
        let width = match *kind {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            9 => 16,
            6 | STRING => {
                let two: [u8; 2] = rest.get(..2)?.try_into().ok()?;
                2 + usize::from(u16::from_be_bytes(two))
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(width)?;
        if *kind == STRING {
            headers.push((
                String::from_utf8_lossy(name).into_owned(),
                String::from_utf8_lossy(&value[2..]).into_owned(),
            ));
        }
        bytes = rest;
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut head = Vec::new();
        for (name, value) in headers {
            head.push(name.len() as u8);
            head.extend(name.as_bytes());
            head.push(STRING);
            head.extend((value.len() as u16).to_be_bytes());
            head.extend(value.as_bytes());
        }
        let total = PRELUDE + head.len() + payload.len() + TRAILER;
        let mut out = Vec::new();
        out.extend((total as u32).to_be_bytes());
        out.extend((head.len() as u32).to_be_bytes());
        let sum = |bytes: &[u8]| {
            let mut crc = Crc::new();
            crc.update(bytes);
            crc.sum().to_be_bytes()
        };
        out.extend(sum(&out));
        out.extend(head);
        out.extend(payload);
        out.extend(sum(&out));
        out
    }

    #[test]
    fn messages_in_pieces() {
        let chunk = br#"{"bytes":"eyJ0eXBlIjoicGluZyJ9"}"#;
        let mut wire = message(
            &[(":message-type", "event"), (":event-type", "chunk")],
            chunk,
        );
        wire.extend(message(
            &[
                (":message-type", "exception"),
                (":exception-type", "throttlingException"),
            ],
            br#"{"message":"slow down"}"#,
        ));
        let mut stream = EventStream::default();
        let mut frames = Vec::new();
        for byte in &wire {
            stream.push(&[*byte], &mut frames).unwrap();
        }
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].data, r#"{"type":"ping"}"#);
        assert!(frames[1].data.contains("throttlingException"));
    }

    #[test]
    fn garbage_is_refused() {
        let good = message(&[(":message-type", "event")], b"{}");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x41;
            let mut frames = Vec::new();
            // A wrong length may only make the reader wait; nothing may come out.
            let _ = EventStream::default().push(&bad, &mut frames);
            assert!(frames.is_empty(), "byte {at}");
        }
        let mut frames = Vec::new();
        assert!(
            EventStream::default()
                .push(&[0xff; 64], &mut frames)
                .is_err()
        );
    }
}
