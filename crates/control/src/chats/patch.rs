//! What people set of a chat. All that a request sets is set at once, or nothing.

use api_types::UpdateChatRequest;
use authz::{Action, Subject};
use store::{AuditAction, AuditDiff, AuditEntry, Conn};
use uuid::Uuid;

use super::{content, refused, steer};
use crate::{Control, Error, Result};

/// Longest title, in characters.
const MAX_TITLE: usize = 200;

impl Control {
    /// Changes a chat.
    pub async fn chat_update(
        &self,
        who: &Subject,
        id: Uuid,
        request: UpdateChatRequest,
    ) -> Result<()> {
        let row = self.chat_row(who, id).await?;
        who.may(Action::Update, &row.object())
            .map_err(|_| Error::not_found())?;
        let title = request.title.as_deref().map(title).transpose()?;
        if let Some(labels) = &request.labels {
            content::labels(labels)?;
        }
        let plan = request
            .plan_mode
            .as_ref()
            .map(steer::plan_mode)
            .transpose()?;
        if let Some(place) = request.pin_order {
            if place < 0 {
                return Err(Error::invalid("Pin order must be non-negative."));
            }
            let archived = request.archived.unwrap_or(row.archived);
            if place > 0 && row.parent_chat_id.is_some() {
                return Err(Error::invalid("Cannot pin a child chat."));
            }
            if place > 0 && archived {
                return Err(Error::invalid("Cannot pin an archived chat."));
            }
        }
        if let Some(archived) = request.archived {
            if row.parent_chat_id.is_some() {
                return Err(Error::invalid(
                    "Chat archive state can only be changed on the root chat.",
                ));
            }
            if archived == row.archived {
                let state = if archived { "archived" } else { "unarchived" };
                return Err(Error::invalid(format!("Chat is already {state}.")));
            }
        }
        let workspace = match request.workspace_id {
            None => None,
            Some(id) if id.is_nil() => Some(None),
            Some(id) => {
                let conn = self.store().conn().await?;
                usable_workspace(&conn, who, id, row.organization_id).await?;
                Some(Some(id))
            }
        };
        // The machine's own transaction; what is wrong with the rest is known by now.
        if let Some(archived) = request.archived {
            self.chat_machine()
                .archive(who, id, archived)
                .await
                .map_err(|error| refused(error, "Chat is already archived."))?;
        }
        let tx = self.store().begin(who).await?;
        let row = tx.chat_lock(who, Action::Update, id).await?;
        let mut after = row.clone();
        if let Some(title) = &title {
            tx.chat_title_set(who, &row, title).await?;
            after.title.clone_from(title);
        }
        if let Some(labels) = &request.labels {
            tx.chat_labels_set(who, &row, labels).await?;
            after.labels.clone_from(labels);
        }
        if let Some(mode) = plan {
            tx.chat_plan_mode_set(who, &row, mode).await?;
            mode.clone_into(&mut after.plan_mode);
        }
        if let Some(workspace) = workspace {
            tx.chat_workspace_set(who, &row, workspace).await?;
            after.workspace_id = workspace;
        }
        if let Some(place) = request.pin_order {
            tx.chat_pin_set(who, &row, place).await?;
        }
        let facts = |row: &store::chats::ChatRow| {
            serde_json::json!({
                "title": row.title,
                "labels": row.labels,
                "plan_mode": row.plan_mode,
                "workspace_id": row.workspace_id,
            })
        };
        let tracked = ["title", "labels", "plan_mode", "workspace_id"];
        let diff = AuditDiff::between(&facts(&row), &facts(&after), &tracked, &[]);
        if !diff.0.is_empty() {
            let entry = AuditEntry::new(AuditAction::Write, "chat", id, &row.title)
                .org(row.organization_id)
                .diff(diff);
            tx.audit(entry).await?;
        }
        if title.is_some() {
            tx.chat_announce(&store::chats::ChatChange {
                chat: id,
                owner: row.owner_id,
                snapshot: row.snapshot_version,
                origin: self.chat_machine().hub().origin(),
                work: false,
                kinds: vec!["title_change".to_owned()],
            })
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

fn title(text: &str) -> Result<String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(Error::invalid("Title cannot be empty.")),
        n if n > MAX_TITLE => Err(Error::invalid(format!(
            "Title must be at most {MAX_TITLE} characters."
        ))),
        _ => Ok(text.to_owned()),
    }
}

/// Whether a chat of `who` may work in a workspace: one of the same organization into which
/// `who` may open a shell.
pub(super) async fn usable_workspace(
    conn: &Conn,
    who: &Subject,
    id: Uuid,
    organization: Uuid,
) -> Result<()> {
    let unknown =
        || Error::invalid("Workspace not found or you do not have access to this resource");
    let workspace = conn.workspace_read(who, id).await.map_err(|_| unknown())?;
    if workspace.deleted {
        return Err(unknown());
    }
    who.may(Action::Ssh, &workspace.object())
        .map_err(|_| unknown())?;
    if workspace.api.organization_id != organization {
        return Err(Error::invalid(
            "Workspace does not belong to this chat's organization.",
        ));
    }
    Ok(())
}
