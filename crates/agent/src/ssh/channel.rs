//! One SSH channel as its user sees it: a byte stream each way with flow
//! control that follows the consumer, and the requests that arrive on it.
//!
//! A client may have [`WINDOW`] bytes on the way; it is granted more only when
//! the reader here has taken what came before, so a reader that stalls stalls
//! its own channel alone and holds bounded memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;

use super::numbers::OpenFailure;

/// Bytes that a client may send ahead of the reader. Two megabytes keep a
/// 150 ms path busy at 100 Mbit/s.
pub const WINDOW: u32 = 2 * 1024 * 1024;
/// Largest data packet accepted or sent, in bytes of data.
pub const MAX_PACKET: u32 = 32 * 1024;
/// The reader reports what it has taken in steps of this many bytes.
const CREDIT_STEP: u32 = WINDOW / 8;
/// An emptied inbox gives its memory back beyond this capacity.
const INBOX_KEEP: usize = 64 * 1024;

/// What tasks ask of the connection.
#[derive(Debug)]
pub enum Outgoing {
    /// Data for the client; `code` for extended data.
    Data {
        channel: u32,
        code: Option<u32>,
        bytes: Bytes,
    },
    /// No more data will follow.
    Eof { channel: u32 },
    /// The channel is over.
    Close { channel: u32 },
    /// Answer to a request that wanted one.
    Reply { channel: u32, success: bool },
    /// Exit code of the process.
    ExitStatus { channel: u32, code: u32 },
    /// Name (without SIG) of the signal that ended the process.
    ExitSignal {
        channel: u32,
        signal: &'static str,
        core_dumped: bool,
    },
    /// Confirms a channel that the client wants to open.
    Accept { channel: u32 },
    /// Refuses a channel that the client wants to open.
    Refuse {
        channel: u32,
        reason: OpenFailure,
        text: String,
    },
    /// Opens a channel to the client: type and type-specific data.
    Open {
        kind: &'static str,
        data: Vec<u8>,
        opened: oneshot::Sender<Option<Channel>>,
    },
}

/// Consumed bytes of a channel, to be granted again.
#[derive(Debug, Clone, Copy)]
pub struct Credit {
    /// The channel.
    pub channel: u32,
    /// How many bytes.
    pub bytes: u32,
}

/// A request on a channel (RFC 4254 section 5.4).
#[derive(Debug)]
pub struct Request {
    /// Its name.
    pub kind: String,
    /// Whether the client waits for an answer.
    pub want_reply: bool,
    /// Its type-specific data.
    pub data: Vec<u8>,
}

#[derive(Debug, Default)]
struct InboxState {
    data: BytesMut,
    /// No more will come.
    ended: bool,
    /// Nobody reads any more.
    abandoned: bool,
    taken: u32,
    waker: Option<Waker>,
}

/// Where the connection puts what the client sends. Holds at most [`WINDOW`] bytes.
#[derive(Debug, Default)]
pub struct Inbox(Mutex<InboxState>);

impl Inbox {
    /// Adds data; answers `false` if nobody will ever read it.
    pub fn push(&self, bytes: &[u8]) -> bool {
        let mut state = self.0.lock();
        if state.abandoned {
            return false;
        }
        state.data.extend_from_slice(bytes);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        true
    }

