//! What agents tell of their workspaces for AI agents: the latest of each is kept.

use authz::Subject;
use serde_json::Value;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::may_report;
use crate::chats::ChatTouch;
use crate::cols::Cols;
use crate::{Result, Tx};

/// One thing that was told: a file with instructions, a skill, a configuration or a server of tools.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContextResourceRow {
    /// `instruction_file`, `skill`, `mcp_config` or `mcp_server`.
    pub kind: String,
    /// Where it is: a file, a directory, or the name of a server.
    pub source: String,
    /// The place that someone added and that led to it; mostly empty.
    pub source_path: String,
    /// SHA-256 of the content.
    pub content_hash: Vec<u8>,
    /// Bytes of the content.
    pub size_bytes: i64,
    /// `ok`, `oversize`, `unreadable`, `invalid` or `excluded`.
    pub status: String,
    /// Why the content is not there.
    pub error: String,
    /// Name of a skill or server.
    pub name: String,
    /// In a few words.
    pub description: String,
    /// Instructions, or the file of a skill.
    pub content: String,
    /// The tools of a server: an array of objects with `name`, `description`, `input_schema`.
    pub tools: Value,
}

/// Columns of a resource; read by [`read_context`].
pub(crate) const CONTEXT_RESOURCE: &str = "kind, source, source_path, content_hash, size_bytes, status, \
    error, name, description, content, tools";

/// A row of [`CONTEXT_RESOURCE`].
pub(crate) fn read_context(cols: &mut Cols<'_>) -> Result<ContextResourceRow> {
    Ok(ContextResourceRow {
        kind: cols.next()?,
        source: cols.next()?,
        source_path: cols.next()?,
        content_hash: cols.next()?,
        size_bytes: cols.next()?,
        status: cols.next()?,
        error: cols.next()?,
        name: cols.next()?,
        description: cols.next()?,
        content: cols.next()?,
        tools: cols.next::<Json<Value>>()?.0,
    })
}

/// All that an agent tells at one time.
#[derive(Debug, Clone, Default)]
pub struct AgentContext {
    /// Grows with each change, within one process of the agent.
    pub version: i64,
    /// The first thing that this process tells.
    pub initial: bool,
    /// Changes whenever something changes that prompts are made of.
    pub aggregate_hash: Vec<u8>,
    /// What went wrong as a whole.
    pub snapshot_error: String,
    /// What there is, each kind and source once.
    pub resources: Vec<ContextResourceRow>,
}

impl Tx {
    /// Replaces what an agent told. Answers false, and changes nothing, for what is not newer than
    /// what is known.
    pub async fn agent_context_set(
        &self,
        who: &Subject,
        agent: Uuid,
        told: &AgentContext,
    ) -> Result<bool> {
        may_report(who)?;
        let sql = "INSERT INTO workspace_agent_context_snapshots AS s \
                (agent_id, version, aggregate_hash, snapshot_error) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (agent_id) DO UPDATE SET version = $2, aggregate_hash = $3, \
                snapshot_error = $4, received_at = now() WHERE $5 OR s.version < $2";
        let written = self
            .execute(
                sql,
                &[
                    &agent,
                    &told.version,
                    &told.aggregate_hash,
                    &told.snapshot_error,
                    &told.initial,
                ],
            )
            .await?;
        if written == 0 {
            return Ok(false);
        }
        let sql = "DELETE FROM workspace_agent_context_resources WHERE agent_id = $1";
        self.execute(sql, &[&agent]).await?;
        let all = &told.resources;
        let texts = |of: fn(&ContextResourceRow) -> &str| -> Vec<String> {
            all.iter().map(|r| of(r).to_owned()).collect()
        };
        let hashes: Vec<&[u8]> = all.iter().map(|r| r.content_hash.as_slice()).collect();
        let sizes: Vec<i64> = all.iter().map(|r| r.size_bytes).collect();
        let tools: Vec<Json<&Value>> = all.iter().map(|r| Json(&r.tools)).collect();
        let sql = format!(
            "INSERT INTO workspace_agent_context_resources (agent_id, {CONTEXT_RESOURCE}) \
             SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[], \
                $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], \
                $12::jsonb[])"
        );
        self.execute(
            &sql,
            &[
                &agent,
                &texts(|r| &r.kind),
                &texts(|r| &r.source),
                &texts(|r| &r.source_path),
                &hashes,
                &sizes,
                &texts(|r| &r.status),
                &texts(|r| &r.error),
                &texts(|r| &r.name),
                &texts(|r| &r.description),
                &texts(|r| &r.content),
                &tools,
            ],
        )
        .await?;
        Ok(true)
    }

    /// Lets the chats that work with an agent follow what it told: who knows nothing yet is told,
    /// who knows something else is marked. Answers which chats changed.
    pub async fn chats_context_follow(&self, who: &Subject, agent: Uuid) -> Result<Vec<ChatTouch>> {
        may_report(who)?;
        // What such a chat knows is of an agent before this one.
        let sql = "DELETE FROM chat_context_resources r USING chats c WHERE c.id = r.chat_id \
                   AND c.agent_id = $1 AND NOT c.archived AND c.context_aggregate_hash IS NULL";
        self.execute(sql, &[&agent]).await?;
        let sql = format!(
            "WITH told AS (UPDATE chats c SET context_aggregate_hash = s.aggregate_hash, \
                 context_error = s.snapshot_error FROM workspace_agent_context_snapshots s \
                 WHERE s.agent_id = $1 AND c.agent_id = $1 AND NOT c.archived \
                   AND c.context_aggregate_hash IS NULL \
                 RETURNING c.id, c.owner_id, c.snapshot_version), \
             copied AS (INSERT INTO chat_context_resources (chat_id, {CONTEXT_RESOURCE}) \
                 SELECT t.id, {CONTEXT_RESOURCE} FROM told t \
                 CROSS JOIN workspace_agent_context_resources r WHERE r.agent_id = $1), \
             drifted AS (UPDATE chats c SET context_dirty_since = now() \
                 FROM workspace_agent_context_snapshots s \
                 WHERE s.agent_id = $1 AND c.agent_id = $1 AND NOT c.archived \
                   AND c.context_aggregate_hash <> s.aggregate_hash \
                   AND c.context_dirty_since IS NULL \
                 RETURNING c.id, c.owner_id, c.snapshot_version) \
             SELECT * FROM told UNION ALL SELECT * FROM drifted"
        );
        let rows = self.query(&sql, &[&agent]).await?;
        rows.iter().map(ChatTouch::read).collect()
    }
}
