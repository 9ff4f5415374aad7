//! Connections that somebody else opens: through a tunnel, or within one process. Each carries one
//! request.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

/// A connection.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Dialed = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// How a connection is opened. Clones are cheap.
#[derive(Clone)]
pub(crate) struct Dial(Arc<dyn Fn() -> Dialed + Send + Sync>);

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dial")
    }
}

impl Dial {
    pub(crate) fn new<D, F, S>(dial: D) -> Self
    where
        D: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self(Arc::new(move || {
            let opened = dial();
            Box::pin(async move { Ok(Box::new(opened.await?) as Box<dyn Stream>) }) as Dialed
        }))
    }

    /// Sends a request over a new connection. The task carries it, upgrades included, and ends with it.
    pub(crate) async fn send<B>(
        &self,
        request: Request<B>,
    ) -> Result<(Response<Incoming>, JoinHandle<()>), Box<dyn StdError + Send + Sync>>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let stream = (self.0)().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(async move {
            // The request itself tells of failures.
            let _ = connection.with_upgrades().await;
        });
        Ok((sender.send_request(request).await?, connection))
    }
}