    /// Nothing more will come.
    pub fn end(&self) {
        let mut state = self.0.lock();
        state.ended = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

#[derive(Debug)]
struct OutletState {
    window: u32,
    /// Bytes that the connection has got and not written yet.
    unwritten: usize,
    closed: bool,
    wakers: Vec<Waker>,
}

impl OutletState {
    /// Keeps who waits for a change.
    fn wait(&mut self, cx: &Context<'_>) {
        if !self.wakers.iter().any(|w| w.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
    }
}

/// How much the client is willing to take.
#[derive(Debug)]
pub struct Outlet {
    state: Mutex<OutletState>,
    max_packet: u32,
}

impl Outlet {
    /// A window as the client stated it.
    pub fn new(window: u32, max_packet: u32) -> Self {
        let state = OutletState {
            window,
            unwritten: 0,
            closed: false,
            wakers: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            max_packet: max_packet.clamp(1, MAX_PACKET),
        }
    }

    /// The client takes `more` bytes. A sum beyond 32 bits stays at the maximum.
    pub fn grow(&self, more: u32) {
        let mut state = self.state.lock();
        state.window = state.window.saturating_add(more);
        state.wakers.drain(..).for_each(Waker::wake);
    }

    /// The client takes nothing more.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.wakers.drain(..).for_each(Waker::wake);
    }

    /// The connection has written `bytes` that it got.
    pub fn written(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.unwritten = state.unwritten.saturating_sub(bytes);
        if state.unwritten == 0 {
            state.wakers.drain(..).for_each(Waker::wake);
        }
    }

    /// Waits until the connection has written all that it got.
    fn poll_written(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.unwritten == 0 || state.closed {
            return Poll::Ready(());
        }
        state.wait(cx);
        Poll::Pending
    }

    /// Whether the channel is over.
    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Takes up to `wanted` bytes of the window; `None` once closed.
    fn poll_take(&self, cx: &mut Context<'_>, wanted: usize) -> Poll<Option<usize>> {
        let mut state = self.state.lock();
        if state.closed {
            return Poll::Ready(None);
        }
        let take = state.window.min(self.max_packet).min(wanted as u32);
        if take == 0 {
            state.wait(cx);
            return Poll::Pending;
        }
        state.window -= take;
        Poll::Ready(Some(take as usize))
    }
}

/// A channel in the hands of its user.
#[derive(Debug)]
pub struct Channel {
    /// What the client sends.
    pub reader: ChannelReader,
    /// What the client gets.
    pub handle: ChannelHandle,
    /// Requests of the client; ends when the channel does.
    pub requests: mpsc::Receiver<Request>,
}

/// The sending half of a channel.
#[derive(Debug, Clone)]
pub struct ChannelHandle {
    /// Number of the channel on this connection.
    pub id: u32,
    /// The client's window.
    pub outlet: Arc<Outlet>,
    /// The way to the connection.
    pub outgoing: mpsc::Sender<Outgoing>,
}

impl ChannelHandle {
    /// A stream of ordinary data; shutting it down sends EOF.
    pub fn writer(&self) -> ChannelWriter {
        self.writer_with(None)
    }

    /// A stream of standard error.
    pub fn stderr(&self) -> ChannelWriter {
        self.writer_with(Some(super::numbers::STDERR))
    }

    fn writer_with(&self, code: Option<u32>) -> ChannelWriter {
        ChannelWriter {
            channel: self.id,
            code,
            outlet: self.outlet.clone(),
            outgoing: PollSender::new(self.outgoing.clone()),
            granted: 0,
        }
    }

    /// Answers a request.
    pub async fn reply(&self, success: bool) {
        self.send(Outgoing::Reply {
            channel: self.id,
            success,
        })
        .await;
    }

    /// Answers requests that have no meaning here, until the channel ends. A client may wait for each
    /// answer, or take silence for a connection that is dead.
    pub async fn refuse_all(&self, requests: &mut mpsc::Receiver<Request>) {
        while let Some(request) = requests.recv().await {
            if request.want_reply {
                self.reply(false).await;
            }
        }
    }

    /// Tells the exit code of the process.
    pub async fn exit_status(&self, code: u32) {
        self.send(Outgoing::ExitStatus {
            channel: self.id,
            code,
        })
        .await;
    }

    /// Tells the signal that ended the process.
    pub async fn exit_signal(&self, signal: &'static str, core_dumped: bool) {
        self.send(Outgoing::ExitSignal {
            channel: self.id,
            signal,
            core_dumped,
        })
        .await;
    }

    /// No more data will follow.
    pub async fn eof(&self) {
        self.send(Outgoing::Eof { channel: self.id }).await;
    }

    /// Ends the channel.
    pub async fn close(&self) {
        self.send(Outgoing::Close { channel: self.id }).await;
    }

    /// A connection that is gone needs no more messages.
    async fn send(&self, message: Outgoing) {
        let _ = self.outgoing.send(message).await;
    }
}

/// Reads what the client sends on a channel.
#[derive(Debug)]
pub struct ChannelReader {
    /// Number of the channel.
    pub channel: u32,
    /// Where its data is.
    pub inbox: Arc<Inbox>,
    /// The way to grant more.
    pub credits: mpsc::UnboundedSender<Credit>,
}

impl ChannelReader {
    fn credit(&self, bytes: u32) {
        if bytes > 0 {
            // A connection that is gone needs no credit.
            let _ = self.credits.send(Credit {
                channel: self.channel,
                bytes,
            });
        }
    }
}

impl AsyncRead for ChannelReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut state = self.inbox.0.lock();
        if state.data.is_empty() {
            if !state.ended {
                state.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            return Poll::Ready(Ok(()));
        }
        let n = state.data.len().min(buf.remaining());
        buf.put_slice(&state.data[..n]);
        state.data.advance(n);
        if state.data.is_empty() && state.data.capacity() > INBOX_KEEP {
            state.data = BytesMut::new();
        }
        state.taken += n as u32;
        let credit = if state.taken >= CREDIT_STEP {
            std::mem::take(&mut state.taken)
        } else {
            0
        };
        drop(state);
        self.credit(credit);
        Poll::Ready(Ok(()))
    }
}

impl Drop for ChannelReader {
    fn drop(&mut self) {
        let credit = {
            let mut state = self.inbox.0.lock();
            state.abandoned = true;
            let unread = std::mem::take(&mut state.data).len() as u32;
            std::mem::take(&mut state.taken) + unread
        };
        self.credit(credit);
    }
}

/// Writes to the client on a channel, waiting for its window and for the connection.
#[derive(Debug)]
pub struct ChannelWriter {
    channel: u32,
    code: Option<u32>,
    outlet: Arc<Outlet>,
    outgoing: PollSender<Outgoing>,
    /// Bytes taken from the window and not yet sent.
    granted: usize,
}

fn gone() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::BrokenPipe, "the SSH channel is closed")
}

