//! Debug logs of chats, for those who may change the chat.

use api_types::{ChatDebugRun, ChatDebugRunSummary, ChatDebugStep};
use authz::Subject;
use store::chats::{ChatDebugRunRow, ChatDebugStepRow};
use uuid::Uuid;

use crate::{Control, Result};

impl Control {
    /// The latest runs, newest first.
    pub async fn chat_debug_runs(
        &self,
        who: &Subject,
        chat: Uuid,
    ) -> Result<Vec<ChatDebugRunSummary>> {
        let conn = self.store().conn().await?;
        let rows = conn.chat_debug_runs(who, chat).await?;
        Ok(rows.into_iter().map(summary).collect())
    }

    /// A run with its steps.
    pub async fn chat_debug_run(
        &self,
        who: &Subject,
        chat: Uuid,
        run: Uuid,
    ) -> Result<ChatDebugRun> {
        let conn = self.store().conn().await?;
        let (row, steps) = conn.chat_debug_run(who, chat, run).await?;
        Ok(ChatDebugRun {
            root_chat_id: row.root_chat_id,
            parent_chat_id: row.parent_chat_id,
            model_config_id: row.model_config_id,
            trigger_message_id: row.trigger_message_id,
            history_tip_message_id: row.history_tip_message_id,
            steps: steps.into_iter().map(step).collect(),
            head: summary(row),
        })
    }
}

fn summary(row: ChatDebugRunRow) -> ChatDebugRunSummary {
    ChatDebugRunSummary {
        id: row.id,
        chat_id: row.chat_id,
        kind: row.kind,
        status: row.status,
        provider: row.provider,
        model: row.model,
        summary: row.summary,
        started_at: row.started_at,
        updated_at: row.updated_at,
        finished_at: row.finished_at,
    }
}

fn step(row: ChatDebugStepRow) -> ChatDebugStep {
    ChatDebugStep {
        id: row.id,
        run_id: row.run_id,
        chat_id: row.chat_id,
        step_number: row.step_number,
        operation: row.operation,
        status: row.status,
        history_tip_message_id: row.history_tip_message_id,
        assistant_message_id: row.assistant_message_id,
        normalized_request: row.normalized_request,
        normalized_response: row.normalized_response,
        usage: row.usage,
        attempts: row.attempts,
        error: row.error,
        metadata: row.metadata,
        started_at: row.started_at,
        updated_at: row.updated_at,
        finished_at: row.finished_at,
    }
}
