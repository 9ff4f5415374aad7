//! MCP servers that a chat brings along: nobody else's chats may use them.

use uuid::Uuid;

use super::read::ChatRow;
use crate::cols::Cols;
use crate::conn::Conn;
use crate::{Result, Time, Tx};

/// A server that a chat brings along.
#[derive(Debug, Clone)]
pub struct InlineServerRow {
    /// Its id.
    pub id: Uuid,
    /// Begins the names of its tools; unique in the chat.
    pub slug: String,
    /// Its address.
    pub url: String,
    /// Its headers as sealed JSON; none if it has none.
    pub secrets: Option<String>,
    /// Digest of the key that sealed them.
    pub secrets_key_id: Option<String>,
    /// The only tools that may be used; all if empty.
    pub tool_allow_list: Vec<String>,
    /// Tools that may not be used.
    pub tool_deny_list: Vec<String>,
    /// Helpers of the chat may use it.
    pub allow_in_subagents: bool,
    /// It is told whose chat asks.
    pub forward_coder_headers: bool,
    /// When it was made; it never changes.
    pub created_at: Time,
}

impl Conn {
    /// The servers that the family of a chat, which one has been let read, brings along, in the order in
    /// which they were given.
    pub async fn chat_inline_servers(&self, chat: &ChatRow) -> Result<Vec<InlineServerRow>> {
        let sql = "SELECT id, slug, url, secrets, secrets_key_id, tool_allow_list, tool_deny_list, \
                   allow_in_subagents, forward_coder_headers, created_at \
                   FROM chat_inline_mcp_servers WHERE chat_id = $1 ORDER BY position";
        let rows = self.query(sql, &[&chat.root()]).await?;
        let read = |row| -> Result<InlineServerRow> {
            let mut cols = Cols::new(row);
            Ok(InlineServerRow {
                id: cols.next()?,
                slug: cols.next()?,
                url: cols.next()?,
                secrets: cols.next()?,
                secrets_key_id: cols.next()?,
                tool_allow_list: cols.next()?,
                tool_deny_list: cols.next()?,
                allow_in_subagents: cols.next()?,
                forward_coder_headers: cols.next()?,
                created_at: cols.next()?,
            })
        };
        rows.iter().map(read).collect()
    }
}

impl Tx {
    /// Writes those of a chat that this transaction has made.
    pub(super) async fn chat_inline_servers_insert(
        &self,
        chat: Uuid,
        servers: &[InlineServerRow],
    ) -> Result<()> {
        let sql = "INSERT INTO chat_inline_mcp_servers (id, chat_id, position, slug, url, secrets, \
                   secrets_key_id, tool_allow_list, tool_deny_list, allow_in_subagents, \
                   forward_coder_headers, created_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        for (position, server) in (0_i16..).zip(servers) {
            self.execute(
                sql,
                &[
                    &server.id,
                    &chat,
                    &position,
                    &server.slug,
                    &server.url,
                    &server.secrets,
                    &server.secrets_key_id,
                    &server.tool_allow_list,
                    &server.tool_deny_list,
                    &server.allow_in_subagents,
                    &server.forward_coder_headers,
                    &server.created_at,
                ],
            )
            .await?;
        }
        Ok(())
    }
}
