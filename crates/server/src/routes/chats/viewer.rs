//! A viewer of something in a chat's workspace, on a WebSocket: what comes from there goes to the viewer,
//! and what the viewer says goes there, until either is gone.

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use client::Error;

use crate::socket::{PING_EVERY, WRITE_TIMEOUT};
use crate::ws::{close_frame, code};

/// What is viewed.
pub(super) trait Place: Send {
    /// What the viewer is told when it is gone.
    const GONE: &'static str;
    /// What breaks off when it fails.
    const WHAT: &'static str;

    /// The next that is to be seen of it; none when it is gone.
    fn next(&mut self) -> impl Future<Output = Option<Result<Message, Error>>> + Send;

    /// What the viewer says; whether the viewer may stay.
    fn hear(&mut self, said: Message) -> impl Future<Output = bool> + Send;
}

/// Carries messages both ways.
pub(super) async fn relay(mut socket: WebSocket, mut place: impl Place) {
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    let mut answered = true;
    loop {
        let message = tokio::select! {
            seen = place.next() => seen_message(seen, &place),
            _ = ping.tick() => {
                if !answered {
                    return;
                }
                answered = false;
                Message::Ping(Bytes::new())
            }
            said = socket.recv() => {
                answered = true;
                match said {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(said)) => {
                        let heard = tokio::time::timeout(WRITE_TIMEOUT, place.hear(said)).await;
                        if heard != Ok(true) {
                            return;
                        }
                        continue;
                    }
                }
            }
        };
        let last = matches!(message, Message::Close(_));
        let sent = tokio::time::timeout(WRITE_TIMEOUT, socket.send(message)).await;
        if last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

fn seen_message<P: Place>(seen: Option<Result<Message, Error>>, _: &P) -> Message {
    match seen {
        Some(Ok(message)) => message,
        Some(Err(error)) => {
            let reason = format!("{} broke off: {error}", P::WHAT);
            Message::Close(Some(close_frame(code::INTERNAL, &reason)))
        }
        None => Message::Close(Some(close_frame(code::GOING_AWAY, P::GONE))),
    }
}
