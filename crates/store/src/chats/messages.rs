//! Messages of chats. Who may read a chat may read them; the caller has read the chat.

use api_types::{ChatMessagePart, ChatMessageRole, ChatMessageUsage};
use uuid::Uuid;

use super::json;
use crate::cols::Cols;
use crate::conn::Conn;
use crate::{Result, StoreError, Time, Tx};

/// Who sees a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// People only.
    User,
    /// The model only.
    Model,
    /// Both.
    Both,
}

impl Visibility {
    /// As stored.
    pub const fn name(self) -> &'static str {
        match self {
            Visibility::User => "user",
            Visibility::Model => "model",
            Visibility::Both => "both",
        }
    }

    /// Whether people see it.
    pub fn for_user(self) -> bool {
        self != Visibility::Model
    }

    /// Whether the model sees it.
    pub fn for_model(self) -> bool {
        self != Visibility::User
    }
}

/// A message.
#[derive(Debug, Clone)]
pub struct ChatMessageRow {
    /// The id; grows within a chat.
    pub id: i64,
    /// The chat.
    pub chat_id: Uuid,
    /// The model that said it, or is to answer it.
    pub model_config_id: Option<Uuid>,
    /// When it was written.
    pub created_at: Time,
    /// Who speaks.
    pub role: ChatMessageRole,
    /// What is said.
    pub content: Vec<ChatMessagePart>,
    /// Who sees it.
    pub visibility: Visibility,
    /// Tokens that it took.
    pub usage: ChatMessageUsage,
    /// Part of a summary.
    pub compressed: bool,
    /// The user who said it.
    pub created_by: Option<Uuid>,
    /// What the call cost, if a price is known.
    pub total_cost_micros: Option<i64>,
    /// How long the call took; only on answers of a model.
    pub runtime_ms: Option<i64>,
    /// Edited away.
    pub deleted: bool,
    /// The row of the queue that it was.
    pub queued_message_id: Option<i64>,
    /// The chat's snapshot at which it was written last.
    pub revision: i64,
}

/// A message to write.
#[derive(Debug, Clone)]
pub struct NewChatMessage {
    /// Who speaks.
    pub role: ChatMessageRole,
    /// What is said.
    pub content: Vec<ChatMessagePart>,
    /// Who sees it.
    pub visibility: Visibility,
    /// The model that said it, or is to answer it.
    pub model_config_id: Option<Uuid>,
    /// Tokens that it took.
    pub usage: ChatMessageUsage,
    /// Part of a summary.
    pub compressed: bool,
    /// The user who says it.
    pub created_by: Option<Uuid>,
    /// What the call cost.
    pub total_cost_micros: Option<i64>,
    /// How long the call took.
    pub runtime_ms: Option<i64>,
    /// The row of the queue that it was.
    pub queued_message_id: Option<i64>,
}

impl NewChatMessage {
    /// A message that both people and the model see, without a model's facts.
    pub fn new(role: ChatMessageRole, content: Vec<ChatMessagePart>) -> Self {
        NewChatMessage {
            role,
            content,
            visibility: Visibility::Both,
            model_config_id: None,
            usage: ChatMessageUsage::default(),
            compressed: false,
            created_by: None,
            total_cost_micros: None,
            runtime_ms: None,
            queued_message_id: None,
        }
    }

    /// The row that it becomes.
    pub fn row(&self, chat: Uuid, id: i64, created_at: Time, revision: i64) -> ChatMessageRow {
        ChatMessageRow {
            id,
            chat_id: chat,
            model_config_id: self.model_config_id,
            created_at,
            role: self.role.clone(),
            content: self.content.clone(),
            visibility: self.visibility,
            usage: self.usage,
            compressed: self.compressed,
            created_by: self.created_by,
            total_cost_micros: self.total_cost_micros,
            runtime_ms: self.runtime_ms,
            deleted: false,
            queued_message_id: self.queued_message_id,
            revision,
        }
    }
}

/// Which messages of a chat to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct MessageRange {
    /// Only older ones.
    pub before: Option<i64>,
    /// Only newer ones.
    pub after: Option<i64>,
    /// Oldest first.
    pub ascending: bool,
    /// So many at most.
    pub limit: i64,
}

const COLUMNS: &str = "m.id, m.chat_id, m.model_config_id, m.created_at, m.role, m.content::text, \
    m.visibility, m.input_tokens, m.output_tokens, m.total_tokens, m.reasoning_tokens, \
    m.cache_creation_tokens, m.cache_read_tokens, m.context_limit, m.compressed, m.created_by, \
    m.total_cost_micros, m.runtime_ms, m.deleted, m.queued_message_id, m.revision";

