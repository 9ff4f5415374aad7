//! What a step writes: messages into the history, messages into and out of the queue, and the
//! versions that tell viewers of it.

use api_types::{ChatMessagePart, ChatMessageRole};
use store::StoreError;
use store::chats::{NewChatMessage, NewQueued, Visibility};
use uuid::Uuid;

use super::Step;
use crate::machine::{MAX_FILES, MAX_QUEUED, MachineError, UserMessage};

impl Step {
    pub(super) async fn push(&mut self, message: &UserMessage) -> Result<(), MachineError> {
        if self.queued >= MAX_QUEUED {
            return Err(MachineError::QueueFull);
        }
        let row = self
            .tx
            .chat_queue_push(
                self.chat.id,
                &NewQueued {
                    content: &message.content,
                    model_config_id: Some(message.model_config_id),
                    reasoning_effort: message.reasoning_effort.as_deref(),
                    created_by: Some(message.created_by),
                },
            )
            .await?;
        self.link_files(&message.content).await?;
        self.queued += 1;
        self.queue_changed();
        self.pushed = Some(row);
        Ok(())
    }

    pub(super) async fn start_head(&mut self) -> Result<(), MachineError> {
        let head = self.tx.chat_queue_pop(self.chat.id).await?;
        // What is said now waits no more.
        self.pushed.take_if(|pushed| pushed.id == head.id);
        self.queued -= 1;
        self.queue_changed();
        let message = UserMessage {
            content: head.content,
            model_config_id: head
                .model_config_id
                .unwrap_or(self.state.last_model_config_id),
            reasoning_effort: head.reasoning_effort,
            created_by: head.created_by.unwrap_or(self.chat.owner_id),
        };
        self.insert_user(&message, Some(head.id)).await
    }

    pub(super) async fn insert_user(
        &mut self,
        message: &UserMessage,
        queued: Option<i64>,
    ) -> Result<(), MachineError> {
        let new = user_message(message, queued);
        self.state.last_model_config_id = message.model_config_id;
        self.state
            .last_reasoning_effort
            .clone_from(&message.reasoning_effort);
        if queued.is_none() {
            self.link_files(&message.content).await?;
        }
        self.insert(vec![new]).await
    }

    pub(super) async fn link_files(&self, content: &[ChatMessagePart]) -> Result<(), MachineError> {
        let files: Vec<Uuid> = content.iter().filter_map(|part| part.file_id).collect();
        self.tx
            .chat_files_link(self.chat.id, &files, MAX_FILES)
            .await?;
        Ok(())
    }

    pub(super) async fn insert(
        &mut self,
        messages: Vec<NewChatMessage>,
    ) -> Result<(), MachineError> {
        if messages.is_empty() {
            return Ok(());
        }
        let rows = self
            .tx
            .chat_messages_insert(self.chat.id, self.state.snapshot_version, &messages)
            .await?;
        if let Some(model) = rows.iter().rev().find_map(|m| m.model_config_id) {
            self.state.last_model_config_id = model;
        }
        // Calls begun were calls of an older message.
        if rows.iter().any(|m| m.role == ChatMessageRole::Tool) {
            self.tx.chat_tool_runs_clear(self.chat.id).await?;
        }
        self.inserted.extend(rows);
        self.history_changed();
        Ok(())
    }

    pub(super) fn history_changed(&mut self) {
        self.state.history_version = self.state.snapshot_version;
        self.state.generation_attempt = 0;
        self.set_retry(None);
    }

    pub(super) fn queue_changed(&mut self) {
        self.state.queue_version = self.state.snapshot_version;
        self.queue_changed = true;
    }

    pub(super) fn set_retry(&mut self, retry: Option<api_types::ChatStreamRetry>) {
        if self.state.retry_state.is_some() || retry.is_some() {
            self.state.retry_state = retry;
            self.state.retry_state_version = self.state.snapshot_version;
        }
    }
}

pub(super) fn no_queued(error: StoreError) -> MachineError {
    match error {
        StoreError::NotFound => MachineError::NoQueuedMessage,
        other => other.into(),
    }
}

/// What a user says, as a row.
pub(in crate::machine) fn user_message(
    message: &UserMessage,
    queued: Option<i64>,
) -> NewChatMessage {
    NewChatMessage {
        model_config_id: Some(message.model_config_id),
        created_by: Some(message.created_by),
        queued_message_id: queued,
        visibility: Visibility::Both,
        ..NewChatMessage::new(ChatMessageRole::User, message.content.clone())
    }
}
