//! Debug logs of chats: what went to models and what came back, redacted by who writes it.
//!
//! A run is a turn, a title, a label or a summary; its steps are the calls of models made for it.

use authz::{Action, Object, ResourceType, Subject, authorize};
use serde_json::Value;
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::{Result, StoreError, Time, Tx};

/// Most runs of a list.
const MAX_RUNS: i64 = 100;

record! {
    /// A run.
    pub struct ChatDebugRunRow {
        /// The id.
        pub id: Uuid,
        /// The chat.
        pub chat_id: Uuid,
        /// The topmost chat of it.
        pub root_chat_id: Option<Uuid>,
        /// The chat above it.
        pub parent_chat_id: Option<Uuid>,
        /// The model.
        pub model_config_id: Option<Uuid>,
        /// The message of the user that is answered.
        pub trigger_message_id: Option<i64>,
        /// The newest message when it began.
        pub history_tip_message_id: Option<i64>,
        /// `chat_turn`, `title_generation`, `quickgen` or `compaction`.
        pub kind: String,
        /// `in_progress`, `completed`, `error` or `interrupted`.
        pub status: String,
        /// Type of the provider.
        pub provider: Option<String>,
        /// The model's name for the provider.
        pub model: Option<String>,
        /// Figures over its steps.
        pub summary: Value,
        /// When it began.
        pub started_at: Time,
        /// When something of it was written last.
        pub updated_at: Time,
        /// When it ended.
        pub finished_at: Option<Time>,
    }
}

record! {
    /// A step.
    pub struct ChatDebugStepRow {
        /// The id.
        pub id: Uuid,
        /// Its run.
        pub run_id: Uuid,
        /// The chat.
        pub chat_id: Uuid,
        /// Counted from 1.
        pub step_number: i32,
        /// `stream` or `generate`.
        pub operation: String,
        /// `in_progress`, `completed`, `error` or `interrupted`.
        pub status: String,
        /// The newest message when it began.
        pub history_tip_message_id: Option<i64>,
        /// The message that it became.
        pub assistant_message_id: Option<i64>,
        /// What was asked.
        pub normalized_request: Value,
        /// What was answered.
        pub normalized_response: Option<Value>,
        /// Tokens.
        pub usage: Option<Value>,
        /// Exchanges with the provider.
        pub attempts: Value,
        /// Why it failed.
        pub error: Option<Value>,
        /// More.
        pub metadata: Value,
        /// When it began.
        pub started_at: Time,
        /// When it was written last.
        pub updated_at: Time,
        /// When it ended.
        pub finished_at: Option<Time>,
    }
}

/// A step that begins, and what it is for.
#[derive(Debug)]
pub struct NewDebugStep<'a> {
    /// The chat.
    pub chat: Uuid,
    /// What for, see [`ChatDebugRunRow::kind`].
    pub kind: &'a str,
    /// The model.
    pub model_config: Uuid,
    /// Type of the provider.
    pub provider: &'a str,
    /// The model's name for the provider.
    pub model: &'a str,
    /// `stream` or `generate`.
    pub operation: &'a str,
    /// What is asked.
    pub request: &'a Value,
    /// What names the run to people, if it is a new one.
    pub label: &'a Value,
}

/// How a step ended.
#[derive(Debug)]
pub struct EndedDebugStep<'a> {
    /// `completed`, `error` or `interrupted`.
    pub status: &'a str,
    /// The run ends with it, in this way.
    pub run_status: Option<&'a str>,
    /// What was answered.
    pub response: Option<&'a Value>,
    /// Tokens.
    pub usage: Option<&'a Value>,
    /// Exchanges with the provider.
    pub attempts: &'a Value,
    /// Why it failed.
    pub error: Option<&'a Value>,
    /// Figures to add to the run's.
    pub summary: &'a Value,
}

fn system() -> Object {
    Object::new(ResourceType::System)
}

