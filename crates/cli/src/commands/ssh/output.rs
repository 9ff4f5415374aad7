//! What the remote prints, to this program's own streams.
//!
//! A thread writes, since the streams may block for as long as they like (a pipe that nobody reads, a
//! terminal that was stopped) and must not be made non-blocking: others share them. It takes what
//! has come meanwhile in one go, so that bulk output costs no change of threads for each packet. A
//! little text for a pipe or terminal that has room passes without it, see [`super::reopened`].

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;
use bytes::{Buf, Bytes};
use tokio::sync::{mpsc, oneshot};

use super::reopened::{For, reopened};
use crate::failure::Exit;

/// Packets that may wait for a stream. The remote's window bounds what comes on top.
const QUEUE: usize = 16;
/// What is at most this long is written at once if it can be: a key's echo, a few lines.
const BRIEF: usize = 4 << 10;

/// Where to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

/// Standard output and standard error.
pub struct Output {
    pieces: mpsc::Sender<(Stream, Bytes)>,
    ended: oneshot::Receiver<io::Result<()>>,
    /// Pieces that the thread has got and not written yet.
    waiting: Arc<AtomicUsize>,
    /// The streams as they can be written without it, if they can.
    stdout: Option<File>,
    stderr: Option<File>,
}

impl Output {
    /// This program's streams.
    ///
    /// # Errors
    /// When the system has no thread or descriptor for them.
    pub fn new() -> Result<Self> {
        // Without the buffers of the standard library: packets are what is written.
        let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let mut stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let here = [&stdout, &stderr].map(|stream| reopened(stream, For::Output));
        let (pieces, wanted) = mpsc::channel(QUEUE);
        let (end, ended) = oneshot::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = waiting.clone();
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let written = write_all(wanted, &mut stdout, &mut stderr, &left);
                // Nobody listens when the session has ended otherwise.
                let _ = end.send(written);
            })?;
        let [stdout, stderr] = here;
        Ok(Self {
            pieces,
            ended,
            waiting,
            stdout,
            stderr,
        })
    }

    /// Prints to standard output.
    pub async fn stdout(&mut self, data: Bytes) {
        self.put(Stream::Out, data).await;
    }

    /// Prints to standard error.
    pub async fn stderr(&mut self, data: Bytes) {
        self.put(Stream::Err, data).await;
    }

    async fn put(&mut self, stream: Stream, mut data: Bytes) {
        if data.len() <= BRIEF && self.waiting.load(Ordering::Acquire) == 0 {
            let here = match stream {
                Stream::Out => &mut self.stdout,
                Stream::Err => &mut self.stderr,
            };
            // What it does not take, and why not, is the thread's business.
            let written = here.as_mut().map_or(0, |to| to.write(&data).unwrap_or(0));
            data.advance(written);
            if data.is_empty() {
                return;
            }
        }
        self.waiting.fetch_add(1, Ordering::Release);
        // A stream that failed shows itself in `failed`.
        let _ = self.pieces.send((stream, data)).await;
    }

    /// Waits until a stream fails. A reader that has gone away (`| head`) ends the session like a
    /// local command: quietly.
    pub async fn failed(&mut self) -> anyhow::Error {
        match outcome((&mut self.ended).await) {
            Err(error) => error,
            // It only ends well once it is told to.
            Ok(()) => std::future::pending().await,
        }
    }

    /// Waits until everything is printed.
    pub async fn finish(self) -> Result<()> {
        drop(self.pieces);
        outcome(self.ended.await)
    }
}

fn outcome(ended: Result<io::Result<()>, oneshot::error::RecvError>) -> Result<()> {
    match ended {
        Ok(Err(e)) if e.kind() == io::ErrorKind::BrokenPipe => Err(Exit(1).into()),
        Ok(written) => Ok(written?),
        // The thread is gone without a word: it can only have panicked.
        Err(_) => anyhow::bail!("the output broke off"),
    }
}

/// Writes until the last sender is gone.
fn write_all(
    mut wanted: mpsc::Receiver<(Stream, Bytes)>,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
    waiting: &AtomicUsize,
) -> io::Result<()> {
    let mut pieces = Vec::with_capacity(QUEUE);
    while wanted.blocking_recv_many(&mut pieces, QUEUE) > 0 {
        for (stream, data) in pieces.drain(..) {
            let to: &mut dyn Write = match stream {
                Stream::Out => &mut *stdout,
                Stream::Err => &mut *stderr,
            };
            to.write_all(&data)?;
            waiting.fetch_sub(1, Ordering::Release);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn started(mut stdout: impl Write + Send + 'static) -> Output {
        let (pieces, wanted) = mpsc::channel(QUEUE);
        let (end, ended) = oneshot::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = waiting.clone();
        thread::spawn(move || end.send(write_all(wanted, &mut stdout, &mut io::sink(), &left)));
        Output {
            pieces,
            ended,
            waiting,
            stdout: None,
            stderr: None,
        }
    }

    #[tokio::test]
    async fn a_pipe_that_is_full_goes_on_by_the_thread_in_order() {
        let (mut reader, writer) = io::pipe().unwrap();
        let here = reopened(&writer, For::Output).unwrap();
        let mut output = started(writer);
        output.stdout = Some(here);
        let mut all = Vec::new();
        // Until the pipe is full.
        while output.waiting.load(Ordering::Acquire) < QUEUE / 2 {
            let line = format!("{:1000}\n", all.len());
            all.extend_from_slice(line.as_bytes());
            output.stdout(line.into()).await;
        }
        let read = thread::spawn(move || {
            let mut got = Vec::new();
            io::Read::read_to_end(&mut reader, &mut got).unwrap();
            got
        });
        output.stdout("the end".into()).await;
        all.extend_from_slice(b"the end");
        output.finish().await.unwrap();
        assert!(read.join().unwrap() == all);
    }

    #[tokio::test]
    async fn everything_is_printed_in_order_before_the_end() {
        let (reader, writer) = io::pipe().unwrap();
        let mut output = started(writer);
        let read = thread::spawn(move || io::read_to_string(reader).unwrap());
        let mut all = String::new();
        for n in 0..10 * QUEUE {
            let line = format!("{n}\n");
            all.push_str(&line);
            output.stdout(line.into()).await;
            output.stderr("elsewhere".into()).await;
        }
        output.finish().await.unwrap();
        assert_eq!(read.join().unwrap(), all);
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_ends_the_session_quietly() {
        let mut output = started(Broken);
        for _ in 0..2 * QUEUE {
            output.stdout("lost".into()).await;
        }
        let error = output.failed().await;
        assert_eq!(error.downcast_ref::<Exit>(), Some(&Exit(1)));
    }
}