/// What people see: not the model's own, and not deleted.
const SHOWN: &str = "m.visibility <> 'model' AND NOT m.deleted AND m.role <> 'system'";

fn read(row: &tokio_postgres::Row) -> Result<ChatMessageRow> {
    let mut cols = Cols::new(row);
    Ok(ChatMessageRow {
        id: cols.next()?,
        chat_id: cols.next()?,
        model_config_id: cols.next()?,
        created_at: cols.next()?,
        role: cols.text()?,
        content: json::decode(cols.next()?)?,
        visibility: match cols.next::<&str>()? {
            "user" => Visibility::User,
            "model" => Visibility::Model,
            _ => Visibility::Both,
        },
        usage: ChatMessageUsage {
            input_tokens: cols.next()?,
            output_tokens: cols.next()?,
            total_tokens: cols.next()?,
            reasoning_tokens: cols.next()?,
            cache_creation_tokens: cols.next()?,
            cache_read_tokens: cols.next()?,
            context_limit: cols.next()?,
        },
        compressed: cols.next()?,
        created_by: cols.next()?,
        total_cost_micros: cols.next()?,
        runtime_ms: cols.next()?,
        deleted: cols.next()?,
        queued_message_id: cols.next()?,
        revision: cols.next()?,
    })
}

impl Conn {
    /// What people see of a chat's messages.
    pub async fn chat_messages(
        &self,
        chat: Uuid,
        range: MessageRange,
    ) -> Result<Vec<ChatMessageRow>> {
        let order = if range.ascending { "ASC" } else { "DESC" };
        let sql = format!(
            "SELECT {COLUMNS} FROM chat_messages m WHERE m.chat_id = $1 AND {SHOWN} \
             AND m.id < $2 AND m.id > $3 ORDER BY m.id {order} LIMIT $4"
        );
        let before = range.before.unwrap_or(i64::MAX);
        let after = range.after.unwrap_or(-1);
        let rows = self
            .query(&sql, &[&chat, &before, &after, &range.limit])
            .await?;
        rows.iter().map(read).collect()
    }

    /// Messages written after a snapshot, deleted and hidden ones too, oldest first.
    pub async fn chat_messages_since(
        &self,
        chat: Uuid,
        revision: i64,
    ) -> Result<Vec<ChatMessageRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM chat_messages m \
             WHERE m.chat_id = $1 AND m.revision > $2 ORDER BY m.id"
        );
        let rows = self.query(&sql, &[&chat, &revision]).await?;
        rows.iter().map(read).collect()
    }

    /// All that the next prompt may be made of: what is not deleted, oldest first, leaving out
    /// what the newest summary stands for.
    pub async fn chat_messages_for_model(&self, chat: Uuid) -> Result<Vec<ChatMessageRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM chat_messages m WHERE m.chat_id = $1 AND NOT m.deleted \
             AND (m.role = 'system' OR m.id >= coalesce((SELECT max(s.id) FROM chat_messages s \
                 WHERE s.chat_id = $1 AND s.compressed AND s.visibility = 'model' \
                   AND NOT s.deleted), 0)) \
             ORDER BY m.id"
        );
        let rows = self.query(&sql, &[&chat]).await?;
        rows.iter().map(read).collect()
    }

    /// The last answer of the model and what follows it.
    pub async fn chat_messages_tail(&self, chat: Uuid) -> Result<Vec<ChatMessageRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM chat_messages m WHERE m.chat_id = $1 AND NOT m.deleted \
             AND m.id >= (SELECT a.id FROM chat_messages a WHERE a.chat_id = $1 \
                 AND a.role = 'assistant' AND NOT a.deleted AND a.visibility <> 'user' \
                 ORDER BY a.id DESC LIMIT 1) \
             ORDER BY m.id"
        );
        let rows = self.query(&sql, &[&chat]).await?;
        rows.iter().map(read).collect()
    }

    /// A message that people see.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn chat_message_read(&self, chat: Uuid, id: i64) -> Result<ChatMessageRow> {
        let sql = format!(
            "SELECT {COLUMNS} FROM chat_messages m WHERE m.chat_id = $1 AND m.id = $2 AND {SHOWN}"
        );
        read(&self.query_one(&sql, &[&chat, &id]).await?)
    }

    /// What the user said, newest first.
    pub async fn chat_prompts(&self, chat: Uuid, limit: i64) -> Result<Vec<ChatMessageRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM chat_messages m WHERE m.chat_id = $1 AND {SHOWN} \
             AND m.role = 'user' AND NOT m.compressed ORDER BY m.id DESC LIMIT $2"
        );
        let rows = self.query(&sql, &[&chat, &limit]).await?;
        rows.iter().map(read).collect()
    }

    /// Whether a message that people saw was ever taken back.
    pub async fn chat_was_edited(&self, chat: Uuid) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM chat_messages m WHERE m.chat_id = $1 \
                   AND m.deleted AND m.visibility <> 'model')";
        Ok(self.query_one(sql, &[&chat]).await?.try_get(0)?)
    }
}

