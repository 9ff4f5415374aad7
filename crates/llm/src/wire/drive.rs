//! Drives one call: sends, reads frames, hands out events; stops at silence, bounds and cancellation.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use api_types::Secret;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use tokio_util::sync::CancellationToken;

use super::classify::sentence;
use super::emit::Emit;
use super::frames::{Frame, Frames};
use super::http::{Http, transport};
use super::{Decoder, Wire};
use crate::{Answer, Error, ErrorKind, EventStream, Provider, Request};

/// Most bytes of one streamed body. Wire formats repeat much (20 times a short token); a body beyond
/// this is an endless stream.
const MAX_BODY_BYTES: usize = 512 << 20;
/// Most bytes of an answer that is not streamed.
const MAX_WHOLE_BYTES: usize = 32 << 20;

/// How long and how many pieces of a complete answer's body are read on, so that its connection can
/// serve the next call.
const DRAIN_TIME: Duration = Duration::from_secs(2);
const DRAIN_PIECES: usize = 64;
/// The frame after the last of OpenAI's streams, the only one that is not JSON.
pub(crate) const DONE: &str = "[DONE]";

/// A provider: connections and a wire format.
pub(crate) struct Connection<W> {
    pub(crate) http: Http,
    pub(crate) wire: Arc<W>,
}

impl<W: Wire> Provider for Connection<W> {
    fn stream(&self, request: Request, cancel: CancellationToken) -> EventStream {
        let call = Call {
            http: self.http.clone(),
            provider: self.wire.provider(),
            secrets: self.wire.secrets(),
            out: Emit::default(),
            decoder: self.wire.decoder(&request),
            frames: self.wire.frames(),
            body: None,
            received: 0,
            over: false,
        };
        let wire = self.wire.clone();
        let start = Start { wire, request };
        stream::unfold(
            (call, Some(start), cancel),
            |(mut call, mut start, cancel)| async move {
                let next = call.next(&mut start, &cancel).await?;
                Some((next, (call, start, cancel)))
            },
        )
        .boxed()
    }

    fn complete(
        &self,
        request: Request,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Answer, Error>> {
        let (http, wire) = (self.http.clone(), self.wire.clone());
        Box::pin(async move {
            let provider = wire.provider();
            let secrets = wire.secrets();
            let whole = async {
                let outgoing = wire.outgoing(&request, false)?;
                let response = http
                    .send(outgoing, provider, &secrets, &request.tap)
                    .await?;
                read_whole(response, provider, &secrets).await
            };
            let body = tokio::select! {
                () = cancel.cancelled() => return Err(Error::canceled().provider(provider)),
                body = tokio::time::timeout(http.silence_limit(), whole) => {
                    body.map_err(|_| silent(provider))??
                }
            };
            let mut out = Emit::default();
            wire.decoder(&request).whole(&body, &mut out)?;
            if !out.finished() {
                return Err(cut(provider));
            }
            let events: Vec<_> = std::iter::from_fn(|| out.pop()).map(Ok).collect();
            Answer::collect(stream::iter(events).boxed()).await
        })
    }
}

async fn read_whole(
    response: reqwest::Response,
    provider: &str,
    secrets: &[Secret<String>],
) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        body.extend_from_slice(&piece.map_err(|e| transport(e, provider, secrets))?);
        if body.len() > MAX_WHOLE_BYTES {
            return Err(too_long(provider));
        }
    }
    Ok(body)
}

struct Start<W> {
    wire: Arc<W>,
    request: Request,
}

struct Call {
    http: Http,
    provider: &'static str,
    secrets: Vec<Secret<String>>,
    out: Emit,
    decoder: Box<dyn Decoder>,
    frames: Frames,
    body: Option<BoxStream<'static, Result<Bytes, reqwest::Error>>>,
    received: usize,
    over: bool,
}

