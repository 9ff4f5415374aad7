//! What happens to a chat and all below it together: stopping, archiving. All of it or nothing.

use std::time::Duration;

use api_types::ChatStatus;
use authz::{Action, Subject};
use store::chats::{ChatChange, ChatRow};
use store::{AuditAction, AuditEntry};
use uuid::Uuid;

use super::step::Step;
use super::{Machine, MachineError, Op};

/// How long helpers that were stopped may take to come to rest before their chat is put away: a
/// worker heeds it at once, unless its process has died.
const REST: Duration = Duration::from_secs(15);
/// Pauses between looks at them.
const LOOK: Duration = Duration::from_millis(50);

impl Machine {
    /// Stops what a chat does, and its helpers that run: what they do is for it. One that rests while
    /// its helpers run does something too. The chat afterwards.
    ///
    /// # Errors
    /// [`MachineError::NotAllowed`] if neither does anything that could be stopped.
    pub async fn interrupt(&self, who: &Subject, id: Uuid) -> Result<ChatRow, MachineError> {
        let stopped = self.apply(who, id, vec![Op::Interrupt]).await;
        match stopped {
            Ok(stopped) => {
                // One after the other: the chat is stopped, whatever its helpers do meanwhile.
                self.interrupt_helpers(who, id).await?;
                Ok(stopped.chat)
            }
            Err(MachineError::NotAllowed(why)) => {
                let row = self.store().conn().await?.chat_read(who, id).await?;
                let rests = matches!(
                    row.status,
                    ChatStatus::Waiting | ChatStatus::Error | ChatStatus::Paused
                );
                if row.archived || !rests || self.interrupt_helpers(who, id).await?.is_empty() {
                    return Err(MachineError::NotAllowed(why));
                }
                Ok(row)
            }
            Err(error) => Err(error),
        }
    }

    /// Stops the helpers of a chat that run; those that do not rest then.
    async fn interrupt_helpers(
        &self,
        who: &Subject,
        parent: Uuid,
    ) -> Result<Vec<Uuid>, MachineError> {
        let conn = self.store().conn().await?;
        let root = conn.chat_read(who, parent).await?.root();
        let below = conn.chat_children(&[root], false).await?;
        drop(conn);
        let mut busy = Vec::new();
        for helper in below
            .iter()
            .filter(|row| row.parent_chat_id == Some(parent))
        {
            match helper.status {
                ChatStatus::Running | ChatStatus::RequiresAction => {
                    match self.apply(who, helper.id, vec![Op::Interrupt]).await {
                        Ok(_) => busy.push(helper.id),
                        // It came to rest by itself, or somebody else stopped it.
                        Err(MachineError::NotAllowed(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                ChatStatus::Interrupting => busy.push(helper.id),
                _ => {}
            }
        }
        Ok(busy)
    }

    /// Puts a root chat at rest away with all below it, or takes it out; the root afterwards.
    /// Helpers that run are stopped first.
    ///
    /// # Errors
    /// [`MachineError::NotAllowed`] if the root is busy, or is so already.
    pub async fn archive(
        &self,
        who: &Subject,
        root: Uuid,
        archived: bool,
    ) -> Result<ChatRow, MachineError> {
        let row = self.store().conn().await?.chat_read(who, root).await?;
        let state = crate::state::State::of(&row.status, row.archived, row.queued > 0);
        if archived && !state.is_runnable() && row.parent_chat_id.is_none() {
            let end = tokio::time::Instant::now() + REST;
            // One that has messages in its queue begins anew when it was stopped.
            while !self.interrupt_helpers(who, root).await?.is_empty()
                && tokio::time::Instant::now() < end
            {
                tokio::time::sleep(LOOK).await;
            }
        }
        self.archive_family(who, root, archived).await
    }

    /// Puts a root chat with all below it away, or takes it out; the root afterwards.
    ///
    /// # Errors
    /// [`MachineError::NotAllowed`] if one of them is busy, or is so already.
    async fn archive_family(
        &self,
        who: &Subject,
        root: Uuid,
        archived: bool,
    ) -> Result<ChatRow, MachineError> {
        let mut tx = self.store().begin(who).await?;
        let mut done = Vec::new();
        let mut ids = vec![root];
        let mut at = 0;
        while let Some(&id) = ids.get(at) {
            let row = tx.chat_lock(who, Action::Update, id).await?;
            if id == root {
                ids.extend(tx.chat_family(root).await?);
                let entry = AuditEntry::new(AuditAction::Write, "chat", id, &row.title)
                    .org(row.organization_id)
                    .diff(store::AuditDiff::between(
                        &serde_json::json!({ "archived": row.archived }),
                        &serde_json::json!({ "archived": archived }),
                        &["archived"],
                        &[],
                    ));
                tx.audit(entry).await?;
            }
            at += 1;
            // Those below may have been put away before.
            if id != root && row.archived == archived {
                continue;
            }
            let mut step = Step::new(tx, row);
            step.archive(archived)?;
            let (committed, outcome, work, kinds, back) = step.write().await?;
            tx = back;
            let change = ChatChange {
                chat: id,
                owner: outcome.chat.owner_id,
                snapshot: outcome.chat.snapshot_version,
                origin: self.hub().origin(),
                work,
                kinds,
            };
            tx.chat_announce(&change).await?;
            done.push((committed, change, outcome.chat));
        }
        tx.commit().await?;
        let mut first = None;
        for (committed, change, chat) in done {
            self.told(&committed, change);
            first.get_or_insert(chat);
        }
        first.ok_or_else(|| store::StoreError::NotFound.into())
    }
}
