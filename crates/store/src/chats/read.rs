//! Reading chats.

use std::collections::BTreeMap;

use api_types::{ChatError, ChatStatus, ChatStreamRetry, DynamicTool};
use authz::{AccessList, Action, Columns, Object, ResourceType, Subject, authorize, filter};
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::{Conn, filter_params};
use crate::{Result, StoreError, Time};

/// A chat.
#[derive(Debug, Clone, Default)]
pub struct ChatRow {
    /// The id.
    pub id: Uuid,
    /// Whose it is.
    pub owner_id: Uuid,
    /// Where.
    pub organization_id: Uuid,
    /// Name of the owner.
    pub owner_username: String,
    /// Real name of the owner.
    pub owner_name: String,
    /// The workspace it works in.
    pub workspace_id: Option<Uuid>,
    /// The build of that workspace that it is bound to.
    pub build_id: Option<Uuid>,
    /// The agent that it is bound to.
    pub agent_id: Option<Uuid>,
    /// The chat that made it.
    pub parent_chat_id: Option<Uuid>,
    /// The topmost chat; none if it is that itself.
    pub root_chat_id: Option<Uuid>,
    /// What it is about.
    pub title: String,
    /// Where it stands.
    pub status: ChatStatus,
    /// The replica that works on it.
    pub worker_id: Option<Uuid>,
    /// That replica's one run of it: fences all others.
    pub runner_id: Option<Uuid>,
    /// When it began.
    pub created_at: Time,
    /// When something of it changed last.
    pub updated_at: Time,
    /// The model used last.
    pub last_model_config_id: Uuid,
    /// How much the model should think, if someone chose.
    pub last_reasoning_effort: Option<String>,
    /// Put away.
    pub archived: bool,
    /// Why the last turn failed.
    pub last_error: Option<ChatError>,
    /// Special kinds of children: `explore`, `computer_use`.
    pub mode: Option<String>,
    /// `plan` or empty.
    pub plan_mode: String,
    /// `ui` or `api`.
    pub client_type: String,
    /// MCP servers whose tools it may use.
    pub mcp_server_ids: Vec<Uuid>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Place among the pinned ones; 0 if it is not pinned.
    pub pin_order: i32,
    /// The last message that the owner saw.
    pub last_read_message_id: i64,
    /// Tools that the client runs.
    pub dynamic_tools: Vec<DynamicTool>,
    /// What the last turn did, in a few words.
    pub last_turn_summary: Option<String>,
    /// What the whole chat is about.
    pub summary: Option<String>,
    /// Counts every transition.
    pub snapshot_version: i64,
    /// Snapshot of the last change of messages.
    pub history_version: i64,
    /// Snapshot of the last change of the queue.
    pub queue_version: i64,
    /// Attempts at the next step, since the history changed.
    pub generation_attempt: i64,
    /// Snapshot of the last change of the retry state.
    pub retry_state_version: i64,
    /// What is waited for before the next attempt.
    pub retry_state: Option<ChatStreamRetry>,
    /// Until when the client may answer.
    pub requires_action_deadline_at: Option<Time>,
    /// The user wants a summary.
    pub compaction_requested_at: Option<Time>,
    /// Since when the workspace says something newer than the chat knows.
    pub context_dirty_since: Option<Time>,
    /// It knows what its workspace's agent told.
    pub context_known: bool,
    /// What is wrong with the workspace's context.
    pub context_error: String,
    /// Access of users, of the root.
    pub user_acl: AccessList,
    /// Access of groups, of the root.
    pub group_acl: AccessList,
    /// How many messages wait.
    pub queued: i64,
    /// The assistant said something that the owner has not seen.
    pub has_unread: bool,
}

impl ChatRow {
    /// The chat as the decision sees it.
    pub fn object(&self) -> Object {
        object(
            self.id,
            self.owner_id,
            self.organization_id,
            &self.user_acl,
            &self.group_acl,
        )
    }

    /// The topmost chat of its family.
    pub fn root(&self) -> Uuid {
        self.root_chat_id.unwrap_or(self.id)
    }
}