impl AsyncWrite for ChannelWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // First the window, then a place in the queue: a writer that waits for its client
        // must not hold a place that other channels could use.
        if self.granted == 0 {
            let Some(n) = ready!(self.outlet.poll_take(cx, buf.len())) else {
                return Poll::Ready(Err(gone()));
            };
            self.granted = n;
        }
        ready!(self.outgoing.poll_reserve(cx)).map_err(|_| gone())?;
        let n = self.granted.min(buf.len());
        self.granted -= n;
        let bytes = Bytes::copy_from_slice(&buf[..n]);
        self.outlet.state.lock().unwritten += n;
        let message = Outgoing::Data {
            channel: self.channel,
            code: self.code,
            bytes,
        };
        self.outgoing.send_item(message).map_err(|_| gone())?;
        Poll::Ready(Ok(n))
    }

    /// Waits until everything is on its way. Whoever reads what to write only then reads much at
    /// once: a program that prints in small pieces costs no packet for each.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.outlet.poll_written(cx).map(Ok)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.outlet.is_closed() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.outgoing.poll_reserve(cx)).map_err(|_| gone())?;
        let message = Outgoing::Eof {
            channel: self.channel,
        };
        self.outgoing.send_item(message).map_err(|_| gone())?;
        Poll::Ready(Ok(()))
    }
}

impl Drop for ChannelWriter {
    fn drop(&mut self) {
        if self.granted > 0 {
            self.outlet.grow(self.granted as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn reader() -> (Arc<Inbox>, ChannelReader, mpsc::UnboundedReceiver<Credit>) {
        let (credits, received) = mpsc::unbounded_channel();
        let inbox = Arc::new(Inbox::default());
        (
            inbox.clone(),
            ChannelReader {
                channel: 3,
                inbox,
                credits,
            },
            received,
        )
    }

    #[tokio::test]
    async fn every_question_is_answered() {
        let (outgoing, mut sent) = mpsc::channel(4);
        let handle = ChannelHandle {
            id: 3,
            outlet: Arc::new(Outlet::new(0, 1)),
            outgoing,
        };
        let (asks, mut asked) = mpsc::channel(4);
        for want_reply in [true, false, true] {
            let request = Request {
                kind: "keepalive@openssh.com".into(),
                want_reply,
                data: Vec::new(),
            };
            asks.send(request).await.unwrap();
        }
        drop(asks);
        handle.refuse_all(&mut asked).await;
        drop(handle);
        for _ in 0..2 {
            let answer = sent.recv().await.unwrap();
            assert!(matches!(
                answer,
                Outgoing::Reply {
                    channel: 3,
                    success: false
                }
            ));
        }
        assert!(sent.recv().await.is_none());
    }

    #[tokio::test]
    async fn credit_follows_the_reader() {
        let (inbox, mut reader, mut credits) = reader();
        assert!(inbox.push(&vec![1; CREDIT_STEP as usize]));
        assert!(credits.try_recv().is_err(), "nothing was read yet");
        let mut buf = vec![0; CREDIT_STEP as usize];
        reader.read_exact(&mut buf).await.unwrap();
        assert_eq!(credits.try_recv().unwrap().bytes, CREDIT_STEP);
        inbox.end();
        assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn an_abandoned_inbox_returns_what_nobody_read() {
        let (inbox, reader, mut credits) = reader();
        inbox.push(b"12345");
        drop(reader);
        assert_eq!(credits.try_recv().unwrap().bytes, 5);
        assert!(!inbox.push(b"more"));
    }

    #[tokio::test]
    async fn a_writer_waits_for_the_window_and_ends_with_the_channel() {
        let (outgoing, mut sent) = mpsc::channel(4);
        let outlet = Arc::new(Outlet::new(3, 2));
        let handle = ChannelHandle {
            id: 1,
            outlet: outlet.clone(),
            outgoing,
        };
        let mut writer = handle.writer();
        let task = tokio::spawn(async move { writer.write_all(b"abcdef").await });
        let mut got = Vec::new();
        while got.len() < 3 {
            if let Some(Outgoing::Data { bytes, .. }) = sent.recv().await {
                assert!(bytes.len() <= 2, "never more than the client's packet size");
                got.extend_from_slice(&bytes);
            }
        }
        assert_eq!(got, b"abc");
        assert!(!task.is_finished());
        outlet.close();
        assert_eq!(
            task.await.unwrap().unwrap_err().kind(),
            std::io::ErrorKind::BrokenPipe
        );
    }
}
