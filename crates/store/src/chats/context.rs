//! What a chat was told of its workspace: a copy of what the agent told, which stays until someone
//! has it taken anew.

use authz::{Action, Subject, authorize};
use uuid::Uuid;

use super::read::ChatRow;
use crate::cols::Cols;
use crate::conn::Conn;
use crate::workspace_agents::{CONTEXT_RESOURCE, ContextResourceRow, may_report, read_context};
use crate::{Result, Tx};

/// The workspace as a chat knows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatContextRows {
    /// The agent's operating system; empty without an agent.
    pub operating_system: String,
    /// The agent's working directory; empty if it has none.
    pub directory: String,
    /// What was told, by kind and source.
    pub resources: Vec<ContextResourceRow>,
    /// What the template says, in the version of the workspace's last build; not a copy.
    pub template: String,
}

impl Conn {
    /// What a chat that `who` was allowed to read was told of its workspace.
    pub async fn chat_context(&self, chat: Uuid) -> Result<ChatContextRows> {
        let sql = "SELECT a.operating_system, coalesce(nullif(a.expanded_directory, ''), a.directory) \
             FROM chats c JOIN workspace_agents a ON a.id = c.agent_id WHERE c.id = $1";
        let resources = format!(
            "SELECT {CONTEXT_RESOURCE} FROM chat_context_resources WHERE chat_id = $1 \
             ORDER BY kind, source"
        );
        let template = "SELECT v.agent_instructions FROM chats c \
             JOIN workspaces w ON w.id = c.workspace_id AND NOT w.deleted \
             JOIN workspace_builds b ON b.workspace_id = w.id \
               AND b.build_number = w.latest_build_number \
             JOIN template_versions v ON v.id = b.template_version_id WHERE c.id = $1";
        let id: [crate::conn::SqlParam<'_>; 1] = [&chat];
        let (agent, rows, template) = futures::try_join!(
            self.query_opt(sql, &id),
            self.query(&resources, &id),
            self.query_opt(template, &id)
        )?;
        let (operating_system, directory) = match agent {
            Some(row) => (row.try_get(0)?, row.try_get(1)?),
            None => Default::default(),
        };
        Ok(ChatContextRows {
            operating_system,
            directory,
            resources: rows
                .iter()
                .map(|row| read_context(&mut Cols::new(row)))
                .collect::<Result<_>>()?,
            template: match template {
                Some(row) => row.try_get(0)?,
                None => String::new(),
            },
        })
    }

    /// The chats of an agent's owner that work with it and know something older than it told.
    pub async fn chats_context_dirty(
        &self,
        who: &Subject,
        agent: Uuid,
        owner: Uuid,
    ) -> Result<Vec<Uuid>> {
        may_report(who)?;
        let sql = "SELECT id FROM chats WHERE agent_id = $1 AND owner_id = $2 AND NOT archived \
                   AND context_dirty_since IS NOT NULL ORDER BY id";
        let rows = self.query(sql, &[&agent, &owner]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

impl Tx {
    /// Tells a chat anew what its agent told last: nothing, if it has no agent or that told nothing
    /// yet. When the chat was used last does not change with it.
    pub async fn chat_context_pin(&self, who: &Subject, chat: &ChatRow) -> Result<()> {
        authorize(who, Action::Update, &chat.object())?;
        self.chat_context_copy(chat.id).await
    }

    /// The same for a chat that an agent may have follow it.
    pub async fn chat_context_pin_by_agent(&self, who: &Subject, chat: Uuid) -> Result<()> {
        may_report(who)?;
        self.chat_context_copy(chat).await
    }

    pub(super) async fn chat_context_copy(&self, chat: Uuid) -> Result<()> {
        let id: [crate::conn::SqlParam<'_>; 1] = [&chat];
        let told = "UPDATE chats c SET context_dirty_since = NULL, \
                context_aggregate_hash = s.aggregate_hash, \
                context_error = coalesce(s.snapshot_error, '') \
             FROM chats o LEFT JOIN workspace_agent_context_snapshots s ON s.agent_id = o.agent_id \
             WHERE c.id = $1 AND o.id = $1";
        let copy = format!(
            "INSERT INTO chat_context_resources (chat_id, {CONTEXT_RESOURCE}) \
             SELECT $1, {CONTEXT_RESOURCE} \
             FROM workspace_agent_context_resources r \
             WHERE r.agent_id = (SELECT c.agent_id FROM chats c WHERE c.id = $1)"
        );
        // What is told meanwhile waits: hash and contents are of one time.
        let hold = "SELECT 1 FROM chats c JOIN workspace_agent_context_snapshots s \
            ON s.agent_id = c.agent_id WHERE c.id = $1 FOR SHARE OF s";
        self.query(hold, &id).await?;
        self.execute(told, &id).await?;
        let gone = "DELETE FROM chat_context_resources WHERE chat_id = $1";
        self.execute(gone, &id).await?;
        self.execute(&copy, &id).await?;
        Ok(())
    }

    /// A chat works with another agent of its workspace: it is told what that told, or, if that
    /// told nothing yet, keeps what it knows until then.
    pub(super) async fn chat_context_follow_agent(&self, chat: Uuid) -> Result<()> {
        let sql = "UPDATE chats c SET context_aggregate_hash = NULL, context_dirty_since = NULL, \
                context_error = '' WHERE c.id = $1 \
             RETURNING EXISTS (SELECT 1 FROM workspace_agent_context_snapshots s \
                WHERE s.agent_id = c.agent_id)";
        let told: bool = self.query_one(sql, &[&chat]).await?.try_get(0)?;
        if told {
            self.chat_context_copy(chat).await?;
        }
        Ok(())
    }

    /// A chat works elsewhere, and knows nothing of it.
    pub(super) async fn chat_context_forget(&self, chat: Uuid) -> Result<()> {
        let sql = "WITH gone AS (DELETE FROM chat_context_resources WHERE chat_id = $1) \
             UPDATE chats SET context_aggregate_hash = NULL, context_dirty_since = NULL, \
                context_error = '' WHERE id = $1";
        self.execute(sql, &[&chat]).await?;
        Ok(())
    }
}
