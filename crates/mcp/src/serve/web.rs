//! A server over HTTP: the streamable transport without sessions. Each message is a POST of its own
//! whose answer is all that is ever said to it; nothing is kept between two, so any replica may take the
//! next. Source: modelcontextprotocol.io, revision 2025-06-18, "Transports".

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::Value;

use super::{INVALID_REQUEST, PARSE_ERROR, REVISIONS, Service, answer, failed};

/// Media type of a message.
pub const JSON: &str = "application/json";
/// Media type of an answer that takes its time.
pub const EVENTS: &str = "text/event-stream";
/// The revision that was agreed on.
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// Why a request is none of the transport.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot take our answers.
    #[error("Accept must list both application/json and text/event-stream")]
    Accept,
    /// It brings something else.
    #[error("Content-Type must be application/json")]
    MediaType,
    /// It speaks a revision that we do not.
    #[error("MCP-Protocol-Version {0:?} is not served; these are: {list}", list = REVISIONS.join(", "))]
    Revision(String),
}

impl Refusal {
    /// The status that says it.
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::Accept => StatusCode::NOT_ACCEPTABLE,
            Refusal::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Revision(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Whether a POST with these headers is one of the transport.
///
/// # Errors
/// Why it is not.
pub fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case(JSON) {
        return Err(Refusal::MediaType);
    }
    if !(accepts(headers, JSON) && accepts(headers, EVENTS)) {
        return Err(Refusal::Accept);
    }
    match headers.get(REVISION) {
        // Clients of before the header.
        None => Ok(()),
        Some(revision) if REVISIONS.iter().any(|known| revision == known) => Ok(()),
        Some(revision) => {
            let text = String::from_utf8_lossy(revision.as_bytes()).into_owned();
            Err(Refusal::Revision(text))
        }
    }
}

fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let all = headers.get_all(ACCEPT).iter();
    all.filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|range| Some(range.split(';').next()?.trim()))
        .any(|range| {
            let family = range.strip_suffix("/*").unwrap_or("-");
            range.eq_ignore_ascii_case(wanted)
                || family == "*"
                || wanted
                    .split('/')
                    .next()
                    .is_some_and(|f| f.eq_ignore_ascii_case(family))
        })
}

/// What is said to a body.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// It wants no answer.
    Nothing,
    /// The answer to its request.
    Answer(Value),
    /// It is no message: an error that answers nobody's request.
    NoMessage(Value),
}

/// Hears one message.
pub async fn hear(service: &dyn Service, body: &[u8]) -> Said {
    let message: Value = match serde_json::from_slice(body) {
        Ok(message) => message,
        Err(error) => {
            let text = format!("this is no JSON: {error}");
            return Said::NoMessage(failed(&Value::Null, PARSE_ERROR, &text));
        }
    };
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        let text = "this is no message of JSON-RPC 2.0; each message is a request of its own";
        return Said::NoMessage(failed(&Value::Null, INVALID_REQUEST, text));
    }
    match answer(service, message).await {
        None => Said::Nothing,
        Some(answer) => Said::Answer(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(pairs: &[(&str, &str)]) -> Result<(), u16> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        check(&headers).map_err(|refusal| refusal.status().as_u16())
    }

    #[test]
    fn headers_of_the_transport() {
        let json = ("content-type", "application/json; charset=utf-8");
        let both = ("accept", "application/json, text/event-stream;q=0.9");
        assert_eq!(checked(&[json, both]), Ok(()));
        let apart = [("accept", "text/*"), ("accept", "Application/JSON")];
        assert_eq!(checked(&[json, apart[0], apart[1]]), Ok(()));
        assert_eq!(checked(&[json, ("accept", "*/*")]), Ok(()));
        for revision in REVISIONS {
            let named = ("mcp-protocol-version", revision);
            assert_eq!(checked(&[json, both, named]), Ok(()));
        }
        assert_eq!(checked(&[json]), Err(406));
        assert_eq!(checked(&[json, ("accept", "application/json")]), Err(406));
        assert_eq!(
            checked(&[json, ("accept", "text/event-stream, -/*")]),
            Err(406)
        );
        assert_eq!(checked(&[both]), Err(415));
        assert_eq!(checked(&[("content-type", "text/plain"), both]), Err(415));
        let unknown = ("mcp-protocol-version", "1999-01-01");
        assert_eq!(checked(&[json, both, unknown]), Err(400));
    }
}
