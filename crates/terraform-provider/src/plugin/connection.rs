//! Connections of the host: accepted, encrypted, counted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::lifetime::{Connection, Lifetime};

/// Connections that wait for the server; the host makes one.
const QUEUE: usize = 4;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long to wait after a failure to accept, such as too many open files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The host's connections, as they come.
pub(super) struct Incoming {
    listener: UnixListener,
    acceptor: Option<TlsAcceptor>,
    lifetime: Arc<Lifetime>,
}

impl Incoming {
    /// Accepts from this listener, encrypted if there is an acceptor.
    pub(super) fn new(
        listener: UnixListener,
        acceptor: Option<TlsAcceptor>,
        lifetime: Arc<Lifetime>,
    ) -> Self {
        Self {
            listener,
            acceptor,
            lifetime,
        }
    }

    /// The connections that are ready to be served. A handshake that fails or stalls holds up no other.
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<HostStream>> {
        let (ready, stream) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = self.listener.accept().await else {
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                    continue;
                };
                let connection = self.lifetime.connection();
                let Some(acceptor) = self.acceptor.clone() else {
                    if ready
                        .send(Ok(HostStream {
                            io: Io::Plain(socket),
                            _connection: connection,
                        }))
                        .await
                        .is_err()
                    {
                        return;
                    }
                    continue;
                };
                let ready = ready.clone();
                tokio::spawn(async move {
                    match tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)).await {
                        Ok(Ok(tls)) => {
                            // If nobody takes it, the server has ended.
                            let _ = ready
                                .send(Ok(HostStream {
                                    io: Io::Tls(Box::new(tls)),
                                    _connection: connection,
                                }))
                                .await;
                        }
                        Ok(Err(error)) => eprintln!("a connection was refused: {error}"),
                        Err(_) => {
                            eprintln!("a connection was refused: its TLS handshake took too long");
                        }
                    }
                });
            }
        });
        ReceiverStream::new(stream)
    }
}

/// A connection of the host.
pub(super) struct HostStream {
    io: Io,
    _connection: Connection,
}

enum Io {
    Plain(UnixStream),
    Tls(Box<tokio_rustls::server::TlsStream<UnixStream>>),
}

impl HostStream {
    fn io(self: Pin<&mut Self>) -> Pin<&mut (dyn Duplex + Unpin)> {
        let io: &mut (dyn Duplex + Unpin) = match &mut self.get_mut().io {
            Io::Plain(stream) => stream,
            Io::Tls(stream) => stream,
        };
        Pin::new(io)
    }
}

trait Duplex: AsyncRead + AsyncWrite {}
impl<T: AsyncRead + AsyncWrite> Duplex for T {}

impl Connected for HostStream {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for HostStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io().poll_read(cx, buffer)
    }
}

impl AsyncWrite for HostStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(cx)
    }
}