impl Conn {
    /// The latest runs of a chat, newest first, for those who may change it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn chat_debug_runs(&self, who: &Subject, chat: Uuid) -> Result<Vec<ChatDebugRunRow>> {
        self.debuggable(who, chat).await?;
        let sql = "SELECT * FROM chat_debug_runs WHERE chat_id = $1 \
                   ORDER BY started_at DESC, id DESC LIMIT $2";
        self.fetch(sql, &[&chat, &MAX_RUNS]).await
    }

    /// A run of a chat with its steps, for those who may change the chat.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn chat_debug_run(
        &self,
        who: &Subject,
        chat: Uuid,
        run: Uuid,
    ) -> Result<(ChatDebugRunRow, Vec<ChatDebugStepRow>)> {
        self.debuggable(who, chat).await?;
        let sql = "SELECT * FROM chat_debug_runs WHERE id = $1 AND chat_id = $2";
        let row = self.fetch_one(sql, &[&run, &chat]).await?;
        let sql = "SELECT s.*, (SELECT min(m.id) FROM chat_messages m \
                     WHERE m.chat_id = s.chat_id AND m.role = 'assistant' \
                     AND m.id > s.history_tip_message_id AND s.status = 'completed' \
                     AND r.kind = 'chat_turn') AS assistant_message_id \
                   FROM chat_debug_steps s JOIN chat_debug_runs r ON r.id = s.run_id \
                   WHERE s.run_id = $1 ORDER BY s.step_number";
        Ok((row, self.fetch(sql, &[&run]).await?))
    }

    /// What a model is told holds more than a shared chat shows: that is for those who may change
    /// the chat.
    async fn debuggable(&self, who: &Subject, chat: Uuid) -> Result<()> {
        let row = self.chat_read(who, chat).await?;
        authorize(who, Action::Update, &row.object()).map_err(|_| StoreError::NotFound)
    }

    /// Ends runs and steps that were not written since `before`: whoever wrote them is gone. How many
    /// runs.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn chat_debug_end_stale(&self, who: &Subject, before: Time) -> Result<u64> {
        who.may(Action::Delete, &system())?;
        let sql = "WITH steps AS (UPDATE chat_debug_steps s SET status = 'interrupted', \
                     finished_at = now(), updated_at = now() FROM chat_debug_runs r \
                     WHERE r.id = s.run_id AND s.status = 'in_progress' AND r.updated_at < $1) \
                   UPDATE chat_debug_runs SET status = 'interrupted', finished_at = now(), \
                     updated_at = now() WHERE status = 'in_progress' AND updated_at < $1";
        self.execute(sql, &[&before]).await
    }

    /// Deletes runs that were not written since `before`; so many at most. How many went.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn chat_debug_purge(&self, who: &Subject, before: Time, most: i64) -> Result<u64> {
        who.may(Action::Delete, &system())?;
        let sql = "DELETE FROM chat_debug_runs WHERE id IN (SELECT id FROM chat_debug_runs \
                   WHERE updated_at < $1 ORDER BY updated_at LIMIT $2)";
        self.execute(sql, &[&before, &most]).await
    }
}

impl Tx {
    /// Begins a step: of the run of the turn under way, else of a new one. The run and the step.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; [`StoreError::NotFound`] when the chat is gone.
    pub async fn chat_debug_step_begin(
        &self,
        who: &Subject,
        new: &NewDebugStep<'_>,
    ) -> Result<(Uuid, Uuid)> {
        authorize(who, Action::Update, &Object::new(ResourceType::Chat))?;
        let run = self.chat_debug_run_of(new).await?;
        let step = Uuid::new_v4();
        let sql = "INSERT INTO chat_debug_steps (id, run_id, chat_id, step_number, operation, \
                     status, history_tip_message_id, normalized_request) \
                   SELECT $1, $2, $3, \
                     1 + (SELECT coalesce(max(step_number), 0) FROM chat_debug_steps \
                          WHERE run_id = $2), \
                     $4, 'in_progress', \
                     (SELECT max(id) FROM chat_messages WHERE chat_id = $3), $5";
        self.execute(sql, &[&step, &run, &new.chat, &new.operation, new.request])
            .await?;
        Ok((run, step))
    }

