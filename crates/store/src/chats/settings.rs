//! What people set of a chat beside its state machine: title, labels, pin, sharing, binding.

use std::collections::BTreeMap;

use authz::{AccessList, Action, Subject, authorize};
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::read::ChatRow;
use crate::conn::Conn;
use crate::{Result, Tx};

impl Tx {
    async fn set(
        &self,
        who: &Subject,
        chat: &ChatRow,
        column: &'static str,
        value: &(dyn tokio_postgres::types::ToSql + Sync),
    ) -> Result<()> {
        authorize(who, Action::Update, &chat.object())?;
        let sql = format!("UPDATE chats SET {column} = $2, updated_at = now() WHERE id = $1");
        self.execute(&sql, &[&chat.id, value]).await?;
        Ok(())
    }

    /// Sets the title.
    pub async fn chat_title_set(&self, who: &Subject, chat: &ChatRow, title: &str) -> Result<()> {
        self.set(who, chat, "title", &title).await
    }

    /// Replaces the labels.
    pub async fn chat_labels_set(
        &self,
        who: &Subject,
        chat: &ChatRow,
        labels: &BTreeMap<String, String>,
    ) -> Result<()> {
        self.set(who, chat, "labels", &Json(labels)).await
    }

    /// Switches plan mode.
    pub async fn chat_plan_mode_set(
        &self,
        who: &Subject,
        chat: &ChatRow,
        mode: &str,
    ) -> Result<()> {
        self.set(who, chat, "plan_mode", &mode).await
    }

    /// Replaces the MCP servers.
    pub async fn chat_mcp_servers_set(
        &self,
        who: &Subject,
        chat: &ChatRow,
        ids: &[Uuid],
    ) -> Result<()> {
        self.set(who, chat, "mcp_server_ids", &ids).await
    }

    /// Moves a chat to another workspace, or away from any; build and agent are found anew.
    pub async fn chat_workspace_set(
        &self,
        who: &Subject,
        chat: &ChatRow,
        workspace: Option<Uuid>,
    ) -> Result<()> {
        authorize(who, Action::Update, &chat.object())?;
        let sql = "UPDATE chats SET workspace_id = $2, build_id = NULL, agent_id = NULL, \
                   updated_at = now() WHERE id = $1";
        self.execute(sql, &[&chat.id, &workspace]).await?;
        self.chat_context_forget(chat.id).await
    }

    /// Binds a chat to an agent of its workspace, if that still is its workspace; whether it was.
    pub async fn chat_agent_set(
        &self,
        who: &Subject,
        chat: &ChatRow,
        workspace: Uuid,
        build: Uuid,
        agent: Uuid,
    ) -> Result<bool> {
        authorize(who, Action::Update, &chat.object())?;
        let sql = "UPDATE chats c SET build_id = $3, agent_id = $4 FROM chats before \
             WHERE c.id = $1 AND before.id = $1 AND c.workspace_id = $2 \
             RETURNING before.agent_id IS DISTINCT FROM c.agent_id";
        let bound = self
            .query_opt(sql, &[&chat.id, &workspace, &build, &agent])
            .await?;
        let Some(row) = bound else {
            return Ok(false);
        };
        if row.try_get(0)? {
            self.chat_context_follow_agent(chat.id).await?;
        }
        Ok(true)
    }

    /// Pins a root chat at a place among the owner's pinned ones, or at the end if it is not
    /// pinned yet; 0 unpins it. Places stay without gaps.
    pub async fn chat_pin_set(&self, who: &Subject, chat: &ChatRow, place: i32) -> Result<()> {
        authorize(who, Action::Update, &chat.object())?;
        // Two pins of one owner at once would number the same places.
        self.lock(&format!("chat pins of {}", chat.owner_id))
            .await?;
        let sql = "SELECT id FROM chats WHERE owner_id = $1 AND pin_order > 0 AND id <> $2 \
                   ORDER BY pin_order, id";
        let rows = self.query(sql, &[&chat.owner_id, &chat.id]).await?;
        let mut pinned: Vec<Uuid> = rows
            .iter()
            .map(|row| Ok(row.try_get(0)?))
            .collect::<Result<_>>()?;
        if place > 0 {
            let end = pinned.len();
            let at = if chat.pin_order > 0 {
                usize::try_from(place - 1).unwrap_or(0).min(end)
            } else {
                end
            };
            pinned.insert(at, chat.id);
        }
        let sql = "UPDATE chats c SET pin_order = coalesce(t.place, 0) \
             FROM (SELECT $1::uuid AS id, NULL::int AS place WHERE NOT $1 = ANY ($2::uuid[]) \
                   UNION ALL SELECT p.id, p.place::int FROM unnest($2::uuid[]) \
                       WITH ORDINALITY AS p (id, place)) t \
             WHERE c.id = t.id AND c.pin_order <> coalesce(t.place, 0)";
        self.execute(sql, &[&chat.id, &pinned]).await?;
        Ok(())
    }

