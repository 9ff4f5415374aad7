//! Archiving: a chat and all below it, together or not at all.

use authz::{Action, Subject};
use store::chats::{ChatChange, ChatRow};
use store::{AuditAction, AuditEntry};
use uuid::Uuid;

use super::step::Step;
use super::{Machine, MachineError};

impl Machine {
    /// Puts a root chat with all below it away, or takes it out; the root afterwards.
    ///
    /// # Errors
    /// [`MachineError::NotAllowed`] if one of them is busy, or is so already.
    pub async fn archive(
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
