//! The socket that tells what changes in the repositories of a chat.

use std::sync::Arc;
use std::time::Duration;

use api_types::{
    WorkspaceAgentGitClientMessage, WorkspaceAgentGitClientMessageType,
    WorkspaceAgentGitServerMessage, WorkspaceAgentGitServerMessageType,
};
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use http::Uri;
use tokio::time::Instant;
use uuid::Uuid;

use super::query::Query;
use crate::repositories::Watch;

/// Files change without anybody telling: looked for this often.
const POLL: Duration = Duration::from_secs(5);
/// Shortest pause between two looks.
const COOLDOWN: Duration = Duration::from_secs(1);
/// Bytes of a message of the client.
const MAX_MESSAGE: usize = 64 * 1024;

pub async fn watch(
    State(state): State<Arc<super::State>>,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    let chat = Query::of(&uri).text("chat_id").parse::<Uuid>().ok();
    upgrade
        .max_message_size(MAX_MESSAGE)
        .on_upgrade(move |socket| async move {
            let shutdown = state.workspace.shutdown.clone();
            tokio::select! {
                () = serve(&state, chat, socket) => {}
                () = shutdown.cancelled() => {}
            }
        })
}

async fn serve(state: &super::State, chat: Option<Uuid>, mut socket: WebSocket) {
    // Before the first look at the paths, so that no news is missed.
    let mut news = state.chats.subscribe();
    let mut watch = Watch::default();
    let mut last = Instant::now();
    let mut next = if chat.is_some() { last } else { last + POLL };
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    if is_refresh(&text) {
                        next = next.min(last + COOLDOWN);
                    } else if send(&mut socket, &unknown()).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            about = news.recv(), if chat.is_some() => {
                // A watcher that missed something looks as well.
                if about.is_err() || about.ok() == chat {
                    next = next.min(last + COOLDOWN);
                }
            }
            () = tokio::time::sleep_until(next) => {
                if let Some(chat) = chat {
                    watch.add(state.chats.of(chat)).await;
                }
                if let Some(changes) = watch.scan().await
                    && send(&mut socket, &changes).await.is_err()
                {
                    return;
                }
                last = Instant::now();
                next = last + POLL;
            }
        }
    }
}

fn is_refresh(text: &str) -> bool {
    serde_json::from_str::<WorkspaceAgentGitClientMessage>(text)
        .is_ok_and(|message| message.r#type == WorkspaceAgentGitClientMessageType::Refresh)
}

fn unknown() -> WorkspaceAgentGitServerMessage {
    WorkspaceAgentGitServerMessage {
        r#type: WorkspaceAgentGitServerMessageType::Error,
        message: "unknown message type".into(),
        ..Default::default()
    }
}

async fn send(
    socket: &mut WebSocket,
    message: &WorkspaceAgentGitServerMessage,
) -> Result<(), axum::Error> {
    let text = serde_json::to_string(message).map_err(axum::Error::new)?;
    socket.send(Message::text(text)).await
}
