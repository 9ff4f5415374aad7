//! Making chats, and writing what the state machine decides.

use std::collections::BTreeMap;

use api_types::{ChatError, ChatStatus, ChatStreamRetry, DynamicTool};
use authz::{Action, Object, ResourceType, Subject, authorize};
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::inline_servers::InlineServerRow;
use super::read::{COLUMNS, ChatRow, JOINS, read};
use crate::cols::Cols;
use crate::{Result, StoreError, Time, Tx};

/// A chat to make, running.
#[derive(Debug, Clone)]
pub struct NewChat {
    /// Its id.
    pub id: Uuid,
    /// Whose it will be.
    pub owner_id: Uuid,
    /// Where.
    pub organization_id: Uuid,
    /// The workspace it works in.
    pub workspace_id: Option<Uuid>,
    /// The chat that makes it, and the topmost one of that.
    pub family: Option<(Uuid, Uuid)>,
    /// What it is about.
    pub title: String,
    /// The model that answers.
    pub model_config_id: Uuid,
    /// How much it should think.
    pub reasoning_effort: Option<String>,
    /// `explore` or `computer_use`.
    pub mode: Option<String>,
    /// `plan` or empty.
    pub plan_mode: String,
    /// `ui` or `api`.
    pub client_type: String,
    /// MCP servers whose tools it may use.
    pub mcp_server_ids: Vec<Uuid>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Tools that the client runs.
    pub dynamic_tools: Vec<DynamicTool>,
    /// MCP servers that it brings along.
    pub inline_mcp_servers: Vec<InlineServerRow>,
}

/// What a transition changes of a chat's row.
#[derive(Debug, Clone)]
pub struct ChatState {
    /// Where it stands.
    pub status: ChatStatus,
    /// Put away.
    pub archived: bool,
    /// The versions.
    pub snapshot_version: i64,
    /// See [`ChatRow::history_version`].
    pub history_version: i64,
    /// See [`ChatRow::queue_version`].
    pub queue_version: i64,
    /// See [`ChatRow::generation_attempt`].
    pub generation_attempt: i64,
    /// See [`ChatRow::retry_state_version`].
    pub retry_state_version: i64,
    /// What is waited for.
    pub retry_state: Option<ChatStreamRetry>,
    /// Why the last turn failed.
    pub last_error: Option<ChatError>,
    /// For how long from now the client may answer; kept while the chat waits for it.
    pub requires_action_deadline_at: Option<Time>,
    /// The user wants a summary.
    pub compaction_requested_at: Option<Time>,
    /// The model used last.
    pub last_model_config_id: Uuid,
    /// How much it thinks.
    pub last_reasoning_effort: Option<String>,
    /// Place among the pinned ones.
    pub pin_order: i32,
    /// The replica that works on it.
    pub worker_id: Option<Uuid>,
    /// That replica's run.
    pub runner_id: Option<Uuid>,
}

impl ChatState {
    /// What a row says now.
    pub fn of(row: &ChatRow) -> Self {
        ChatState {
            status: row.status.clone(),
            archived: row.archived,
            snapshot_version: row.snapshot_version,
            history_version: row.history_version,
            queue_version: row.queue_version,
            generation_attempt: row.generation_attempt,
            retry_state_version: row.retry_state_version,
            retry_state: row.retry_state.clone(),
            last_error: row.last_error.clone(),
            requires_action_deadline_at: row.requires_action_deadline_at,
            compaction_requested_at: row.compaction_requested_at,
            last_model_config_id: row.last_model_config_id,
            last_reasoning_effort: row.last_reasoning_effort.clone(),
            pin_order: row.pin_order,
            worker_id: row.worker_id,
            runner_id: row.runner_id,
        }
    }

    /// Puts it into a row.
    pub fn into_row(self, row: &mut ChatRow) {
        row.status = self.status;
        row.archived = self.archived;
        row.snapshot_version = self.snapshot_version;
        row.history_version = self.history_version;
        row.queue_version = self.queue_version;
        row.generation_attempt = self.generation_attempt;
        row.retry_state_version = self.retry_state_version;
        row.retry_state = self.retry_state;
        row.last_error = self.last_error;
        row.requires_action_deadline_at = self.requires_action_deadline_at;
        row.compaction_requested_at = self.compaction_requested_at;
        row.last_model_config_id = self.last_model_config_id;
        row.last_reasoning_effort = self.last_reasoning_effort;
        row.pin_order = self.pin_order;
        row.worker_id = self.worker_id;
        row.runner_id = self.runner_id;
    }
}

