//! Watching a workspace: it is sent anew whenever something of it changed. As server-sent
//! events for clients of old, by WebSocket for others.

use std::convert::Infallible;
use std::time::Duration;

use authz::Subject;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use control::Control;
use futures::{Stream, StreamExt as _};
use store::workspaces::WORKSPACE_CHANGED;
use uuid::Uuid;

use crate::extract::Path;
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState};

/// How often a silent stream says that it is alive.
const PING_EVERY: Duration = Duration::from_secs(15);

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
    let body = events.map(|event| Ok::<_, Infallible>(Bytes::from(event.as_sse())));
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies must not hold events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
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

enum Event {
    Ping,
    Data(String),
    Error(String),
}

impl Event {
    /// Exactly two lines and an empty one: clients read no more of the standard.
    fn as_sse(&self) -> String {
        match self {
            Event::Ping => "event: ping\ndata: \n\n".to_owned(),
            Event::Data(json) => format!("event: data\ndata: {json}\n\n"),
            Event::Error(json) => format!("event: error\ndata: {json}\n\n"),
        }
    }

    fn as_json(&self) -> String {
        match self {
            Event::Ping => r#"{"type":"ping","data":null}"#.to_owned(),
            Event::Data(json) => format!(r#"{{"type":"data","data":{json}}}"#),
            Event::Error(json) => format!(r#"{{"type":"error","data":{json}}}"#),
        }
    }
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
    Ok(futures::stream::unfold(start, move |(step, mut changes, control, who)| async move {
        let (event, next) = match step {
            Step::First => (Event::Ping, Step::Look),
            Step::Look => look(&control, &who, workspace).await,
            Step::Wait => match tokio::time::timeout(PING_EVERY, changed(&mut changes, workspace)).await {
                Err(_) => (Event::Ping, Step::Wait),
                Ok(()) => {
                    tokio::time::sleep(SETTLE).await;
                    look(&control, &who, workspace).await
                }
            },
            Step::Over => return None,
        };
        Some((event, (next, changes, control, who)))
    }))
}

enum Step {
    First,
    Look,
    Wait,
    Over,
}

async fn changed(changes: &mut store::Listener, workspace: Uuid) {
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
        Ok(workspace) => match serde_json::to_string(&workspace) {
            Ok(json) => (Event::Data(json), Step::Wait),
            Err(error) => (failed(&control::Error::internal(error)), Step::Over),
        },
        // Worth another look when the database is back.
        Err(error) if error.kind == control::Kind::Unavailable => (failed(&error), Step::Wait),
        Err(error) => (failed(&error), Step::Over),
    }
}

fn failed(error: &control::Error) -> Event {
    let body = api_types::Response {
        message: error.message.clone(),
        detail: error.detail.clone(),
        validations: Vec::new(),
    };
    Event::Error(serde_json::to_string(&body).unwrap_or_else(|_| "null".to_owned()))
}