pub(super) fn object(
    id: Uuid,
    owner: Uuid,
    organization: Uuid,
    users: &AccessList,
    groups: &AccessList,
) -> Object {
    Object::new(ResourceType::Chat)
        .id(id)
        .owner(owner)
        .org(organization)
        .acl(users.clone(), groups.clone())
}

/// Columns of a chat `c` with owner `cu` and root `cr`; read by [`read`].
pub(super) const COLUMNS: &str = "c.id, c.owner_id, c.organization_id, cu.username, cu.name, \
    c.workspace_id, c.build_id, c.agent_id, c.parent_chat_id, c.root_chat_id, c.title, c.status, \
    c.worker_id, c.runner_id, c.created_at, c.updated_at, c.last_model_config_id, \
    c.last_reasoning_effort, c.archived, c.last_error, c.mode, c.plan_mode, c.client_type, \
    c.mcp_server_ids, c.labels, c.pin_order, c.last_read_message_id, c.dynamic_tools, \
    c.last_turn_summary, c.summary, c.snapshot_version, c.history_version, c.queue_version, \
    c.generation_attempt, c.retry_state_version, c.retry_state, c.requires_action_deadline_at, \
    c.compaction_requested_at, c.context_dirty_since, \
    c.context_aggregate_hash IS NOT NULL, c.context_error, cr.user_acl, cr.group_acl, \
    (SELECT count(*) FROM chat_queued_messages q WHERE q.chat_id = c.id)";

/// Joined to a chat `c`.
pub(super) const JOINS: &str = "JOIN users cu ON cu.id = c.owner_id \
    JOIN chats cr ON cr.id = coalesce(c.root_chat_id, c.id)";

/// Whether the assistant said something unseen; a column of lists.
pub(super) const UNREAD: &str = "EXISTS (SELECT 1 FROM chat_messages um WHERE um.chat_id = c.id \
    AND um.id > c.last_read_message_id AND um.role = 'assistant' AND NOT um.deleted \
    AND um.visibility <> 'model')";

/// Where the decision finds its facts.
pub(super) const RIGHTS: Columns = Columns {
    id: "c.id",
    owner: Some("c.owner_id"),
    organization: Some("c.organization_id"),
    user_acl: Some("cr.user_acl"),
    group_acl: Some("cr.group_acl"),
};

pub(super) fn read(cols: &mut Cols<'_>) -> Result<ChatRow> {
    Ok(ChatRow {
        id: cols.next()?,
        owner_id: cols.next()?,
        organization_id: cols.next()?,
        owner_username: cols.next()?,
        owner_name: cols.next()?,
        workspace_id: cols.next()?,
        build_id: cols.next()?,
        agent_id: cols.next()?,
        parent_chat_id: cols.next()?,
        root_chat_id: cols.next()?,
        title: cols.next()?,
        status: cols.text()?,
        worker_id: cols.next()?,
        runner_id: cols.next()?,
        created_at: cols.next()?,
        updated_at: cols.next()?,
        last_model_config_id: cols.next()?,
        last_reasoning_effort: cols.next()?,
        archived: cols.next()?,
        last_error: cols.next::<Option<Json<ChatError>>>()?.map(|json| json.0),
        mode: cols.next()?,
        plan_mode: cols.next()?,
        client_type: cols.next()?,
        mcp_server_ids: cols.next()?,
        labels: cols.next::<Json<_>>()?.0,
        pin_order: cols.next()?,
        last_read_message_id: cols.next()?,
        dynamic_tools: cols.next::<Json<_>>()?.0,
        last_turn_summary: cols.next()?,
        summary: cols.next()?,
        snapshot_version: cols.next()?,
        history_version: cols.next()?,
        queue_version: cols.next()?,
        generation_attempt: cols.next()?,
        retry_state_version: cols.next()?,
        retry_state: cols
            .next::<Option<Json<ChatStreamRetry>>>()?
            .map(|json| json.0),
        requires_action_deadline_at: cols.next()?,
        compaction_requested_at: cols.next()?,
        context_dirty_since: cols.next()?,
        context_known: cols.next()?,
        context_error: cols.next()?,
        user_acl: cols.next::<Json<_>>()?.0,
        group_acl: cols.next::<Json<_>>()?.0,
        queued: cols.next()?,
        has_unread: false,
    })
}

