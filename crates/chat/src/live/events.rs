//! Events of a chat's stream, serialized once for all viewers.

use api_types::{
    ChatMessage, ChatMessagePart, ChatMessageRole, ChatQueuedMessage, ChatStreamActionRequired,
    ChatStreamEvent, ChatStreamEventType, ChatStreamMessagePart, ChatStreamStatus,
    ChatStreamToolCall,
};
use bytes::Bytes;
use store::chats::{ChatMessageRow, ChatQueueRow, ChatRow};
use uuid::Uuid;

/// Most events in one frame; the protocol's own limit.
const MAX_EVENTS: i64 = 256;
/// Bytes after which a frame is closed; clients read at most 4 MiB.
const FRAME_BYTES: usize = 1 << 20;

/// A message as clients see it.
pub fn message(row: &ChatMessageRow) -> ChatMessage {
    let usage = row.usage;
    ChatMessage {
        id: row.id,
        chat_id: row.chat_id,
        created_by: row.created_by,
        model_config_id: row.model_config_id,
        created_at: row.created_at,
        role: row.role.clone(),
        content: row
            .content
            .iter()
            .cloned()
            .map(ChatMessagePart::for_clients)
            .collect(),
        usage: (usage != api_types::ChatMessageUsage::default()).then_some(usage),
        queued_message_id: row.queued_message_id,
    }
}

/// Whether people see a message.
pub fn is_shown(row: &ChatMessageRow) -> bool {
    row.visibility.for_user() && !row.deleted && row.role != ChatMessageRole::System
}

/// A waiting message as clients see it.
pub fn queued(chat: Uuid, row: &ChatQueueRow) -> ChatQueuedMessage {
    ChatQueuedMessage {
        id: row.id,
        chat_id: chat,
        model_config_id: row.model_config_id,
        content: row
            .content
            .iter()
            .cloned()
            .map(ChatMessagePart::for_clients)
            .collect(),
        created_at: row.created_at,
        editing_since: row.editing_since,
    }
}

fn event(chat: Uuid, kind: ChatStreamEventType) -> ChatStreamEvent {
    ChatStreamEvent {
        kind,
        chat_id: chat,
        ..Default::default()
    }
}

pub(super) fn message_event(row: &ChatMessageRow) -> ChatStreamEvent {
    ChatStreamEvent {
        message: Some(message(row)),
        ..event(row.chat_id, ChatStreamEventType::Message)
    }
}

pub(super) fn history_reset(chat: Uuid) -> ChatStreamEvent {
    event(chat, ChatStreamEventType::HistoryReset)
}

pub(super) fn preview_reset(chat: Uuid) -> ChatStreamEvent {
    event(chat, ChatStreamEventType::PreviewReset)
}

pub(super) fn queue_update(chat: Uuid, queue: &[ChatQueueRow]) -> ChatStreamEvent {
    ChatStreamEvent {
        queued_messages: queue.iter().map(|row| queued(chat, row)).collect(),
        ..event(chat, ChatStreamEventType::QueueUpdate)
    }
}

pub(super) fn status(row: &ChatRow) -> ChatStreamEvent {
    ChatStreamEvent {
        status: Some(ChatStreamStatus {
            status: row.status.clone(),
        }),
        ..event(row.id, ChatStreamEventType::Status)
    }
}

pub(super) fn error(row: &ChatRow) -> Option<ChatStreamEvent> {
    row.last_error.as_ref().map(|error| ChatStreamEvent {
        error: Some(error.clone()),
        ..event(row.id, ChatStreamEventType::Error)
    })
}

pub(super) fn retry(row: &ChatRow) -> Option<ChatStreamEvent> {
    row.retry_state.as_ref().map(|retry| ChatStreamEvent {
        retry: Some(retry.clone()),
        ..event(row.id, ChatStreamEventType::Retry)
    })
}

/// The calls that a client has to answer, as an event.
pub(super) fn action_required(chat: Uuid, calls: Vec<ChatStreamToolCall>) -> ChatStreamEvent {
    ChatStreamEvent {
        action_required: Some(ChatStreamActionRequired { tool_calls: calls }),
        ..event(chat, ChatStreamEventType::ActionRequired)
    }
}

/// A streamed part, serialized.
pub(super) fn part(
    chat: Uuid,
    role: &ChatMessageRole,
    part: ChatMessagePart,
    (history_version, generation_attempt): (i64, i64),
    seq: i64,
) -> Vec<u8> {
    let event = ChatStreamEvent {
        message_part: Some(ChatStreamMessagePart {
            role: role.clone(),
            part: part.for_clients(),
            history_version,
            generation_attempt,
            seq,
        }),
        ..event(chat, ChatStreamEventType::MessagePart)
    };
    json(&event)
}

fn json(event: &ChatStreamEvent) -> Vec<u8> {
    // Only maps with keys that are no texts fail, and there are none.
    serde_json::to_vec(event).unwrap_or_default()
}

/// Events as frames: arrays of at most [`MAX_EVENTS`] events, and of bounded size unless one
/// event alone is larger.
pub(super) fn frames(events: &[ChatStreamEvent]) -> Vec<Bytes> {
    frames_of(events.iter().map(json))
        .into_iter()
        .map(|(body, _)| body)
        .collect()
}

/// Serialized events as frames, each with how many it holds.
pub(super) fn frames_of<T: AsRef<[u8]>>(events: impl IntoIterator<Item = T>) -> Vec<(Bytes, i64)> {
    let mut frames = Vec::new();
    let mut open: Vec<u8> = Vec::new();
    let mut count = 0_i64;
    for event in events {
        let event = event.as_ref();
        if count == MAX_EVENTS || (count > 0 && open.len() + event.len() > FRAME_BYTES) {
            open.push(b']');
            frames.push((std::mem::take(&mut open).into(), count));
            count = 0;
        }
        open.push(if count == 0 { b'[' } else { b',' });
        open.extend_from_slice(event);
        count += 1;
    }
    if count > 0 {
        open.push(b']');
        frames.push((open.into(), count));
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_arrays_within_their_limits() {
        assert!(frames(&[]).is_empty());
        let chat = Uuid::new_v4();
        let many: Vec<_> = (0..600).map(|_| preview_reset(chat)).collect();
        let frames = frames(&many);
        let sizes: Vec<usize> = frames
            .iter()
            .map(|f| {
                serde_json::from_slice::<Vec<ChatStreamEvent>>(f)
                    .unwrap()
                    .len()
            })
            .collect();
        assert_eq!(sizes, [256, 256, 88]);
        let big = vec![b'1'; FRAME_BYTES];
        assert_eq!(frames_of([&big, &big, &b"2".to_vec()]).len(), 3);
    }
}
