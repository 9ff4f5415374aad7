//! What happens in chats, live: one chat's stream, and the list.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::Utf8Bytes;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures::Stream;
use futures::stream::unfold;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::extract::Path;
use crate::socket::Socket;
use crate::{Actor, ApiError, AppState, QueryParams};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/chats/watch", get(watch))
        .route("/chats/{chat}/stream", get(stream))
}

async fn stream(
    State(state): State<AppState>,
    actor: Actor,
    Path(chat): Path<Uuid>,
    mut params: QueryParams,
    socket: Socket,
) -> Result<Response, ApiError> {
    let after = params.parse("after_id", "a number");
    params.finish()?;
    // Before the upgrade, so that a refusal is an answer like any other.
    let viewer = state.control.chat_view(&actor.who, chat, after).await?;
    let seen = Seen { state, actor, chat };
    let frames = unfold((viewer, seen), |(mut viewer, seen)| async move {
        let frame = viewer.next().await;
        Some((frame.map_err(ApiError::from).and_then(text), (viewer, seen)))
    });
    Ok(socket.send(frames))
}

fn text(frame: Bytes) -> Result<Utf8Bytes, ApiError> {
    Utf8Bytes::try_from(frame).map_err(|error| control::Error::internal(error).into())
}

/// Moves the owner's read cursor when its stream ends.
struct Seen {
    state: AppState,
    actor: Actor,
    chat: Uuid,
}

impl Drop for Seen {
    fn drop(&mut self) {
        let (control, who, chat) = (
            self.state.control.clone(),
            self.actor.who.clone(),
            self.chat,
        );
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { control.chat_seen(&who, chat).await });
        }
    }
}

async fn watch(
    State(state): State<AppState>,
    actor: Actor,
    socket: Socket,
) -> Result<Response, ApiError> {
    let changes = state.control.chat_machine().hub().changes();
    Ok(socket.send(watched(state, actor, changes)))
}

fn watched(
    state: AppState,
    actor: Actor,
    changes: broadcast::Receiver<Option<Arc<store::chats::ChatChange>>>,
) -> impl Stream<Item = Result<String, ApiError>> + Send + 'static {
    let start = (state, actor, changes, Vec::new(), None);
    unfold(
        start,
        |(state, actor, mut changes, mut ready, mut last)| async move {
            loop {
                if let Some(event) = ready.pop() {
                    return Some((Ok(event), (state, actor, changes, ready, last)));
                }
                let change = match changes.recv().await {
                    Ok(Some(change)) => change,
                    // There is no replay: clients read the list when they come back.
                    Ok(None) => continue,
                    Err(broadcast::error::RecvError::Lagged(_)) => return None,
                    Err(broadcast::error::RecvError::Closed) => return None,
                };
                // What this process did comes twice: at once, and by notification.
                if last.as_ref() == Some(&change) {
                    continue;
                }
                match state.control.chat_watch_events(&actor.who, &change).await {
                    Ok(events) => {
                        if !events.is_empty() {
                            last = Some(change);
                        }
                        ready = events
                            .iter()
                            .rev()
                            .filter_map(|event| serde_json::to_string(event).ok())
                            .collect();
                    }
                    Err(error) => {
                        return Some((Err(error.into()), (state, actor, changes, ready, last)));
                    }
                }
            }
        },
    )
}