impl Tx {
    /// Makes a chat: running, at snapshot and history 1.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn chat_insert(&self, who: &Subject, new: &NewChat) -> Result<()> {
        let object = Object::new(ResourceType::Chat)
            .org(new.organization_id)
            .owner(new.owner_id);
        authorize(who, Action::Create, &object)?;
        let (parent, root) = new.family.unzip();
        let sql = "INSERT INTO chats (id, owner_id, organization_id, workspace_id, parent_chat_id, \
                root_chat_id, title, status, last_model_config_id, last_reasoning_effort, mode, \
                plan_mode, client_type, mcp_server_ids, labels, dynamic_tools, snapshot_version, \
                history_version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, $9, $10, $11, $12, $13, $14, $15, 1, 1)";
        self.execute(
            sql,
            &[
                &new.id,
                &new.owner_id,
                &new.organization_id,
                &new.workspace_id,
                &parent,
                &root,
                &new.title,
                &new.model_config_id,
                &new.reasoning_effort,
                &new.mode,
                &new.plan_mode,
                &new.client_type,
                &new.mcp_server_ids,
                &Json(&new.labels),
                &Json(&new.dynamic_tools),
            ],
        )
        .await?;
        self.chat_inline_servers_insert(new.id, &new.inline_mcp_servers)
            .await
    }

    /// Locks a chat until the transaction ends and reads it as it is then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if `who` may not read it, [`StoreError::Forbidden`] if it may
    /// not take `action` on it.
    pub async fn chat_lock(&self, who: &Subject, action: Action, id: Uuid) -> Result<ChatRow> {
        let sql = format!("SELECT {COLUMNS} FROM chats c {JOINS} WHERE c.id = $1");
        let id_param: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&id];
        // Both are prepared before either is sent: else the read, prepared on this connection
        // long ago, would overtake a lock that has to be prepared first.
        let lock = "SELECT 1 FROM chats WHERE id = $1 FOR UPDATE";
        let lock = self.0.prepare_cached(lock).await?;
        let read_row = self.0.prepare_cached(&sql).await?;
        // The second statement sees what the lock waited for: each has its own view.
        let (locked, row) = futures::try_join!(
            self.0.execute(&lock, &id_param),
            self.0.query_opt(&read_row, &id_param),
        )?;
        let row = row.filter(|_| locked > 0).ok_or(StoreError::NotFound)?;
        let chat = read(&mut Cols::new(&row))?;
        let object = chat.object();
        authorize(who, Action::Read, &object).map_err(|_| StoreError::NotFound)?;
        authorize(who, action, &object)?;
        Ok(chat)
    }

    /// Writes what a transition made of a chat that this transaction has locked.
    pub async fn chat_state_write(&self, id: Uuid, state: &ChatState) -> Result<()> {
        let sql = "UPDATE chats SET updated_at = now(), status = $2, archived = $3, \
                snapshot_version = $4, history_version = $5, queue_version = $6, \
                generation_attempt = $7, retry_state_version = $8, retry_state = $9, \
                last_error = $10, requires_action_deadline_at = $11, compaction_requested_at = $12, \
                last_model_config_id = $13, last_reasoning_effort = $14, pin_order = $15, \
                worker_id = $16, runner_id = $17 WHERE id = $1";
        self.execute(
            sql,
            &[
                &id,
                &state.status.as_str(),
                &state.archived,
                &state.snapshot_version,
                &state.history_version,
                &state.queue_version,
                &state.generation_attempt,
                &state.retry_state_version,
                &state.retry_state.as_ref().map(Json),
                &state.last_error.as_ref().map(Json),
                &state.requires_action_deadline_at,
                &state.compaction_requested_at,
                &state.last_model_config_id,
                &state.last_reasoning_effort,
                &state.pin_order,
                &state.worker_id,
                &state.runner_id,
            ],
        )
        .await?;
        Ok(())
    }

    /// Ids of the descendants of a chat, oldest first.
    pub async fn chat_family(&self, root: Uuid) -> Result<Vec<Uuid>> {
        let sql = "SELECT id FROM chats WHERE root_chat_id = $1 ORDER BY created_at, id";
        let rows = self.query(sql, &[&root]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The time, as the database has it.
    pub async fn now(&self) -> Result<Time> {
        Ok(self.query_one("SELECT now()", &[]).await?.try_get(0)?)
    }
}
