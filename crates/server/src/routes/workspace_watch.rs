//! Watching a workspace: it is sent anew whenever something of it changed. As server-sent
//! events for clients of old, by WebSocket for others.

use std::time::Duration;

use authz::Subject;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use control::Control;
use futures::{Stream, StreamExt as _};
use store::workspaces::WORKSPACE_CHANGED;
use uuid::Uuid;

use crate::events::{Event, PING_EVERY, sse};
use crate::extract::Path;
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState};

/// Changes that come within this time are one: a build writes many rows at once.
const SETTLE: Duration = Duration::from_millis(20);

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/workspaces/{workspace}/watch", get(watch))
        .route("/workspaces/{workspace}/watch-ws", get(watch_ws))
}

async fn watch(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
) -> Result<Response, ApiError> {
    let events = events(state.control, actor.who, workspace).await?;
    Ok(sse(events))
}

async fn watch_ws(
    State(state): State<AppState>,
    actor: Actor,
    Path(workspace): Path<Uuid>,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let events = events(state.control, actor.who, workspace).await?;
    Ok(socket?.send(events.map(|event| Ok(event.as_json()))))
}

/// The workspace now and after every change, with signs of life between.
async fn events(
    control: Control,
    who: Subject,
    workspace: Uuid,
) -> Result<impl Stream<Item = Event> + Send, ApiError> {
    // Refused as any request is, before the stream begins.
    control.workspace_read(&who, workspace, true).await?;
    let changes = control.store().listen(WORKSPACE_CHANGED).await?;
    let start = (Step::First, changes, control, who);
    Ok(futures::stream::unfold(
        start,
        move |(step, mut changes, control, who)| async move {
            let (event, next) = match step {
                Step::First => (Event::Ping, Step::Look),
                Step::Look => look(&control, &who, workspace).await,
                Step::Wait => {
                    if tokio::time::timeout(PING_EVERY, changed(&mut changes, workspace))
                        .await
                        .is_err()
                    {
                        (Event::Ping, Step::Wait)
                    } else {
                        tokio::time::sleep(SETTLE).await;
                        look(&control, &who, workspace).await
                    }
                }
                Step::Over => return None,
            };
            Some((event, (next, changes, control, who)))
        },
    ))
}

enum Step {
    First,
    Look,
    Wait,
    Over,
}

pub(super) async fn changed(changes: &mut store::Listener, workspace: Uuid) {
    let workspace = workspace.to_string();
    loop {
        let changed = changes.recv().await;
        if changed.is_empty() || changed == workspace {
            return;
        }
    }
}

async fn look(control: &Control, who: &Subject, workspace: Uuid) -> (Event, Step) {
    match control.workspace_read(who, workspace, true).await {
        Ok(workspace) => match Event::of(&workspace) {
            Ok(event) => (event, Step::Wait),
            Err(error) => (Event::failed(&error), Step::Over),
        },
        // Worth another look when the database is back.
        Err(error) if error.kind == control::Kind::Unavailable => {
            (Event::failed(&error), Step::Wait)
        }
        Err(error) => (Event::failed(&error), Step::Over),
    }
}
