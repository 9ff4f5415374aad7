//! What agents print.

use api_types::LogLevel;
use chrono::{DateTime, Utc};
use rpc::proto::agent::{BatchCreateLogsRequest, log};
use store::workspace_agents::NewAgentLog;
use uuid::Uuid;

use super::convert::{cut, text, time};
use super::{AgentSession, agent_subject, invalid};
use crate::{Control, Result};

/// Source of lines that name none.
pub const EXTERNAL_LOG_SOURCE: Uuid = Uuid::from_u128(0x3b57_9bf4_1ed8_4b99_87a8_e9a1_e341_0410);
const EXTERNAL_NAME: &str = "External";
const EXTERNAL_ICON: &str = "/emojis/1f310.png";
/// Longest name or icon of a source.
const MAX_SOURCE_TEXT: usize = 1024;

/// What became of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogsOutcome {
    /// They are kept.
    Kept,
    /// The agent has said too much; no more are kept.
    LimitExceeded,
}

impl Control {
    /// Keeps lines of an agent.
    pub async fn agent_logs_append(
        &self,
        agent: &AgentSession,
        request: BatchCreateLogsRequest,
    ) -> Result<LogsOutcome> {
        if request.logs.is_empty() {
            return Ok(LogsOutcome::Kept);
        }
        let source = Uuid::from_slice(&request.log_source_id)
            .map_err(|_| invalid("the log source's id must be a UUID of 16 bytes"))?;
        let lines = request.logs.into_iter().map(|line| {
            let level = match line.level() {
                log::Level::Trace => LogLevel::Trace,
                log::Level::Debug => LogLevel::Debug,
                log::Level::Info | log::Level::Unspecified => LogLevel::Info,
                log::Level::Warn => LogLevel::Warn,
                log::Level::Error => LogLevel::Error,
            };
            NewAgentLog {
                created_at: time(line.created_at.as_ref()).unwrap_or_else(Utc::now),
                level,
                output: text(&line.output),
            }
        });
        self.agent_logs_keep(agent, source, lines.collect()).await
    }

    /// Keeps lines of a source; the nil one is [`EXTERNAL_LOG_SOURCE`].
    pub async fn agent_logs_keep(
        &self,
        agent: &AgentSession,
        source: Uuid,
        lines: Vec<NewAgentLog>,
    ) -> Result<LogsOutcome> {
        let conn = self.store().conn().await?;
        let who = agent_subject();
        let source = if source.is_nil() {
            conn.agent_log_source_ensure(
                &who,
                agent.agent_id,
                EXTERNAL_LOG_SOURCE,
                EXTERNAL_NAME,
                EXTERNAL_ICON,
                Utc::now(),
            )
            .await?;
            EXTERNAL_LOG_SOURCE
        } else {
            source
        };
        let kept = conn
            .agent_logs_append(&who, agent.agent_id, source, &lines)
            .await?;
        Ok(if kept {
            LogsOutcome::Kept
        } else {
            LogsOutcome::LimitExceeded
        })
    }

    /// Names a source of lines.
    pub async fn agent_log_source_insert(
        &self,
        agent: &AgentSession,
        id: Uuid,
        display_name: &str,
        icon: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let conn = self.store().conn().await?;
        Ok(conn
            .agent_log_source_ensure(
                &agent_subject(),
                agent.agent_id,
                id,
                &text(cut(display_name, MAX_SOURCE_TEXT)),
                &text(cut(icon, MAX_SOURCE_TEXT)),
                now,
            )
            .await?)
    }
}
