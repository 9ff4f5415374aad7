//! What the advisor is given: the instructions of the chat as far as they fit, its own, and the
//! newest part of the conversation as text. Calls of tools are told and not repeated as calls,
//! or a model without tools would try to make some.

use std::collections::HashMap;

use api_types::{ChatMessagePart, ChatMessagePartType, ChatMessageRole};
use llm::{Message, Role};
use serde_json::Value;
use store::chats::ChatMessageRow;

/// Messages of the conversation.
const MAX_MESSAGES: usize = 20;
/// Bytes of the conversation.
const MAX_CONVERSATION: usize = 12_000;
/// Bytes of the chat's instructions.
const MAX_INSTRUCTIONS: usize = 12_000;
/// Bytes of one call or result: one of them must not push out all the rest.
const MAX_PART: usize = 3000;

const ROLE: &str = "You advise another AI agent that works for a user. Speak to the agent, not to \
the user. You have no tools and cannot look at anything yourself. Say in short what to do next and \
why: which way to plan, which trade-off to make, where to look for the fault, which risk to avoid. \
If something is missing to decide, say what the agent should find out first.";

/// The messages of the advisor's call.
pub(super) fn messages(history: &[ChatMessageRow], question: &str) -> Vec<Message> {
    let mut left = MAX_INSTRUCTIONS;
    let mut instructions: Vec<Message> = history
        .iter()
        .rev()
        .filter(|m| m.role == ChatMessageRole::System)
        .filter_map(|m| {
            let text = crate::history::text_of(&m.content);
            // One that is too long is left out whole: half an instruction misleads.
            left = left.checked_sub(text.len())?;
            Some(Message::text(Role::System, text))
        })
        .collect();
    instructions.reverse();
    let mut messages = instructions;
    messages.push(Message::text(Role::System, ROLE));
    let conversation = conversation(history);
    messages.push(Message::text(
        Role::User,
        format!("<conversation>\n{conversation}\n</conversation>\n\nThe agent asks: {question}"),
    ));
    messages
}

fn conversation(history: &[ChatMessageRow]) -> String {
    let calls: HashMap<&str, &ChatMessagePart> = history
        .iter()
        .flat_map(|m| &m.content)
        .filter(|part| part.kind == ChatMessagePartType::ToolCall)
        .map(|part| (part.tool_call_id.as_str(), part))
        .collect();
    let mut told: Vec<String> = Vec::new();
    let mut left = MAX_CONVERSATION;
    let said = history.iter().rev();
    for message in said
        .filter(|m| m.role != ChatMessageRole::System)
        .take(MAX_MESSAGES)
    {
        let text = tell(message, &calls);
        if text.is_empty() {
            continue;
        }
        // No holes: what does not fit ends it.
        let Some(rest) = left.checked_sub(text.len()) else {
            break;
        };
        left = rest;
        told.push(text);
    }
    told.reverse();
    told.join("\n\n")
}

fn tell(message: &ChatMessageRow, calls: &HashMap<&str, &ChatMessagePart>) -> String {
    let who = match message.role {
        ChatMessageRole::User => "User: ",
        ChatMessageRole::Tool => "",
        _ => "Agent: ",
    };
    let lines = message.content.iter().filter_map(|part| match part.kind {
        ChatMessagePartType::Text => {
            let text = part.text.as_deref().unwrap_or_default();
            (!text.is_empty()).then(|| format!("{who}{}", head(text)))
        }
        ChatMessagePartType::ToolResult => {
            let args = calls.get(part.tool_call_id.as_str());
            let args = args.and_then(|call| call.args.as_ref());
            let result = part.result.as_ref().map(words).unwrap_or_default();
            let failed = if part.is_error { " failed" } else { "" };
            Some(format!(
                "[The agent ran {} with {}; it{failed} answered: {}]",
                part.tool_name,
                head(&args.map(words).unwrap_or_default()),
                head(&result)
            ))
        }
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn words(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn head(text: &str) -> String {
    if text.len() <= MAX_PART {
        return text.to_owned();
    }
    format!("{} […]", &text[..text.floor_char_boundary(MAX_PART)])
}
