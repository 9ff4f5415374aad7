//! What becomes of an answer whose replica died while it was said.

use api_types::{ChatMessagePart, ChatMessageRole};
use store::chats::{NewChatMessage, Visibility};
use uuid::Uuid;

use crate::generate::joined;

/// Said to people behind an answer that broke off.
const CUT: &str = "\n\n[The server stopped while this was written. The answer begins anew.]";

/// The kept pieces of an answer, as messages to write: none if nothing was said.
///
/// If the user stopped the chat, that was the answer. Else the model answers anew and does not
/// see the broken one; people do, and are told.
pub(super) fn cut_answer(
    pieces: Vec<ChatMessagePart>,
    stopped: bool,
    model: Uuid,
) -> Vec<NewChatMessage> {
    let mut parts = joined(pieces);
    parts.retain(|part| {
        part.text
            .as_deref()
            .is_some_and(|text| !text.trim().is_empty())
    });
    if parts.is_empty() {
        return Vec::new();
    }
    let now = chrono::Utc::now();
    for part in &mut parts {
        if part.created_at.is_some() {
            part.completed_at = Some(now);
        }
    }
    let visibility = if stopped {
        Visibility::Both
    } else {
        parts.push(ChatMessagePart::text(CUT));
        Visibility::User
    };
    vec![NewChatMessage {
        visibility,
        model_config_id: Some(model),
        ..NewChatMessage::new(ChatMessageRole::Assistant, parts)
    }]
}
