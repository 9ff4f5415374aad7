//! The first transition: a chat comes to be.

use api_types::ChatMessageRole;
use authz::Subject;
use store::chats::{NewChat, NewChatMessage, Visibility};
use store::{AuditAction, AuditEntry};

use super::step::{Step, user_message};
use super::{MAX_FILES, Machine, MachineError, Outcome, UserMessage};
use crate::prompt::Instruction;

/// What a chat begins with.
#[derive(Debug, Clone)]
pub struct FirstMessage {
    /// Instructions that stay for good, in order.
    pub system: Vec<Instruction>,
    /// What the user says.
    pub message: UserMessage,
}

impl Machine {
    /// Makes a chat that runs at once.
    ///
    /// # Errors
    /// [`MachineError::Store`]: also what may not be made.
    pub async fn create(
        &self,
        who: &Subject,
        new: &NewChat,
        first: &FirstMessage,
    ) -> Result<Outcome, MachineError> {
        let tx = self.store().begin(who).await?;
        tx.chat_insert(who, new).await?;
        let mut messages: Vec<NewChatMessage> = first
            .system
            .iter()
            .filter(|instruction| !instruction.text.is_empty())
            .map(|instruction| {
                let mut part = api_types::ChatMessagePart::text(instruction.text.clone());
                part.name.clone_from(&instruction.source);
                NewChatMessage {
                    visibility: Visibility::Model,
                    ..NewChatMessage::new(ChatMessageRole::System, vec![part])
                }
            })
            .collect();
        messages.push(user_message(&first.message, None));
        let rows = tx.chat_messages_insert(new.id, 1, &messages).await?;
        let files: Vec<_> = first
            .message
            .content
            .iter()
            .filter_map(|part| part.file_id)
            .collect();
        tx.chat_files_link(new.id, &files, MAX_FILES).await?;
        let entry = AuditEntry::new(AuditAction::Create, "chat", new.id, &new.title)
            .org(new.organization_id);
        tx.audit(entry).await?;
        let row = tx.chat_lock(who, authz::Action::Read, new.id).await?;
        self.finish(Step::created(tx, row, rows)).await
    }
}