impl Tx {
    /// Writes messages at the snapshot that the transaction makes; their ids and times come back
    /// in order.
    pub async fn chat_messages_insert(
        &self,
        chat: Uuid,
        revision: i64,
        messages: &[NewChatMessage],
    ) -> Result<Vec<ChatMessageRow>> {
        let content: Vec<String> = messages
            .iter()
            .map(|m| json::encode(&m.content))
            .collect::<Result<_>>()?;
        let roles: Vec<&str> = messages.iter().map(|m| m.role.as_str()).collect();
        let visibility: Vec<&str> = messages.iter().map(|m| m.visibility.name()).collect();
        let models: Vec<Option<Uuid>> = messages.iter().map(|m| m.model_config_id).collect();
        let authors: Vec<Option<Uuid>> = messages.iter().map(|m| m.created_by).collect();
        let compressed: Vec<bool> = messages.iter().map(|m| m.compressed).collect();
        let numbers = |of: fn(&NewChatMessage) -> Option<i64>| -> Vec<Option<i64>> {
            messages.iter().map(of).collect()
        };
        let positive = |of: fn(&ChatMessageUsage) -> Option<i64>| -> Vec<Option<i64>> {
            messages
                .iter()
                .map(|m| of(&m.usage).filter(|n| *n != 0))
                .collect()
        };
        let sql = "INSERT INTO chat_messages (chat_id, revision, role, content, visibility, \
                model_config_id, created_by, compressed, input_tokens, output_tokens, total_tokens, \
                reasoning_tokens, cache_creation_tokens, cache_read_tokens, context_limit, \
                total_cost_micros, runtime_ms, queued_message_id) \
             SELECT $1, $2, t.role, t.content::jsonb, t.visibility, t.model, t.author, t.compressed, \
                t.i, t.o, t.t, t.r, t.cc, t.cr, t.cl, t.cost, t.ms, t.q \
             FROM unnest($3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::bool[], \
                $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], \
                $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[]) \
                WITH ORDINALITY AS t (role, content, visibility, model, author, compressed, i, o, t, \
                r, cc, cr, cl, cost, ms, q, place) ORDER BY t.place \
             RETURNING id, created_at";
        let rows = self
            .query(
                sql,
                &[
                    &chat,
                    &revision,
                    &roles,
                    &content,
                    &visibility,
                    &models,
                    &authors,
                    &compressed,
                    &positive(|u| u.input_tokens),
                    &positive(|u| u.output_tokens),
                    &positive(|u| u.total_tokens),
                    &positive(|u| u.reasoning_tokens),
                    &positive(|u| u.cache_creation_tokens),
                    &positive(|u| u.cache_read_tokens),
                    &positive(|u| u.context_limit),
                    &numbers(|m| m.total_cost_micros),
                    &numbers(|m| m.runtime_ms),
                    &numbers(|m| m.queued_message_id),
                ],
            )
            .await?;
        if rows.len() != messages.len() {
            return Err(StoreError::Internal("messages were not written".to_owned()));
        }
        rows.iter()
            .zip(messages)
            .map(|(row, new)| Ok(new.row(chat, row.try_get(0)?, row.try_get(1)?, revision)))
            .collect()
    }

    /// Takes back a message and all after it; the ids of those that people saw.
    pub async fn chat_messages_delete_from(
        &self,
        chat: Uuid,
        first: i64,
        revision: i64,
    ) -> Result<Vec<i64>> {
        let sql = "WITH gone AS (UPDATE chat_messages SET deleted = true, revision = $3 \
                 WHERE chat_id = $1 AND id >= $2 AND NOT deleted RETURNING id, visibility, role) \
             SELECT id FROM gone WHERE visibility <> 'model' AND role <> 'system' ORDER BY id";
        let rows = self.query(sql, &[&chat, &first, &revision]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
