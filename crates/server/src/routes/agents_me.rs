//! What an agent asks for itself, with its token.

use api_types::{Response as Message, WorkspaceAgentLogSource};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, patch, post};
use chrono::{DateTime, Utc};
use control::agents::{LogsOutcome, NewAgentLog};
use rpc::proto::agent::{UpdateAppStatusRequest, update_app_status_request::AppStatusState};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tailnet::api_version;
use crate::auth::AgentActor;
use crate::socket::Socket;
use crate::{ApiError, AppState, Json, QueryParams, agent_rpc};

/// Lines in one request.
const MAX_LINES: usize = 10_000;

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/workspaceagents/me/rpc", get(rpc))
        .route("/workspaceagents/me/gitsshkey", get(git_ssh_key))
        .route("/workspaceagents/me/external-auth", get(external_auth))
        .route("/workspaceagents/me/gitauth", get(external_auth))
        .route(
            "/workspaceagents/me/experimental/chat-context/refresh",
            post(chat_context_refresh),
        )
        .route("/workspaceagents/me/reinit", get(reinit))
        .route("/workspaceagents/me/log-source", post(log_source))
        .route("/workspaceagents/me/logs", patch(logs))
        .route("/workspaceagents/me/app-status", patch(app_status))
}

async fn rpc(
    State(state): State<AppState>,
    AgentActor(agent): AgentActor,
    params: QueryParams,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let version = api_version(&params, "2.0")?;
    // Other programs may use an agent's token; only the agent itself is shown as connected.
    let watched = matches!(params.text("role"), "" | "agent");
    Ok(socket?.bytes(move |socket| agent_rpc::run(socket, state, agent, version, watched)))
}

async fn git_ssh_key(
    State(state): State<AppState>,
    AgentActor(agent): AgentActor,
) -> Result<Json<AgentSshKey>, ApiError> {
    let (public_key, private_key) = state.control.agent_git_ssh_key(&agent).await?;
    Ok(Json(AgentSshKey {
        public_key,
        private_key: private_key.into_inner(),
    }))
}

/// The owner's key for git.
#[derive(Serialize)]
struct AgentSshKey {
    public_key: String,
    private_key: String,
}

/// Tells the drifted chats of the workspace anew what the agent told last.
async fn chat_context_refresh(
    State(state): State<AppState>,
    AgentActor(agent): AgentActor,
) -> Result<Json<RefreshedChats>, ApiError> {
    let refreshed = state.control.agent_chats_context_refresh(&agent).await?;
    Ok(Json(RefreshedChats { refreshed }))
}

/// How many chats it were.
#[derive(Serialize)]
struct RefreshedChats {
    refreshed: i64,
}

async fn external_auth(
    State(state): State<AppState>,
    AgentActor(agent): AgentActor,
    mut params: QueryParams,
) -> Result<Json<Message>, ApiError> {
    let chat: Option<Uuid> = params.parse("chat_id", "a UUID");
    let (id, url) = (params.text("id"), params.text("match"));
    if id.is_empty() && url.is_empty() {
        return Err(ApiError::bad_request(
            "'url' or 'id' must be provided as a query parameter.",
        ));
    }
    if !id.is_empty() && !url.is_empty() {
        return Err(ApiError::bad_request(
            "'url' and 'id' cannot be provided together.",
        ));
    }
    // Git asks, so it works on a branch: that is told whether or not it gets what it asks for.
    let (branch, origin) = (params.text("git_branch"), params.text("git_remote_origin"));
    state
        .control
        .agent_git_told(&agent, chat, branch, origin)
        .await?;
    let wanted = if id.is_empty() { url } else { id };
    Err(ApiError::new(
        StatusCode::NOT_FOUND,
        format!("No matching external auth provider found in Coder for {wanted:?}."),
    )
    .with_detail("No external auth providers are configured on this server."))
}

async fn reinit(AgentActor(_): AgentActor) -> Result<Json<Message>, ApiError> {
    // Only agents of prebuilt workspaces are told to begin anew, and there are none.
    Err(ApiError::new(
        StatusCode::CONFLICT,
        "Workspace is not a prebuilt workspace, so its agent will not be reinitialized.",
    ))
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct NewSource {
    id: Uuid,
    display_name: String,
    icon: String,
}

async fn log_source(
    State(state): State<AppState>,
    AgentActor(agent): AgentActor,
    Json(source): Json<NewSource>,
) -> Result<(StatusCode, Json<WorkspaceAgentLogSource>), ApiError> {
    if source.id.is_nil() {
        return Err(ApiError::bad_request(
            "The id of the log source is missing.",
        ));
    }
    let now = Utc::now();
    state
        .control
        .agent_log_source_insert(&agent, source.id, &source.display_name, &source.icon, now)
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(WorkspaceAgentLogSource {
            workspace_agent_id: agent.agent_id,
            id: source.id,
            created_at: now,
            display_name: source.display_name,
            icon: source.icon,
        }),
    ))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NewLines {
    log_source_id: Uuid,
    logs: Vec<NewLine>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NewLine {
    created_at: Option<DateTime<Utc>>,
    output: String,
    level: api_types::LogLevel,
}

async fn logs(
    State(state): State<AppState>,
    AgentActor(agent): AgentActor,
    Json(body): Json<NewLines>,
) -> Result<Json<Message>, ApiError> {
    if body.logs.is_empty() || body.logs.len() > MAX_LINES {
        return Err(ApiError::bad_request(format!(
            "Between one and {MAX_LINES} log lines must be given."
        )));
    }
    let now = Utc::now();
    let mut lines = Vec::with_capacity(body.logs.len());
    for line in body.logs {
        use api_types::LogLevel::{Debug, Error, Info, Trace, Unset, Warn};
        let level = match line.level {
            Unset => Info,
            known @ (Trace | Debug | Info | Warn | Error) => known,
            other => {
                return Err(ApiError::bad_request(format!(
                    "Log level {other:?} is none of trace, debug, info, warn, error."
                )));
            }
        };
        lines.push(NewAgentLog {
            created_at: line.created_at.unwrap_or(now),
            level,
            output: line.output.replace('\0', "❌"),
        });
    }
    let source = body.log_source_id;
    match state.control.agent_logs_keep(&agent, source, lines).await? {
        LogsOutcome::Kept => Ok(message("Logs saved.")),
        LogsOutcome::LimitExceeded => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Logs limit exceeded",
        )
        .with_detail("The agent's logs are full; no more lines are kept.")),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NewAppStatus {
    app_slug: String,
    state: String,
    message: String,
    uri: String,
}

async fn app_status(
    State(state): State<AppState>,
    AgentActor(agent): AgentActor,
    Json(body): Json<NewAppStatus>,
) -> Result<Json<Message>, ApiError> {
    let status = match body.state.as_str() {
        "working" => AppStatusState::Working,
        "idle" => AppStatusState::Idle,
        "complete" => AppStatusState::Complete,
        "failure" => AppStatusState::Failure,
        other => {
            return Err(
                ApiError::bad_request("Invalid state provided.").with_detail(format!(
                    "{other:?} is none of working, idle, complete, failure."
                )),
            );
        }
    };
    let request = UpdateAppStatusRequest {
        slug: body.app_slug,
        state: status.into(),
        message: body.message,
        uri: body.uri,
    };
    state
        .control
        .agent_app_status_update(&agent, &request)
        .await?;
    Ok(message("Status updated."))
}

fn message(text: &str) -> Json<Message> {
    Json(Message {
        message: text.to_owned(),
        ..Message::default()
    })
}
