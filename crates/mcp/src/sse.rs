//! The older transport: one stream of events brings all answers, messages are posted to an address
//! that its first event names. Source: revision 2024-11-05, "HTTP with SSE".

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::http::header::{ACCEPT, HeaderMap, HeaderValue};
use futures::StreamExt as _;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;

use crate::events::Events;
use crate::http::{MAX_ANSWER, accepted};
use crate::{Channel, Error, protocol};

/// Those who wait for answers, by the number of their request; none once the stream has ended.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>>;

/// A server and its stream.
#[derive(Debug)]
pub(crate) struct Sse {
    poster: Poster,
    waiting: Waiting,
    reader: JoinHandle<()>,
    next: AtomicU64,
}

#[derive(Debug, Clone)]
struct Poster {
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
}

impl Poster {
    async fn post(&self, message: &Value) -> Result<(), Error> {
        let request = self.client.post(self.url.clone());
        let request = request.headers(self.headers.clone()).json(message);
        accepted(request.send().await?, false).await.map(drop)
    }
}

impl Drop for Sse {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Sse {
    /// Opens the stream and waits for the address to post to.
    pub(crate) async fn connect(
        client: reqwest::Client,
        url: Url,
        headers: HeaderMap,
    ) -> Result<Self, Error> {
        let mut asked = headers.clone();
        asked.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let answer = client.get(url.clone()).headers(asked).send().await?;
        let mut body = accepted(answer, false).await?.bytes_stream();
        let mut events = Events::default();
        let endpoint = loop {
            if let Some(event) = events.next() {
                if event.kind == "endpoint" {
                    break event.data;
                }
                continue;
            }
            let piece = body.next().await.transpose()?;
            let Some(piece) = piece else {
                return Err(Error::Protocol(
                    "its events ended before they named an address for messages".into(),
                ));
            };
            grow(&mut events, &piece)?;
        };
        let target = url.join(endpoint.trim()).ok();
        // With our credentials, messages go to no other place than the one that was configured.
        let target = target.filter(|target| target.origin() == url.origin());
        let target = target.ok_or_else(|| {
            Error::Protocol("it names an address for messages that is not its own".into())
        })?;
        let poster = Poster {
            client,
            url: target,
            headers,
        };
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let reader = tokio::spawn({
            let (waiting, poster) = (waiting.clone(), poster.clone());
            async move {
                loop {
                    while let Some(event) = events.next() {
                        deliver(&event.data, &waiting, &poster).await;
                    }
                    let Some(Ok(piece)) = body.next().await else {
                        break;
                    };
                    if grow(&mut events, &piece).is_err() {
                        break;
                    }
                }
                // Whoever waits learns that nothing comes any more.
                waiting.lock().take();
            }
        });
        Ok(Sse {
            poster,
            waiting,
            reader,
            next: AtomicU64::new(1),
        })
    }
}

fn grow(events: &mut Events, piece: &[u8]) -> Result<(), Error> {
    events.push(piece);
    if events.held() > MAX_ANSWER {
        let text = format!("an event of more than {MAX_ANSWER} bytes");
        return Err(Error::Protocol(text));
    }
    Ok(())
}

async fn deliver(data: &str, waiting: &Waiting, poster: &Poster) {
    let Ok(message) = serde_json::from_str::<Value>(data) else {
        return;
    };
    if let Some(reply) = protocol::reply(&message) {
        if let Err(error) = poster.post(&reply).await {
            tracing::debug!(%error, "an MCP server did not take an answer");
        }
        return;
    }
    let id = message.get("id").and_then(Value::as_u64);
    let waiter = id.and_then(|id| waiting.lock().as_mut()?.remove(&id));
    if let Some(waiter) = waiter {
        // Nobody waits for it any more: then it is not needed.
        let _ = waiter.send(message);
    }
}

impl Channel for Sse {
    async fn request(&self, method: &str, params: Value) -> Result<Value, Error> {
        let ended = || Error::Unreachable("its stream of events has ended".into());
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (waiter, answer) = oneshot::channel();
        match self.waiting.lock().as_mut() {
            Some(waiting) => waiting.insert(id, waiter),
            None => return Err(ended()),
        };
        // Who stops waiting leaves nothing behind.
        let _forget = Forget(&self.waiting, id);
        self.poster
            .post(&protocol::request(id, method, &params))
            .await?;
        let message = answer.await.map_err(|_| ended())?;
        protocol::answer(message, id)
            .unwrap_or_else(|| Err(Error::Protocol("an answer to something else".into())))
    }

    async fn notify(&self, method: &str) -> Result<(), Error> {
        let message = protocol::notification(method, &serde_json::json!({}));
        self.poster.post(&message).await
    }
}

struct Forget<'a>(&'a Waiting, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.lock().as_mut() {
            waiting.remove(&self.1);
        }
    }
}
