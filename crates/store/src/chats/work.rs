//! Who works on chats: heartbeats of replicas, chats that are free, and calls of tools begun.

use api_types::ChatMessagePart;
use authz::{Action, Object, ResourceType, Subject, authorize};
use uuid::Uuid;

use super::json;
use crate::conn::Conn;
use crate::{Result, Time, Tx};

/// A chat that a worker may take.
#[derive(Debug, Clone, Copy)]
pub struct WorkCandidate {
    /// The chat.
    pub id: Uuid,
}

/// A call of a tool that was begun.
#[derive(Debug, Clone)]
pub struct ToolRun {
    /// The call.
    pub tool_call_id: String,
    /// The run of the chat that began it.
    pub runner_id: Uuid,
    /// When.
    pub started_at: Time,
    /// Its result, if it came to an end.
    pub result: Option<ChatMessagePart>,
}

fn any_chat() -> Object {
    Object::new(ResourceType::Chat)
}

impl Conn {
    /// Says that a replica lives, at which URL others reach it (empty: at none), and which
    /// process it is (empty: unknown).
    pub async fn chat_worker_beat(
        &self,
        who: &Subject,
        worker: Uuid,
        url: &str,
        process: &str,
    ) -> Result<()> {
        authorize(who, Action::Update, &any_chat())?;
        let sql = "INSERT INTO chat_workers (id, heartbeat_at, url, process) \
                   VALUES ($1, now(), $2, $3) \
                   ON CONFLICT (id) DO UPDATE SET heartbeat_at = now(), url = $2, process = $3";
        self.execute(sql, &[&worker, &url, &process]).await?;
        Ok(())
    }

    /// The replicas that said which process they are, and which.
    pub async fn chat_worker_processes(&self, who: &Subject) -> Result<Vec<(Uuid, String)>> {
        authorize(who, Action::Update, &any_chat())?;
        let sql = "SELECT id, process FROM chat_workers WHERE process <> ''";
        let rows = self.query(sql, &[]).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    /// Where a replica is reached; none if it is gone, or gave no URL.
    pub async fn chat_worker_url(&self, who: &Subject, worker: Uuid) -> Result<Option<String>> {
        authorize(who, Action::Update, &any_chat())?;
        let sql = "SELECT url FROM chat_workers WHERE id = $1 AND url <> ''";
        let row = self.query_opt(sql, &[&worker]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Takes a replica's word back, so that its chats are free at once; also forgets those that
    /// fell silent `forget_seconds` ago.
    pub async fn chat_worker_leave(
        &self,
        who: &Subject,
        worker: Option<Uuid>,
        forget_seconds: f64,
    ) -> Result<()> {
        authorize(who, Action::Update, &any_chat())?;
        let sql = "DELETE FROM chat_workers WHERE id = $1 \
                   OR heartbeat_at < now() - make_interval(secs => $2)";
        self.execute(sql, &[&worker, &forget_seconds]).await?;
        Ok(())
    }

    /// Chats with something to do whose worker is absent or silent for `stale_seconds`; those
    /// that are to stop already when their worker did not do so within `stop_seconds`.
    pub async fn chat_work_candidates(
        &self,
        who: &Subject,
        stale_seconds: f64,
        stop_seconds: f64,
        limit: i64,
    ) -> Result<Vec<WorkCandidate>> {
        authorize(who, Action::Update, &any_chat())?;
        let sql = "SELECT c.id FROM chats c LEFT JOIN chat_workers w ON w.id = c.worker_id \
                AND w.heartbeat_at > now() - make_interval(secs => $1) \
             WHERE c.status IN ('running', 'interrupting', 'requires_action') AND NOT c.archived \
               AND (c.runner_id IS NULL OR w.id IS NULL OR (c.status = 'interrupting' \
                    AND c.updated_at < now() - make_interval(secs => $2))) \
             ORDER BY c.updated_at, c.id LIMIT $3";
        let rows = self
            .query(sql, &[&stale_seconds, &stop_seconds, &limit])
            .await?;
        rows.iter()
            .map(|row| {
                Ok(WorkCandidate {
                    id: row.try_get(0)?,
                })
            })
            .collect()
    }

    /// The calls of a message that were begun.
    pub async fn chat_tool_runs(&self, chat: Uuid, message: i64) -> Result<Vec<ToolRun>> {
        let sql = "SELECT tool_call_id, runner_id, started_at, result::text FROM chat_tool_runs \
                   WHERE chat_id = $1 AND message_id = $2";
        let rows = self.query(sql, &[&chat, &message]).await?;
        rows.iter()
            .map(|row| {
                let result: Option<&str> = row.try_get(3)?;
                let part = result.map(json::decode).transpose()?;
                Ok(ToolRun {
                    tool_call_id: row.try_get(0)?,
                    runner_id: row.try_get(1)?,
                    started_at: row.try_get(2)?,
                    result: part.and_then(|parts| parts.into_iter().next()),
                })
            })
            .collect()
    }

    /// Keeps the result of a call until its step is committed, if this run began it.
    pub async fn chat_tool_run_finish(
        &self,
        chat: Uuid,
        message: i64,
        runner: Uuid,
        result: &ChatMessagePart,
    ) -> Result<()> {
        let content = json::encode(std::slice::from_ref(result))?;
        let sql = "UPDATE chat_tool_runs SET result = ($5::text)::jsonb WHERE chat_id = $1 \
                   AND message_id = $2 AND tool_call_id = $3 AND runner_id = $4";
        self.execute(
            sql,
            &[&chat, &message, &result.tool_call_id, &runner, &content],
        )
        .await?;
        Ok(())
    }
}

impl Tx {
    /// Whether the worker of a locked chat is alive.
    pub async fn chat_worker_alive(&self, worker: Uuid, stale_seconds: f64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM chat_workers WHERE id = $1 \
                   AND heartbeat_at > now() - make_interval(secs => $2))";
        Ok(self
            .query_one(sql, &[&worker, &stale_seconds])
            .await?
            .try_get(0)?)
    }

    /// Notes that calls of a message are about to run.
    pub async fn chat_tool_runs_begin(
        &self,
        chat: Uuid,
        message: i64,
        runner: Uuid,
        calls: &[&str],
    ) -> Result<()> {
        let sql = "INSERT INTO chat_tool_runs (chat_id, message_id, tool_call_id, runner_id) \
                   SELECT $1, $2, call, $3 FROM unnest($4::text[]) AS call \
                   ON CONFLICT DO NOTHING";
        self.execute(sql, &[&chat, &message, &runner, &calls])
            .await?;
        Ok(())
    }

    /// Forgets the calls of a chat that are settled.
    pub async fn chat_tool_runs_clear(&self, chat: Uuid) -> Result<()> {
        let sql = "DELETE FROM chat_tool_runs WHERE chat_id = $1";
        self.execute(sql, &[&chat]).await?;
        Ok(())
    }
}