impl Call {
    /// The next event, the error that ends the stream, or its end.
    async fn next<W: Wire>(
        &mut self,
        start: &mut Option<Start<W>>,
        cancel: &CancellationToken,
    ) -> Option<Result<crate::Event, Error>> {
        if let Some(event) = self.out.pop() {
            return Some(Ok(event));
        }
        if self.over || self.out.finished() {
            self.drain();
            return None;
        }
        let limit = self.http.silence_limit();
        let provider = self.provider;
        let step = {
            let mut work = pin!(tokio::time::timeout(limit, self.work(start)));
            tokio::select! {
                biased;
                () = cancel.cancelled() => Err(Error::canceled().provider(provider)),
                step = &mut work => step.unwrap_or_else(|_| Err(silent(provider))),
            }
        };
        // What was understood before an error is handed out first.
        if let Some(event) = self.out.pop() {
            if let Err(error) = step {
                self.defer(error);
            }
            return Some(Ok(event));
        }
        self.over = true;
        step.err().map(Err)
    }

    /// Reads the end of a finished body in the background: only then its connection is used again.
    fn drain(&mut self) {
        if let Some(body) = self.body.take()
            && self.out.finished()
        {
            let rest = body.take(DRAIN_PIECES).for_each(|_| std::future::ready(()));
            tokio::spawn(tokio::time::timeout(DRAIN_TIME, rest));
        }
    }

    fn defer(&mut self, error: Error) {
        self.body = Some(stream::empty().boxed());
        self.frames = Frames::sse();
        self.decoder = Box::new(Failed(Some(error)));
    }

    /// Reads until there is an event to hand out, or the end.
    async fn work<W: Wire>(&mut self, start: &mut Option<Start<W>>) -> Result<(), Error> {
        if let Some(Start { wire, request }) = start.take() {
            let outgoing = wire.outgoing(&request, true)?;
            let tap = request.tap.clone();
            drop(request);
            let response = self
                .http
                .send(outgoing, self.provider, &self.secrets, &tap)
                .await?;
            self.body = Some(response.bytes_stream().boxed());
        }
        let Some(body) = &mut self.body else {
            return Err(cut(self.provider));
        };
        let mut frames: Vec<Frame> = Vec::new();
        loop {
            let piece = body.next().await;
            if let Some(Ok(piece)) = &piece {
                self.received = self.received.saturating_add(piece.len());
                let pushed = self.frames.push(piece, &mut frames);
                for frame in frames.drain(..) {
                    self.decoder.frame(&frame, &mut self.out)?;
                }
                pushed.map_err(|e| too_long(self.provider).detail(e.0))?;
                if self.received > MAX_BODY_BYTES {
                    return Err(too_long(self.provider));
                }
            } else {
                self.frames.finish(&mut frames);
                for frame in frames.drain(..) {
                    // A frame cut in its middle cannot be read; what counts is the cut.
                    if serde_json::from_str::<serde::de::IgnoredAny>(&frame.data).is_ok()
                        || frame.data == DONE
                    {
                        self.decoder.frame(&frame, &mut self.out)?;
                    }
                }
            }
            match piece {
                Some(Err(error)) if !self.out.finished() => {
                    return Err(transport(error, self.provider, &self.secrets));
                }
                None | Some(Err(_)) => {
                    self.decoder.end(&mut self.out)?;
                    if !self.out.finished() {
                        return Err(cut(self.provider));
                    }
                    return Ok(());
                }
                Some(Ok(_)) => {
                    if self.out.has_event() || self.out.finished() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Stands in for the decoder of a call that failed while events were waiting.
struct Failed(Option<Error>);

impl Decoder for Failed {
    fn frame(&mut self, _: &Frame, _: &mut Emit) -> Result<(), Error> {
        Ok(())
    }

    fn end(&mut self, _: &mut Emit) -> Result<(), Error> {
        self.0.take().map_or(Ok(()), Err)
    }

    fn whole(&mut self, _: &[u8], _: &mut Emit) -> Result<(), Error> {
        self.end(&mut Emit::default())
    }
}

fn silent(provider: &str) -> Error {
    Error::new(
        ErrorKind::StreamSilence,
        sentence(ErrorKind::StreamSilence, provider, 0),
    )
    .provider(provider)
}

/// The stream ended before the provider said that the answer is complete.
fn cut(provider: &str) -> Error {
    Error::new(
        ErrorKind::Timeout,
        sentence(ErrorKind::Timeout, provider, 0),
    )
    .detail("the stream ended before the answer was complete")
    .provider(provider)
}

fn too_long(provider: &str) -> Error {
    Error::new(
        ErrorKind::Generic,
        "The model provider sent more than one answer can hold.",
    )
    .provider(provider)
}
