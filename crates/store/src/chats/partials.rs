//! What a model has said so far in an answer that is still under way, written down now and then,
//! so that a replica that takes the chat over can keep it. The caller may write the chat.

use api_types::ChatMessagePart;
use uuid::Uuid;

use super::json;
use crate::conn::Conn;
use crate::{Result, Tx};

impl Conn {
    /// Adds a piece to what is kept of an attempt's answer, or writes that piece anew; `seq`
    /// counts the pieces. What was kept of earlier attempts of the chat is dropped.
    pub async fn chat_partial_add(
        &self,
        chat: Uuid,
        (history, attempt): (i64, i64),
        seq: i32,
        parts: &[ChatMessagePart],
    ) -> Result<()> {
        let content = json::encode(parts)?;
        // A chat that is gone meanwhile keeps nothing.
        let sql = "WITH old AS (DELETE FROM chat_partials WHERE chat_id = $1 \
                AND (history_version, generation_attempt) < ($2, $3)) \
             INSERT INTO chat_partials (chat_id, history_version, generation_attempt, seq, content) \
             SELECT $1, $2, $3, $4, ($5::text)::jsonb WHERE EXISTS (SELECT FROM chats WHERE id = $1) \
             ON CONFLICT (chat_id, history_version, generation_attempt, seq) \
             DO UPDATE SET content = excluded.content";
        self.execute(sql, &[&chat, &history, &attempt, &seq, &content])
            .await?;
        Ok(())
    }

    /// Forgets what was kept up to this attempt: its answer is a message now, or given up.
    pub async fn chat_partial_clear(
        &self,
        chat: Uuid,
        (history, attempt): (i64, i64),
    ) -> Result<()> {
        let sql = "DELETE FROM chat_partials WHERE chat_id = $1 \
                   AND (history_version, generation_attempt) <= ($2, $3)";
        self.execute(sql, &[&chat, &history, &attempt]).await?;
        Ok(())
    }
}

impl Tx {
    /// Takes what is kept of an attempt's answer, piece after piece, and forgets all.
    pub async fn chat_partial_take(
        &self,
        chat: Uuid,
        (history, attempt): (i64, i64),
    ) -> Result<Vec<ChatMessagePart>> {
        let sql = "SELECT content::text FROM chat_partials WHERE chat_id = $1 \
                   AND history_version = $2 AND generation_attempt = $3 ORDER BY seq";
        let rows = self.query(sql, &[&chat, &history, &attempt]).await?;
        let mut parts = Vec::new();
        for row in &rows {
            parts.extend(json::decode(row.try_get(0)?)?);
        }
        let sql = "DELETE FROM chat_partials WHERE chat_id = $1";
        self.execute(sql, &[&chat]).await?;
        Ok(parts)
    }
}