    /// Replaces whom a root chat is shared with.
    pub async fn chat_acl_set(
        &self,
        who: &Subject,
        chat: &ChatRow,
        users: &AccessList,
        groups: &AccessList,
    ) -> Result<()> {
        authorize(who, Action::Share, &chat.object())?;
        let sql = "UPDATE chats SET user_acl = $2, group_acl = $3 WHERE id = $1";
        self.execute(sql, &[&chat.id, &Json(users), &Json(groups)])
            .await?;
        Ok(())
    }

    /// Notes what the last turn did, unless the history went on since; whether it was noted.
    pub async fn chat_turn_summary_set(
        &self,
        who: &Subject,
        chat: &ChatRow,
        summary: &str,
    ) -> Result<bool> {
        authorize(who, Action::Update, &chat.object())?;
        let sql = "UPDATE chats SET last_turn_summary = $2 WHERE id = $1 AND history_version = $3";
        Ok(self
            .execute(sql, &[&chat.id, &summary, &chat.history_version])
            .await?
            == 1)
    }

    /// Notes what the whole chat is about, as told by its messages up to `up_to`.
    pub async fn chat_summary_set(
        &self,
        who: &Subject,
        chat: &ChatRow,
        summary: &str,
        up_to: i64,
    ) -> Result<()> {
        authorize(who, Action::Update, &chat.object())?;
        let sql = "UPDATE chats SET summary = $2, summary_up_to = $3 WHERE id = $1";
        self.execute(sql, &[&chat.id, &summary, &up_to]).await?;
        Ok(())
    }

    /// Replaces a title that still is the one given at the start; whether it was.
    pub async fn chat_title_replace(
        &self,
        who: &Subject,
        chat: &ChatRow,
        title: &str,
    ) -> Result<bool> {
        authorize(who, Action::Update, &chat.object())?;
        let sql = "UPDATE chats SET title = $2 WHERE id = $1 AND title = $3";
        Ok(self.execute(sql, &[&chat.id, &title, &chat.title]).await? == 1)
    }
}

impl Conn {
    /// How many times the user said something since the chat's summary was made.
    pub async fn chat_turns_since_summary(&self, who: &Subject, chat: Uuid) -> Result<i64> {
        let row = self.chat_read(who, chat).await?;
        let sql = "SELECT count(*) FROM chat_messages m JOIN chats c ON c.id = m.chat_id \
                   WHERE c.id = $1 AND m.id > c.summary_up_to AND m.role = 'user' \
                   AND NOT m.deleted AND NOT m.compressed";
        Ok(self.query_one(sql, &[&row.id]).await?.try_get(0)?)
    }

    /// Notes that the owner has seen all that the assistant said. Not for others.
    pub async fn chat_read_cursor_set(&self, who: &Subject, chat: Uuid) -> Result<()> {
        let Some(owner) = who.user_id() else {
            return Ok(());
        };
        let sql = "UPDATE chats c SET last_read_message_id = m.id FROM ( \
                 SELECT max(id) AS id FROM chat_messages WHERE chat_id = $1 AND role = 'assistant' \
                 AND NOT deleted AND visibility <> 'model') m \
             WHERE c.id = $1 AND c.owner_id = $2 AND c.last_read_message_id < m.id";
        self.execute(sql, &[&chat, &owner]).await?;
        Ok(())
    }
}