/// What the calls of models for a family of chats cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChatCostRow {
    /// Millionths of a dollar.
    pub total_micros: i64,
    /// Calls.
    pub requests: i64,
    /// Calls of models without a price.
    pub unpriced: i64,
}

impl Conn {
    /// A chat.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if `who` may not read it.
    pub async fn chat_read(&self, who: &Subject, id: Uuid) -> Result<ChatRow> {
        let sql = format!("SELECT {COLUMNS} FROM chats c {JOINS} WHERE c.id = $1");
        let row = self.query_one(&sql, &[&id]).await?;
        let chat = read(&mut Cols::new(&row))?;
        authorize(who, Action::Read, &chat.object()).map_err(|_| StoreError::NotFound)?;
        Ok(chat)
    }

    /// The descendants of chats that `who` was allowed to read, oldest first; archived ones or
    /// the others.
    pub async fn chat_children(&self, roots: &[Uuid], archived: bool) -> Result<Vec<ChatRow>> {
        let sql = format!(
            "SELECT {COLUMNS}, {UNREAD} FROM chats c {JOINS} \
             WHERE c.root_chat_id = ANY ($1) AND c.archived = $2 ORDER BY c.created_at, c.id"
        );
        let rows = self.query(&sql, &[&roots, &archived]).await?;
        rows.iter().map(read_with_unread).collect()
    }

    /// Per workspace, the latest chat that is not archived and that `who` may read.
    pub async fn chats_by_workspace(
        &self,
        who: &Subject,
        workspaces: &[Uuid],
    ) -> Result<Vec<(Uuid, Uuid)>> {
        let (allowed, params) = filter(who, Action::Read, ResourceType::Chat).render(&RIGHTS, 2);
        let sql = format!(
            "SELECT DISTINCT ON (c.workspace_id) c.workspace_id, c.id FROM chats c {JOINS} \
             WHERE c.workspace_id = ANY ($1) AND NOT c.archived AND {allowed} \
             ORDER BY c.workspace_id, c.updated_at DESC, c.id DESC"
        );
        let mut all: Vec<crate::conn::SqlParam<'_>> = vec![&workspaces];
        all.extend(filter_params(&params));
        let rows = self.query(&sql, &all).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    /// Whether the subject may use chats in an organization at all: begin one of its own.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub fn chat_may_create(&self, who: &Subject, organization: Uuid, owner: Uuid) -> Result<()> {
        let any = Object::new(ResourceType::Chat)
            .org(organization)
            .owner(owner);
        Ok(authorize(who, Action::Create, &any)?)
    }

    /// How many chats that are not put away are in which state.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn chat_states(&self, who: &Subject) -> Result<Vec<(String, i64)>> {
        authorize(who, Action::Read, &Object::new(ResourceType::Chat))?;
        let sql = "SELECT status, count(*) FROM chats WHERE NOT archived GROUP BY 1 ORDER BY 1";
        let rows = self.query(sql, &[]).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    /// Cost of the family of a chat that `who` was allowed to read.
    pub async fn chat_cost(&self, root: Uuid) -> Result<ChatCostRow> {
        let sql = "SELECT coalesce(sum(m.total_cost_micros), 0)::bigint, \
                count(*) FILTER (WHERE m.model_config_id IS NOT NULL), \
                count(*) FILTER (WHERE m.model_config_id IS NOT NULL AND m.total_cost_micros IS NULL) \
             FROM chat_messages m JOIN chats c ON c.id = m.chat_id \
             WHERE (c.id = $1 OR c.root_chat_id = $1) AND m.role = 'assistant' \
               AND m.runtime_ms IS NOT NULL";
        let row = self.query_one(sql, &[&root]).await?;
        Ok(ChatCostRow {
            total_micros: row.try_get(0)?,
            requests: row.try_get(1)?,
            unpriced: row.try_get(2)?,
        })
    }
}

/// A row of [`COLUMNS`] and [`UNREAD`].
pub(super) fn read_with_unread(row: &tokio_postgres::Row) -> Result<ChatRow> {
    let mut cols = Cols::new(row);
    let mut chat = read(&mut cols)?;
    chat.has_unread = cols.next()?;
    Ok(chat)
}
