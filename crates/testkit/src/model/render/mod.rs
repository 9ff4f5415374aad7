//! Says it in the wire format that was asked for.

mod bedrock;
mod chat;
mod gemini;
mod messages;
mod responses;

use serde_json::Value;

use super::say::Say;
use super::server::Asked;

/// Interfaces that the scripted provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// OpenAI's Chat Completions.
    Chat,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Messages,
    /// Google's Gemini.
    Gemini,
    /// Anthropic's models on AWS Bedrock.
    Bedrock,
}

impl Api {
    /// The interface at this path.
    pub fn of_path(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or_default();
        if path.ends_with("/chat/completions") {
            Some(Self::Chat)
        } else if path.ends_with("/responses") {
            Some(Self::Responses)
        } else if path.ends_with("/messages") {
            Some(Self::Messages)
        } else if path.ends_with("enerateContent") {
            Some(Self::Gemini)
        } else if path.contains("/invoke") {
            Some(Self::Bedrock)
        } else {
            None
        }
    }
}

/// The content type and the frames of the answer; one frame when it is not streamed.
pub(super) fn render(asked: &Asked, says: &[Say]) -> (&'static str, Vec<Vec<u8>>) {
    let model = asked.body["model"].as_str().unwrap_or("scripted");
    let stream = match asked.api {
        Some(Api::Gemini) => asked.path.contains(":stream"),
        Some(Api::Bedrock) => asked.path.ends_with("-with-response-stream"),
        _ => asked.body["stream"] == true,
    };
    let says = unroll(says);
    let whole = |value: Value| ("application/json", vec![value.to_string().into_bytes()]);
    let sse = |frames: Vec<String>| {
        let frames = frames.into_iter().map(String::into_bytes).collect();
        ("text/event-stream", frames)
    };
    // The forced call of a given schema is how some interfaces give structured answers.
    match (asked.api, stream) {
        (Some(Api::Chat), true) => sse(chat::stream(model, &says)),
        (Some(Api::Chat), false) => whole(chat::whole(model, &says)),
        (Some(Api::Responses), true) => sse(responses::stream(model, &says)),
        (Some(Api::Responses), false) => whole(responses::whole(model, &says)),
        (Some(Api::Messages), true) => sse(messages::stream(model, &forced(asked, says))),
        (Some(Api::Messages), false) => whole(messages::whole(model, &forced(asked, says))),
        (Some(Api::Gemini), true) => sse(gemini::stream(&says)),
        (Some(Api::Gemini), false) => whole(gemini::whole(&says)),
        (Some(Api::Bedrock), true) => (
            "application/vnd.amazon.eventstream",
            bedrock::stream(&messages::events(model, &forced(asked, says))),
        ),
        (Some(Api::Bedrock), false) => whole(messages::whole(model, &forced(asked, says))),
        (None, _) => whole(serde_json::json!({"error": {"message": "no such interface"}})),
    }
}

/// Adds the tokens that every answer has.
fn unroll(says: &[Say]) -> Vec<Say> {
    let mut says = says.to_vec();
    if !says.iter().any(|say| matches!(say, Say::Usage(..))) {
        says.push(Say::Usage(100, 20, 0));
    }
    says
}

/// When a tool is forced, texts come as its arguments.
fn forced(asked: &Asked, says: Vec<Say>) -> Vec<Say> {
    if asked.body["tool_choice"]["type"] != "tool" {
        return says;
    }
    let name = asked.body["tool_choice"]["name"]
        .as_str()
        .unwrap_or_default();
    says.into_iter()
        .map(|say| match say {
            Say::Text(text) => Say::call("forced", name, &text),
            other => other,
        })
        .collect()
}

/// Tokens of the answer: read, written, cached.
fn usage(says: &[Say]) -> (u64, u64, u64) {
    says.iter()
        .find_map(|say| match say {
            Say::Usage(input, output, cached) => Some((*input, *output, *cached)),
            _ => None,
        })
        .unwrap_or_default()
}

fn truncated(says: &[Say]) -> bool {
    says.iter().any(|say| matches!(say, Say::Truncated))
}

fn calls(says: &[Say]) -> bool {
    says.iter().any(|say| matches!(say, Say::Call(..)))
}

/// A text in two pieces, cut at a character.
fn halves(text: &str) -> (&str, &str) {
    let mut at = text.len() / 2;
    while !text.is_char_boundary(at) {
        at += 1;
    }
    text.split_at(at)
}
