//! Reading one chat, and watching.

use std::sync::Arc;

use api_types::{Chat, ChatContext, ChatCost, ChatWatchEvent, ChatWatchEventKind};
use authz::Subject;
use chat::live::Viewer;
use store::chats::ChatChange;
use uuid::Uuid;

use super::{shown, shown_file};
use crate::{Control, Result};

impl Control {
    /// A chat with its files and what is below it.
    pub async fn chat_read(&self, who: &Subject, id: Uuid) -> Result<Chat> {
        let conn = self.store().conn().await?;
        let row = conn.chat_read(who, id).await?;
        let files = conn.chat_files_of(id).await?;
        let children = if row.parent_chat_id.is_none() {
            conn.chat_children(&[id], row.archived).await?
        } else {
            Vec::new()
        };
        let told = conn.chat_context(id).await?;
        // Their addresses are the owner's own affair.
        let inline = if who.user_id() == Some(row.owner_id) {
            conn.chat_inline_servers(&row).await?
        } else {
            Vec::new()
        };
        let mut shown_row = shown(&row);
        if !told.resources.is_empty() {
            let context = shown_row.context.get_or_insert_with(ChatContext::default);
            context.resources = super::context::resources(&told);
        }
        let mut chat = Chat {
            files: files.into_iter().map(shown_file).collect(),
            inline_mcp_servers: inline.into_iter().map(crate::mcp::inline_shown).collect(),
            children: children.iter().map(shown).collect(),
            ..shown_row
        };
        super::diffs::add(&conn, std::slice::from_mut(&mut chat)).await?;
        Ok(chat)
    }

    /// What a chat's family cost.
    pub async fn chat_cost(&self, who: &Subject, id: Uuid) -> Result<ChatCost> {
        let conn = self.store().conn().await?;
        let row = conn.chat_read(who, id).await?;
        let cost = conn.chat_cost(row.root()).await?;
        Ok(ChatCost {
            chat_id: id,
            total_cost_micros: cost.total_micros,
            request_count: cost.requests,
            unpriced_request_count: cost.unpriced,
        })
    }

    /// How many chats are in which state, for metrics: those that are not put away.
    pub async fn chat_states(&self) -> Result<Vec<(String, i64)>> {
        let who = Subject::system(authz::System::Chats);
        Ok(self.store().conn().await?.chat_states(&who).await?)
    }

    /// Opens a chat's stream for someone who has the messages up to `after`.
    pub async fn chat_view(&self, who: &Subject, id: Uuid, after: Option<i64>) -> Result<Viewer> {
        let viewer = self.chat_machine().hub().view(who, id, after).await?;
        self.chat_seen(who, id).await;
        Ok(viewer)
    }

    /// Notes that the owner has seen all there is. Failing to is no reason to fail.
    pub async fn chat_seen(&self, who: &Subject, id: Uuid) {
        let seen = async {
            let conn = self.store().conn().await?;
            conn.chat_read_cursor_set(who, id).await
        };
        if let Err(error) = seen.await {
            tracing::debug!(%error, chat = %id, "chats: the read cursor stays");
        }
    }

    /// What the owner of chats is told of a change: one event per kind.
    pub async fn chat_watch_events(
        &self,
        who: &Subject,
        change: &Arc<ChatChange>,
    ) -> Result<Vec<ChatWatchEvent>> {
        if who.user_id() != Some(change.owner) || change.kinds.is_empty() {
            return Ok(Vec::new());
        }
        let conn = self.store().conn().await?;
        let row = match conn.chat_read(who, change.chat).await {
            Ok(row) => row,
            // Gone since.
            Err(store::StoreError::NotFound) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let calls = if change.kinds.iter().any(|kind| kind == "action_required") {
            let tail = conn.chat_messages_tail(change.chat).await?;
            chat::history::open_dynamic_calls(&tail, &row.dynamic_tools)
        } else {
            Vec::new()
        };
        let mut chat = shown(&row);
        super::diffs::add(&conn, std::slice::from_mut(&mut chat)).await?;
        Ok(change
            .kinds
            .iter()
            .map(|kind| {
                let kind = ChatWatchEventKind::from(kind.as_str());
                ChatWatchEvent {
                    tool_calls: if kind == ChatWatchEventKind::ActionRequired {
                        calls.clone()
                    } else {
                        Vec::new()
                    },
                    kind,
                    chat: chat.clone(),
                }
            })
            .collect())
    }
}
