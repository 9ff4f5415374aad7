//! Messages that wait while a chat is busy.

use api_types::ChatMessagePart;
use uuid::Uuid;

use super::json;
use crate::conn::Conn;
use crate::{Result, StoreError, Time, Tx};

/// A message that waits.
#[derive(Debug, Clone)]
pub struct ChatQueueRow {
    /// The id.
    pub id: i64,
    /// What is said.
    pub content: Vec<ChatMessagePart>,
    /// Since when.
    pub created_at: Time,
    /// The model that is to answer.
    pub model_config_id: Option<Uuid>,
    /// How much it should think.
    pub reasoning_effort: Option<String>,
    /// Who says it.
    pub created_by: Option<Uuid>,
    /// Since when its owner is changing it.
    pub editing_since: Option<Time>,
}

/// What is changed of a message that waits; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct QueuedChange {
    /// What is said instead.
    pub content: Option<Vec<ChatMessagePart>>,
    /// Another model.
    pub model_config_id: Option<Uuid>,
    /// Another effort.
    pub reasoning_effort: Option<String>,
    /// Its owner begins to change it, or is done.
    pub editing: Option<bool>,
}

/// A message to put at the end.
#[derive(Debug, Clone)]
pub struct NewQueued<'a> {
    /// What is said.
    pub content: &'a [ChatMessagePart],
    /// The model that is to answer.
    pub model_config_id: Option<Uuid>,
    /// How much it should think.
    pub reasoning_effort: Option<&'a str>,
    /// Who says it.
    pub created_by: Option<Uuid>,
}

const COLUMNS: &str =
    "id, content::text, created_at, model_config_id, reasoning_effort, created_by, editing_since";

fn read(row: &tokio_postgres::Row) -> Result<ChatQueueRow> {
    Ok(ChatQueueRow {
        id: row.try_get(0)?,
        content: json::decode(row.try_get(1)?)?,
        created_at: row.try_get(2)?,
        model_config_id: row.try_get(3)?,
        reasoning_effort: row.try_get(4)?,
        created_by: row.try_get(5)?,
        editing_since: row.try_get(6)?,
    })
}

impl Conn {
    /// What waits, first to last. The caller has read the chat.
    pub async fn chat_queue(&self, chat: Uuid) -> Result<Vec<ChatQueueRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM chat_queued_messages WHERE chat_id = $1 ORDER BY position, id"
        );
        let rows = self.query(&sql, &[&chat]).await?;
        rows.iter().map(read).collect()
    }
}

impl Tx {
    /// Puts a message at the end.
    pub async fn chat_queue_push(&self, chat: Uuid, new: &NewQueued<'_>) -> Result<ChatQueueRow> {
        let sql = format!(
            "INSERT INTO chat_queued_messages \
                 (chat_id, content, model_config_id, reasoning_effort, created_by, position) \
             VALUES ($1, ($2::text)::jsonb, $3, $4, $5, \
                 (SELECT coalesce(max(position), 0) + 1 FROM chat_queued_messages WHERE chat_id = $1)) \
             RETURNING {COLUMNS}"
        );
        let content = json::encode(new.content)?;
        let row = self
            .query_one(
                &sql,
                &[
                    &chat,
                    &content,
                    &new.model_config_id,
                    &new.reasoning_effort,
                    &new.created_by,
                ],
            )
            .await?;
        read(&row)
    }

    /// Takes the first message out.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when none waits.
    pub async fn chat_queue_pop(&self, chat: Uuid) -> Result<ChatQueueRow> {
        let sql = format!(
            "DELETE FROM chat_queued_messages WHERE id = (SELECT id FROM chat_queued_messages \
             WHERE chat_id = $1 ORDER BY position, id LIMIT 1) RETURNING {COLUMNS}"
        );
        read(&self.query_one(&sql, &[&chat]).await?)
    }

    /// Takes a message out.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn chat_queue_remove(&self, chat: Uuid, id: i64) -> Result<()> {
        let sql = "DELETE FROM chat_queued_messages WHERE chat_id = $1 AND id = $2";
        match self.execute(sql, &[&chat, &id]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Changes a message.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn chat_queue_update(
        &self,
        chat: Uuid,
        id: i64,
        change: &QueuedChange,
    ) -> Result<()> {
        let sql = "UPDATE chat_queued_messages SET \
                content = coalesce(($3::text)::jsonb, content), \
                model_config_id = coalesce($4, model_config_id), \
                reasoning_effort = coalesce($5, reasoning_effort), \
                editing_since = CASE WHEN $6::boolean THEN coalesce(editing_since, now()) \
                    WHEN NOT $6 THEN NULL ELSE editing_since END \
             WHERE chat_id = $1 AND id = $2";
        let content = change.content.as_deref().map(json::encode).transpose()?;
        let changed = self
            .execute(
                sql,
                &[
                    &chat,
                    &id,
                    &content,
                    &change.model_config_id,
                    &change.reasoning_effort,
                    &change.editing,
                ],
            )
            .await?;
        match changed {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Puts a message first; whoever changes it is done.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn chat_queue_promote(&self, chat: Uuid, id: i64) -> Result<()> {
        let sql = "UPDATE chat_queued_messages SET editing_since = NULL, position = \
                (SELECT min(position) - 1 FROM chat_queued_messages WHERE chat_id = $1) \
             WHERE chat_id = $1 AND id = $2";
        match self.execute(sql, &[&chat, &id]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Empties the queue; how many waited.
    pub async fn chat_queue_clear(&self, chat: Uuid) -> Result<u64> {
        let sql = "DELETE FROM chat_queued_messages WHERE chat_id = $1";
        self.execute(sql, &[&chat]).await
    }
}
