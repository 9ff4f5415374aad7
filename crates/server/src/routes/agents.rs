//! Agents as users see them: the agent itself, its logs, its metadata.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

use api_types::{WorkspaceAgent, WorkspaceAgentLog};
use authz::{Action, Subject};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chrono::SecondsFormat;
use control::Control;
use control::agents::{AgentLogRange, MAX_LOGS_READ, logs_channel};
use futures::Stream;
use uuid::Uuid;

use crate::extract::Path;
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState, Json, QueryParams};

/// Most bytes of output in one message of a followed log.
const MAX_MESSAGE: usize = 32 * 1024;
/// Between looks at whether an agent still belongs to the current build.
const CHECK_INTERVAL: std::time::Duration = std::time::Duration::from_secs(15);

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/workspaceagents/{agent}", get(read))
        .route("/workspaceagents/{agent}/logs", get(logs))
        .route("/workspaceagents/{agent}/startup-logs", get(logs))
}

async fn read(
    State(state): State<AppState>,
    actor: Actor,
    Path(agent): Path<Uuid>,
) -> Result<Json<WorkspaceAgent>, ApiError> {
    let agent = state
        .control
        .workspace_agent_read(&actor.who, agent)
        .await?;
    Ok(Json(agent))
}

async fn logs(
    State(state): State<AppState>,
    actor: Actor,
    Path(agent): Path<Uuid>,
    mut params: QueryParams,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let number = "the id of a log line";
    let after: Option<i64> = params.parse("after", number);
    let before: Option<i64> = params.parse("before", number);
    let follow = params.has("follow") && params.text("follow") != "false";
    let text = match params.text("format") {
        "" | "json" => false,
        "text" => true,
        other => {
            return Err(
                ApiError::bad_request(format!("Invalid format parameter {other:?}."))
                    .with_detail("Allowed values are \"json\" and \"text\"."),
            );
        }
    };
    params.finish()?;
    if follow && before.is_some() {
        return Err(ApiError::bad_request(
            "Query param \"before\" cannot be used with \"follow\".",
        ));
    }
    if follow && text {
        return Err(
            ApiError::bad_request("Text format is not supported with follow mode.")
                .with_detail("Use format=json or omit the follow parameter."),
        );
    }
    let range = AgentLogRange {
        after: after.unwrap_or(0).max(0),
        before: before.unwrap_or(0).max(0),
    };
    if follow {
        state
            .control
            .workspace_agent_check(&actor.who, Action::Read, agent)
            .await?;
        let stream = Follow::start(state.control, actor.who, agent, range.after).await?;
        return Ok(socket?.send(stream));
    }
    let all = read_all(&state.control, &actor.who, agent, range).await?;
    if !text {
        return Ok(Json(all).into_response());
    }
    let agent = state
        .control
        .workspace_agent_read(&actor.who, agent)
        .await?;
    let mut response = as_text(&agent, &all).into_response();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    Ok(response)
}

/// All lines of a range; one read gives only so many.
async fn read_all(
    control: &Control,
    who: &Subject,
    agent: Uuid,
    mut range: AgentLogRange,
) -> Result<Vec<WorkspaceAgentLog>, ApiError> {
    let mut all = Vec::new();
    loop {
        let part = control.workspace_agent_logs(who, agent, range).await?;
        let Some(last) = part.last() else {
            return Ok(all);
        };
        range.after = last.id;
        all.extend(part);
    }
}

fn as_text(agent: &WorkspaceAgent, lines: &[WorkspaceAgentLog]) -> String {
    let sources: HashMap<Uuid, &str> = agent
        .log_sources
        .iter()
        .map(|source| (source.id, source.display_name.as_str()))
        .collect();
    let mut text = String::new();
    for line in lines {
        let at = line.created_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let source = sources.get(&line.source_id).copied().unwrap_or_default();
        let bar = if source.is_empty() { "" } else { "|" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{at} [{}] [agent.{}{bar}{source}] {}",
            line.level, agent.name, line.output
        );
    }
    text
}