    async fn chat_debug_run_of(&self, new: &NewDebugStep<'_>) -> Result<Uuid> {
        let said = "(SELECT max(m.id) FROM chat_messages m WHERE m.chat_id = $1 \
                    AND m.role = 'user' AND NOT m.deleted AND NOT m.compressed)";
        if new.kind == "chat_turn" {
            let sql = format!(
                "UPDATE chat_debug_runs r SET updated_at = now() WHERE r.chat_id = $1 \
                 AND r.kind = 'chat_turn' AND r.status = 'in_progress' \
                 AND r.trigger_message_id IS NOT DISTINCT FROM {said} RETURNING r.id"
            );
            if let Some(row) = self.query_opt(&sql, &[&new.chat]).await? {
                return Ok(row.try_get(0)?);
            }
            // The turn before ended in a way that its last call did not foresee: by a tool, by the
            // user.
            let sql = "UPDATE chat_debug_runs r SET updated_at = now(), finished_at = now(), \
                       status = coalesce((SELECT nullif(s.status, 'in_progress') \
                         FROM chat_debug_steps s WHERE s.run_id = r.id \
                         ORDER BY s.step_number DESC LIMIT 1), 'interrupted') \
                       WHERE r.chat_id = $1 AND r.kind = 'chat_turn' AND r.status = 'in_progress'";
            self.execute(sql, &[&new.chat]).await?;
        }
        let id = Uuid::new_v4();
        let sql = format!(
            "INSERT INTO chat_debug_runs (id, chat_id, root_chat_id, parent_chat_id, \
               model_config_id, trigger_message_id, history_tip_message_id, kind, status, \
               provider, model, summary) \
             SELECT $2, c.id, c.root_chat_id, c.parent_chat_id, $3, {said}, \
               (SELECT max(m.id) FROM chat_messages m WHERE m.chat_id = $1), $4, 'in_progress', \
               $5, $6, $7 FROM chats c WHERE c.id = $1"
        );
        let made = self
            .execute(
                &sql,
                &[
                    &new.chat,
                    &id,
                    &new.model_config,
                    &new.kind,
                    &new.provider,
                    &new.model,
                    new.label,
                ],
            )
            .await?;
        if made == 0 {
            return Err(StoreError::NotFound);
        }
        Ok(id)
    }

    /// Ends a step, and its run with it if that is over.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn chat_debug_step_end(
        &self,
        who: &Subject,
        (run, step): (Uuid, Uuid),
        end: &EndedDebugStep<'_>,
    ) -> Result<()> {
        authorize(who, Action::Update, &Object::new(ResourceType::Chat))?;
        let sql = "UPDATE chat_debug_steps SET status = $2, normalized_response = $3, usage = $4, \
                   attempts = $5, error = $6, updated_at = now(), finished_at = now() \
                   WHERE id = $1";
        self.execute(
            sql,
            &[
                &step,
                &end.status,
                &end.response,
                &end.usage,
                end.attempts,
                &end.error,
            ],
        )
        .await?;
        // Counters of the steps add up; what is no number is the last one's.
        let sql = "UPDATE chat_debug_runs r SET status = coalesce($2, r.status), \
                     updated_at = now(), \
                     finished_at = CASE WHEN $2 IS NULL THEN r.finished_at ELSE now() END, \
                     summary = r.summary || (SELECT coalesce(jsonb_object_agg(n.key, \
                       CASE WHEN jsonb_typeof(n.value) = 'number' \
                         THEN to_jsonb(n.value::numeric + coalesce((r.summary ->> n.key)::numeric, 0)) \
                         ELSE n.value END), '{}') FROM jsonb_each($3) n) \
                   WHERE r.id = $1";
        self.execute(sql, &[&run, &end.run_status, end.summary])
            .await?;
        Ok(())
    }
}
