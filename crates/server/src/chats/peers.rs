//! The way of live parts from one replica to another: a WebSocket of `stream/parts`, with a
//! ticket that any replica of the deployment can sign and check.

use std::sync::Arc;
use std::time::Duration;

use api_types::{ChatPartsControl, Secret};
use authz::{Subject, System};
use bytes::Bytes;
use chat::live::{Attempt, Peers};
use chrono::{TimeDelta, Utc};
use client::{Client, MessageSocket};
use control::Control;
use futures::stream::BoxStream;
use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::jwt::{self, Keys};

/// Names the replica that asks; tells requests of replicas from those of people.
pub(crate) const SOURCE: HeaderName = HeaderName::from_static("x-coder-relay-source-replica");
/// Carries the ticket.
const TICKET: HeaderName = HeaderName::from_static("x-coder-relay-ticket");
/// What the keys are for.
const FEATURE: &str = "chat_relay";
/// How long a ticket is good: it is used at once, by clocks that may differ a little.
const LIFETIME: TimeDelta = TimeDelta::minutes(1);
/// How long the other side may take to answer, and be silent: it pings more often.
const PATIENCE: Duration = Duration::from_secs(45);

#[derive(Serialize, Deserialize)]
struct Claims {
    /// The chat whose parts may be read.
    sub: Uuid,
    aud: String,
    exp: i64,
}

/// Who a replica acts as, if the request carries its good ticket for this chat.
pub(crate) async fn admit(control: &Control, headers: &HeaderMap, chat: Uuid) -> Option<Subject> {
    let ticket = headers.get(TICKET)?.to_str().ok()?;
    let keys = Keys::new(control.clone(), FEATURE);
    let claims: Claims = jwt::open(&keys, ticket, Utc::now()).await.ok()?;
    (claims.aud == FEATURE && claims.sub == chat).then(|| Subject::system(System::Chats))
}

/// Other replicas, found by what they write of themselves into the database.
pub(super) struct Replicas {
    control: Control,
    keys: Arc<Keys>,
}

impl Replicas {
    pub(super) fn new(control: Control) -> Self {
        let keys = Arc::new(Keys::new(control.clone(), FEATURE));
        Replicas { control, keys }
    }
}

impl Peers for Replicas {
    fn parts(
        &self,
        worker: Uuid,
        chat: Uuid,
        attempts: watch::Receiver<Attempt>,
    ) -> BoxStream<'static, Bytes> {
        let (control, keys) = (self.control.clone(), self.keys.clone());
        let open = async move {
            let socket = tokio::time::timeout(PATIENCE, open(&control, &keys, worker, chat)).await;
            match socket {
                Ok(Ok(Some(socket))) => frames(socket, attempts).boxed(),
                Ok(Ok(None)) => futures::stream::empty().boxed(),
                Ok(Err(error)) => {
                    tracing::debug!(%error, %chat, %worker, "chats: another replica is not reached");
                    futures::stream::empty().boxed()
                }
                Err(_) => futures::stream::empty().boxed(),
            }
        };
        futures::stream::once(open).flatten().boxed()
    }
}

/// Calls a replica; none if it gave no URL.
async fn open(
    control: &Control,
    keys: &Keys,
    worker: Uuid,
    chat: Uuid,
) -> Result<Option<MessageSocket>, Box<dyn std::error::Error + Send + Sync>> {
    let who = Subject::system(System::Chats);
    let conn = control.store().conn().await?;
    let url = conn.chat_worker_url(&who, worker).await?;
    drop(conn);
    let Some(url) = url else {
        return Ok(None);
    };
    let now = Utc::now();
    let claims = Claims {
        sub: chat,
        aud: FEATURE.to_owned(),
        exp: (now + LIFETIME).timestamp(),
    };
    let ticket = jwt::sign(keys, &claims, now).await?;
    let mut headers = HeaderMap::new();
    let source = control.chat_machine().hub().origin().to_string();
    headers.insert(SOURCE, HeaderValue::from_str(&source)?);
    headers.insert(TICKET, HeaderValue::from_str(&ticket)?);
    let client = Client::builder(url.parse()?)
        .token(Secret::default())
        .headers(headers)
        .build()?;
    let path = format!("/api/v2/chats/{chat}/stream/parts");
    Ok(Some(client.websocket_messages(&path).await?))
}

/// Asks for each attempt that is wanted, and hands out what comes.
fn frames(
    socket: MessageSocket,
    attempts: watch::Receiver<Attempt>,
) -> impl futures::Stream<Item = Bytes> + Send {
    futures::stream::unfold(
        (socket, attempts, true),
        |(mut socket, mut attempts, mut ask)| async move {
            loop {
                if ask {
                    let (history_version, generation_attempt) = *attempts.borrow_and_update();
                    let control = ChatPartsControl {
                        history_version,
                        generation_attempt,
                    };
                    let text = serde_json::to_string(&control).ok()?;
                    socket.send(Message::text(text)).await.ok()?;
                    ask = false;
                }
                tokio::select! {
                    changed = attempts.changed() => {
                        changed.ok()?;
                        ask = true;
                    }
                    message = tokio::time::timeout(PATIENCE, socket.next()) => {
                        match message.ok()?? {
                            Ok(Message::Text(text)) => {
                                return Some((Bytes::from(text), (socket, attempts, ask)));
                            }
                            Ok(Message::Close(_)) | Err(_) => return None,
                            // Pings are answered by the socket itself, once it is written to.
                            Ok(_) => socket.flush().await.ok()?,
                        }
                    }
                }
            }
        },
    )
}
