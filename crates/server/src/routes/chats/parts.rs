//! The parts of one attempt, as they come: for other replicas, and for clients that follow the
//! rows themselves.

use api_types::ChatPartsControl;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use axum::response::Response;
use axum::routing::get;
use chat::live::Parts;
use http::HeaderMap;
use tokio::time::{Instant, interval_at, timeout};
use uuid::Uuid;

use crate::chats::peers;
use crate::extract::Path;
use crate::socket::{PING_EVERY, Socket, WRITE_TIMEOUT};
use crate::{Actor, ApiError, AppState};

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/chats/{chat}/stream/parts", get(parts))
}

/// Who asks: a replica with its ticket, or a person.
async fn parts(
    State(state): State<AppState>,
    actor: Result<Actor, ApiError>,
    headers: HeaderMap,
    Path(chat): Path<Uuid>,
    socket: Result<Socket, ApiError>,
) -> Result<Response, ApiError> {
    let replica = if headers.contains_key(peers::SOURCE) {
        peers::admit(&state.control, &headers, chat).await
    } else {
        None
    };
    let who = match replica {
        Some(who) => who,
        None => actor?.who,
    };
    let socket = socket?;
    let hub = state.control.chat_machine().hub().clone();
    let parts = hub.parts(&who, chat).await?;
    Ok(socket.bytes(move |socket| serve(socket, parts)))
}

/// Serves the parts of whichever attempt the client asked for last.
async fn serve(mut socket: WebSocket, mut parts: Parts) {
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let mut answered = true;
    loop {
        let message = tokio::select! {
            frame = parts.next() => match Utf8Bytes::try_from(frame) {
                Ok(text) => Message::Text(text),
                Err(_) => return,
            },
            _ = ping.tick() => {
                if !std::mem::take(&mut answered) {
                    // Gone without a word.
                    return;
                }
                Message::Ping(Vec::new().into())
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let Ok(control) = serde_json::from_str::<ChatPartsControl>(&text) else {
                        return;
                    };
                    parts.follow((control.history_version, control.generation_attempt));
                    continue;
                }
                Some(Ok(Message::Pong(_))) => {
                    answered = true;
                    continue;
                }
                Some(Ok(Message::Ping(_))) => continue,
                _ => return,
            },
        };
        // Who does not read is cut off: what waits for it is bounded, and it may come again.
        if !matches!(
            timeout(WRITE_TIMEOUT, socket.send(message)).await,
            Ok(Ok(()))
        ) {
            return;
        }
    }
}
