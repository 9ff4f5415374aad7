//! A stream of server-sent events that someone follows.

use std::pin::Pin;

use ::http::header::ACCEPT;
use futures::{Stream, StreamExt as _};

use crate::Error;
use crate::events::Events;
use crate::http::accepted;

type Body = Pin<Box<dyn Stream<Item = reqwest::Result<Vec<u8>>> + Send>>;

/// The events of one address.
pub struct EventStream {
    body: Body,
    events: Events,
    most: usize,
}

impl EventStream {
    /// Begins to follow an address; an event has at most so many bytes.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn open(url: &str, tls: rustls::ClientConfig, most: usize) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .build()?;
        let request = client.get(url).header(ACCEPT, "text/event-stream");
        let answer = accepted(request.send().await?, false).await?;
        let body = answer.bytes_stream().map(|piece| Ok(piece?.to_vec()));
        Ok(EventStream {
            body: Box::pin(body),
            events: Events::default(),
            most,
        })
    }

    /// The next event: its type and its data. None at the end.
    pub async fn next(&mut self) -> Option<Result<(String, String), Error>> {
        loop {
            if let Some(event) = self.events.next() {
                return Some(Ok((event.kind, event.data)));
            }
            match self.body.next().await? {
                Ok(piece) => self.events.push(&piece),
                Err(error) => return Some(Err(error.into())),
            }
            if self.events.held() > self.most {
                let text = format!("an event of more than {} bytes", self.most);
                return Some(Err(Error::Protocol(text)));
            }
        }
    }
}
