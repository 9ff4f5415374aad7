//! Questions to the history of a chat: which calls of tools are unanswered, whose they are.

use std::collections::HashSet;

use api_types::{
    ChatMessagePart, ChatMessagePartType, ChatMessageRole, ChatStreamToolCall, DynamicTool,
};
use serde_json::Value;
use store::chats::ChatMessageRow;

/// Calls of the last assistant message that nobody answered yet, in order. Those that the
/// provider runs itself are not among them.
pub fn open_calls(messages: &[ChatMessageRow]) -> Vec<&ChatMessagePart> {
    let Some(last) = messages.iter().rposition(|m| {
        m.role == ChatMessageRole::Assistant && m.visibility.for_model() && !m.deleted
    }) else {
        return Vec::new();
    };
    let answered: HashSet<&str> = messages[last + 1..]
        .iter()
        .filter(|m| m.role == ChatMessageRole::Tool && !m.deleted)
        .flat_map(|m| &m.content)
        .filter(|part| part.kind == ChatMessagePartType::ToolResult)
        .map(|part| part.tool_call_id.as_str())
        .collect();
    messages[last]
        .content
        .iter()
        .filter(|part| part.kind == ChatMessagePartType::ToolCall && !part.provider_executed)
        .filter(|part| !answered.contains(part.tool_call_id.as_str()))
        .collect()
}

/// Those of the open calls that the client has to answer.
pub fn open_dynamic_calls(
    messages: &[ChatMessageRow],
    dynamic: &[DynamicTool],
) -> Vec<ChatStreamToolCall> {
    open_calls(messages)
        .into_iter()
        .filter(|call| dynamic.iter().any(|tool| tool.name == call.tool_name))
        .map(|call| ChatStreamToolCall {
            tool_call_id: call.tool_call_id.clone(),
            tool_name: call.tool_name.clone(),
            args: call.args.as_ref().map_or_else(
                || "{}".to_owned(),
                |args| match args {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                },
            ),
        })
        .collect()
}

/// An answer made up in place of the one that will not come, saying why.
pub fn synthetic_result(call: &ChatMessagePart, why: &str) -> ChatMessagePart {
    let mut part = ChatMessagePart::tool_result(
        &call.tool_call_id,
        &call.tool_name,
        Value::String(why.to_owned()),
        true,
    );
    part.created_at = Some(chrono::Utc::now());
    part
}

/// Texts of a message, one after the other.
pub fn text_of(parts: &[ChatMessagePart]) -> String {
    parts
        .iter()
        .filter(|part| part.kind == ChatMessagePartType::Text)
        .filter_map(|part| part.text.as_deref())
        .collect::<Vec<_>>()
        .join("\n")
}
