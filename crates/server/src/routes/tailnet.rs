//! Coordination for clients, and the map of relays.

use std::sync::Arc;

use authz::{Action, Subject};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use chrono::Utc;
use rpc::TailnetServer;
use rpc::drpc;
use rpc::mux::{Config, Role, Session};
use rpc::version::TAILNET;
use serde::Serialize;
use tunnel_proto::derp_map::DerpMap;
use uuid::Uuid;

use crate::extract::Path;
use crate::socket::Socket;
use crate::tailnet::{Access, ClientTailnet, ResumeError};
use crate::ws::{ByteSocket, byte_socket};
use crate::{Actor, ApiError, AppState, Json, MaybeActor, QueryParams};

/// The routes.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/derp-map", get(derp_map))
        .route("/tailnet", get(tailnet))
        .route("/workspaceagents/connection", get(connection))
        .route("/workspaceagents/{agent}/connection", get(agent_connection))
        .route("/workspaceagents/{agent}/coordinate", get(coordinate))
}

/// How agents are reached.
#[derive(Serialize)]
struct ConnectionInfo {
    derp_map: DerpMap,
    derp_force_websockets: bool,
    disable_direct_connections: bool,
    hostname_suffix: String,
}

async fn connection(State(state): State<AppState>, _: Actor) -> Json<ConnectionInfo> {
    let options = state.tailnet.options();
    Json(ConnectionInfo {
        derp_map: state.tailnet.derp_map().clone(),
        derp_force_websockets: options.force_websockets,
        disable_direct_connections: options.block_direct,
        hostname_suffix: state.control.settings().workspace_hostname_suffix.clone(),
    })
}

async fn agent_connection(
    State(state): State<AppState>,
    actor: Actor,
    Path(agent): Path<Uuid>,
) -> Result<Json<ConnectionInfo>, ApiError> {
    let control = &state.control;
    control
        .workspace_agent_check(&actor.who, Action::Read, agent)
        .await?;
    Ok(connection(State(state), actor).await)
}

/// The level that a peer asks for, if it is served.
pub(super) fn api_version(params: &QueryParams, default: &str) -> Result<String, ApiError> {
    let asked = match params.text("version") {
        "" => default,
        text => text,
    };
    match TAILNET.accepts(asked) {
        Ok(version) => Ok(version.to_string()),
        Err(error) => Err(ApiError::bad_request("Unknown or unsupported API version")
            .with_field("version", error.to_string())),
    }
}

/// Refuses clients that make a tunnel of their own, where only browsers shall reach workspaces.
fn native_clients(state: &AppState) -> Result<(), ApiError> {
    if state.tailnet.options().browser_only {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "Non-browser connections are disabled for your deployment.",
        )
        .with_detail(
            "An administrator has set --browser-only: use the apps and the terminal of the dashboard.",
        ));
    }
    Ok(())
}

/// The id of a client: that of its earlier connection, if it proves it.
async fn peer_id(state: &AppState, params: &QueryParams) -> Result<Uuid, ApiError> {
    let token = params.text("resume_token");
    if token.is_empty() {
        return Ok(Uuid::new_v4());
    }
    match state.tailnet.resume().open(token, Utc::now()).await {
        Ok(peer) => Ok(peer.unwrap_or_else(Uuid::new_v4)),
        Err(ResumeError::Invalid(detail)) => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "Invalid resume token",
        )
        .with_detail(detail.clone())
        .with_field("resume_token", detail)),
        Err(ResumeError::Failed(error)) => Err(error.into()),
    }
}

async fn coordinate(
    State(state): State<AppState>,
    actor: Actor,
    Path(agent): Path<Uuid>,
    params: QueryParams,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    // Who may see the workspace but not enter it is told no more than a stranger.
    state
        .control
        .workspace_agent_check(&actor.who, Action::Ssh, agent)
        .await
        .map_err(|error| match error.kind {
            control::Kind::Forbidden => control::Error::not_found(),
            _ => error,
        })?;
    native_clients(&state)?;
    // The first level had no parameter, and is gone: a client has to name one.
    api_version(&params, "1.0")?;
    let peer = peer_id(&state, &params).await?;
    Ok(serve(state, socket?, peer, Access::To(agent), None))
}

async fn tailnet(
    State(state): State<AppState>,
    actor: Actor,
    params: QueryParams,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    native_clients(&state)?;
    api_version(&params, "2.0")?;
    let peer = peer_id(&state, &params).await?;
    let access = Access::ByRights(state.control.clone(), actor.who.clone());
    Ok(serve(state, socket?, peer, access, Some(actor.who)))
}

fn serve(
    state: AppState,
    socket: Socket,
    peer: Uuid,
    access: Access,
    user: Option<Subject>,
) -> Response {
    // No more than is needed: what the task of a socket holds, each session pays for.
    let service = Arc::new(ClientTailnet {
        tailnet: state.tailnet,
        peer,
        access,
        user: user.map(|who| (state.control, who)),
    });
    socket.bytes(move |socket| async move {
        let ByteSocket { io, close: _close } = byte_socket(socket, true);
        let session = Session::new(io, Role::Server, Config::default());
        let router = drpc::Router::new().with(TailnetServer(service));
        let reason = drpc::serve(session, router).await;
        tracing::debug!(%peer, %reason, "client's coordination ended");
    })
}

/// The map of relays for clients of old: one binary message of JSON now and at each change.
async fn derp_map(
    State(state): State<AppState>,
    _: MaybeActor,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    Ok(socket?.bytes(move |mut socket: WebSocket| async move {
        let Ok(json) = serde_json::to_vec(state.tailnet.derp_map()) else {
            return;
        };
        if socket.send(Message::Binary(json.into())).await.is_err() {
            return;
        }
        // The map of a process does not change: the socket only stays open.
        while let Some(Ok(_)) = socket.recv().await {}
    }))
}