/// Lines of an agent as they come, each message a list, until the agent belongs to an old build.
struct Follow {
    control: Control,
    who: Subject,
    agent: Uuid,
    after: i64,
    changes: store::Listener,
    messages: VecDeque<String>,
    first: bool,
    /// Whether the last read may have left lines out.
    behind: bool,
    over: bool,
}

impl Follow {
    async fn start(
        control: Control,
        who: Subject,
        agent: Uuid,
        after: i64,
    ) -> Result<impl Stream<Item = Result<String, ApiError>> + Send, ApiError> {
        // Heard of from now on: nothing is missed between reading and waiting.
        let changes = control.store().listen(&logs_channel(agent)).await?;
        let follow = Self {
            control,
            who,
            agent,
            after,
            changes,
            messages: VecDeque::new(),
            first: true,
            behind: true,
            over: false,
        };
        Ok(futures::stream::unfold(follow, |mut follow| async move {
            loop {
                if let Some(message) = follow.messages.pop_front() {
                    return Some((Ok(message), follow));
                }
                if follow.over {
                    return None;
                }
                if let Err(error) = follow.more().await {
                    follow.over = true;
                    return Some((Err(error), follow));
                }
            }
        }))
    }

    async fn more(&mut self) -> Result<(), ApiError> {
        let mut last = false;
        if !self.behind {
            // Woken by new lines; else a look from time to time whether more can come.
            let heard = tokio::time::timeout(CHECK_INTERVAL, self.changes.recv()).await;
            last = heard.is_err() && !self.control.agent_is_current(self.agent).await?;
        }
        let range = AgentLogRange {
            after: self.after,
            before: 0,
        };
        let lines = self
            .control
            .workspace_agent_logs(&self.who, self.agent, range)
            .await?;
        if let Some(last) = lines.last() {
            self.after = last.id;
        }
        // The first message always comes, so that a client knows what there is.
        if self.first || !lines.is_empty() {
            self.messages = chunks(&lines)?;
        }
        self.behind = lines.len() >= MAX_LOGS_READ;
        self.over = last && !self.behind;
        self.first = false;
        Ok(())
    }
}

/// Lines as messages of at most [`MAX_MESSAGE`] bytes of output, or of one line.
fn chunks(lines: &[WorkspaceAgentLog]) -> Result<VecDeque<String>, ApiError> {
    let encode = |part: &[WorkspaceAgentLog]| {
        serde_json::to_string(part).map_err(|error| ApiError::from(control::Error::internal(error)))
    };
    let mut messages = VecDeque::new();
    let mut rest = lines;
    loop {
        let mut bytes = 0;
        let count = rest
            .iter()
            .take_while(|line| {
                bytes += line.output.len();
                bytes <= MAX_MESSAGE
            })
            .count()
            .max(1)
            .min(rest.len());
        let (part, after) = rest.split_at(count);
        messages.push_back(encode(part)?);
        rest = after;
        if rest.is_empty() {
            return Ok(messages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: usize) -> WorkspaceAgentLog {
        WorkspaceAgentLog {
            output: "x".repeat(bytes),
            ..WorkspaceAgentLog::default()
        }
    }

    #[test]
    fn followed_lines_come_in_bounded_messages() {
        let sizes = |lines: &[WorkspaceAgentLog]| -> Vec<usize> {
            chunks(lines)
                .unwrap()
                .iter()
                .map(|message| {
                    serde_json::from_str::<Vec<WorkspaceAgentLog>>(message)
                        .unwrap()
                        .len()
                })
                .collect()
        };
        assert_eq!(sizes(&[]), [0]);
        assert_eq!(sizes(&[line(1), line(2)]), [2]);
        assert_eq!(sizes(&[line(20_000), line(20_000), line(5)]), [1, 2]);
        assert_eq!(sizes(&[line(100_000), line(1)]), [1, 1]);
    }
}
