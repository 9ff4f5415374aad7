//! Holding a row while it is read, changed and written whole: two who change different fields of it
//! at once must not each write back what the other has just replaced.

use uuid::Uuid;

use crate::{Result, Tx};

/// What can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// A provider of models.
    AiProvider,
    /// A model of an organization.
    ChatModel,
    /// A group.
    Group,
    /// An MCP server of an organization.
    McpServer,
    /// An organization.
    Organization,
    /// A template.
    Template,
    /// A user; nothing that is theirs can be made meanwhile.
    User,
    /// A workspace.
    Workspace,
}

impl Held {
    const fn statement(self) -> &'static str {
        // Of most, rows that refer to it may still be added.
        match self {
            Held::AiProvider => "SELECT 1 FROM ai_providers WHERE id = $1 FOR NO KEY UPDATE",
            Held::ChatModel => "SELECT 1 FROM chat_model_configs WHERE id = $1 FOR NO KEY UPDATE",
            Held::Group => "SELECT 1 FROM groups WHERE id = $1 FOR NO KEY UPDATE",
            Held::McpServer => "SELECT 1 FROM mcp_server_configs WHERE id = $1 FOR NO KEY UPDATE",
            Held::Organization => "SELECT 1 FROM organizations WHERE id = $1 FOR NO KEY UPDATE",
            Held::Template => "SELECT 1 FROM templates WHERE id = $1 FOR NO KEY UPDATE",
            Held::User => "SELECT 1 FROM users WHERE id = $1 FOR UPDATE",
            Held::Workspace => "SELECT 1 FROM workspaces WHERE id = $1 FOR NO KEY UPDATE",
        }
    }
}

impl Tx {
    /// Waits until nobody else changes this row, and lets nobody change it until the transaction
    /// ends. What is read of it afterwards is what will be replaced. Nothing is told of a row that
    /// is not there: the read that follows does that.
    ///
    /// # Errors
    /// As for any query.
    pub async fn hold(&self, what: Held, id: Uuid) -> Result<()> {
        self.query(what.statement(), &[&id]).await?;
        Ok(())
    }
}
