//! Routes of containers.

use std::sync::Arc;
use std::time::Duration;

use api_types::WorkspaceAgentListContainersResponse;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::{Json, Response};
use http::StatusCode;

use super::failure::Failure;

/// How often a watcher's list is made anew.
const POLL: Duration = Duration::from_secs(10);
/// Bytes of a message of the client, which has nothing to say.
const MAX_MESSAGE: usize = 4096;

/// Refuses where containers are not to be looked at.
fn allowed(state: &super::State) -> Result<(), Failure> {
    let workspace = &state.workspace;
    let refused =
        |message, detail| Err(Failure::new(StatusCode::FORBIDDEN, message).because(detail));
    if workspace
        .manifest()
        .is_some_and(|manifest| manifest.parent_id.is_some())
    {
        return refused(
            "Dev Container feature not supported.",
            "Dev Container integration inside other Dev Containers is explicitly not supported.",
        );
    }
    if !workspace.config.devcontainers {
        return refused(
            "Dev Container feature not enabled.",
            "To enable this feature, set CODER_AGENT_DEVCONTAINERS_ENABLE=true in your template.",
        );
    }
    Ok(())
}

pub async fn list(
    State(state): State<Arc<super::State>>,
) -> Result<Json<WorkspaceAgentListContainersResponse>, Failure> {
    allowed(&state)?;
    let list = state.containers.list().await;
    list.map(Json)
        .map_err(|error| Failure::system("Could not get containers").because(error))
}

pub async fn watch(
    State(state): State<Arc<super::State>>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Failure> {
    allowed(&state)?;
    Ok(upgrade
        .max_message_size(MAX_MESSAGE)
        .on_upgrade(move |socket| async move {
            let shutdown = state.workspace.shutdown.clone();
            tokio::select! {
                () = serve(&state, socket) => {}
                () = shutdown.cancelled() => {}
            }
        }))
}

async fn serve(state: &super::State, mut socket: WebSocket) {
    let mut last = None;
    let mut tick = tokio::time::interval(POLL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = socket.recv() => {
                if matches!(message, None | Some(Ok(Message::Close(_)) | Err(_))) {
                    return;
                }
            }
            _ = tick.tick() => {
                // An engine that does not answer now may do so the next time.
                let Ok(list) = state.containers.list().await else { continue };
                if last.as_ref() == Some(&list) {
                    continue;
                }
                let Ok(text) = serde_json::to_string(&list) else { return };
                if socket.send(Message::text(text)).await.is_err() {
                    return;
                }
                last = Some(list);
            }
        }
    }
}

/// Rebuilding and deleting: of dev containers that are known, this agent only tells.
pub async fn devcontainer(
    State(state): State<Arc<super::State>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    allowed(&state)?;
    let known = state.containers.known().await;
    if !known.iter().any(|one| one.id.to_string() == id) {
        return Err(Failure::not_found("Devcontainer not found.")
            .because(format!("Could not find devcontainer with ID: {id:?}")));
    }
    Err(Failure::new(
        StatusCode::NOT_IMPLEMENTED,
        "Devcontainers cannot be changed by this agent.",
    )
    .because("Use the devcontainer command line tool inside the workspace."))
}
