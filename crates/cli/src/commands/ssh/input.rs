//! What comes by this program's standard input.
//!
//! Pipes and terminals are read by the task that wants their input, see [`super::reopened`]. A thread
//! reads all else, for the same reasons as in [`super::output`], and takes over where much comes: it
//! reads a little ahead, so that bulk input costs no change of threads for each piece.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::thread;

use bytes::{Bytes, BytesMut};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::reopened::{For, reopened};

/// Pieces that may wait.
const QUEUE: usize = 4;
/// A new buffer is taken once less than this is left of the old one.
const LEAST: usize = 4 << 10;
/// So many reads in a row that fill a page or more are bulk input.
const BULK: u32 = 4;

/// Standard input, in pieces.
pub struct Input {
    source: Source,
    largest: usize,
}

enum Source {
    Here {
        stdin: AsyncFd<File>,
        buffer: Buffer,
        /// Reads in a row that brought much.
        large: u32,
    },
    Thread(mpsc::Receiver<Bytes>),
}

impl Input {
    /// Begins to read, in pieces of at most `largest` bytes. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// When the system has no thread or descriptor for it.
    pub fn new(largest: usize) -> io::Result<Self> {
        let here = reopened(io::stdin(), For::Input).and_then(|stdin| watch(stdin).ok());
        let source = match here {
            Some(stdin) => Source::Here {
                stdin,
                buffer: Buffer::new(largest),
                large: 0,
            },
            None => Source::Thread(by_thread(largest)?),
        };
        Ok(Self { source, largest })
    }

    /// The next piece; `None` at the end of input, or after an error. Nothing is lost when it is
    /// cancelled.
    pub async fn next(&mut self) -> Option<Bytes> {
        if let Source::Here { large, .. } = &self.source
            && *large >= BULK
            && let Ok(pieces) = by_thread(self.largest)
        {
            self.source = Source::Thread(pieces);
        }
        match &mut self.source {
            Source::Thread(pieces) => pieces.recv().await,
            Source::Here {
                stdin,
                buffer,
                large,
            } => loop {
                let mut ready = stdin.readable().await.ok()?;
                match buffer.read(&mut stdin.get_ref()) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                    read => {
                        let piece = taken(read)?;
                        *large = if piece.len() < LEAST { 0 } else { *large + 1 };
                        return Some(piece);
                    }
                }
            },
        }
    }
}

/// Room for pieces, cut from one allocation while they are small.
struct Buffer {
    room: BytesMut,
    largest: usize,
}

impl Buffer {
    fn new(largest: usize) -> Self {
        let room = BytesMut::new();
        Self { room, largest }
    }

    /// What one read brings; empty at the end.
    fn read(&mut self, from: &mut impl Read) -> io::Result<Bytes> {
        if self.room.len() < LEAST {
            self.room = BytesMut::zeroed(self.largest);
        }
        loop {
            match from.read(&mut self.room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(len) => return Ok(self.room.split_to(len).freeze()),
            }
        }
    }
}

/// The piece, unless input has ended.
fn taken(read: io::Result<Bytes>) -> Option<Bytes> {
    match read {
        Ok(piece) => Some(piece).filter(|piece| !piece.is_empty()),
        Err(error) => {
            tracing::debug!(%error, "standard input cannot be read");
            None
        }
    }
}

/// Lets the runtime tell when there is something to read.
fn watch(stdin: File) -> io::Result<AsyncFd<File>> {
    // SAFETY: a file keeps its descriptor until it is dropped, with its registration.
    Ok(unsafe { AsyncFd::register_with_interest(stdin, Interest::READABLE) }?)
}

fn by_thread(largest: usize) -> io::Result<mpsc::Receiver<Bytes>> {
    let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (sender, pieces) = mpsc::channel(QUEUE);
    thread::Builder::new()
        .name("input".to_owned())
        // Ends with the program at the latest: a read cannot be called off.
        .spawn(move || read_all(stdin, largest, &sender))?;
    Ok(pieces)
}

fn read_all(mut from: impl Read, largest: usize, to: &mpsc::Sender<Bytes>) {
    let mut buffer = Buffer::new(largest);
    while let Some(piece) = taken(buffer.read(&mut from)) {
        if to.blocking_send(piece).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Gives little at a time.
    struct Slow(Vec<u8>);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = buffer.len().min(1000).min(self.0.len());
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0.drain(..len);
            Ok(len)
        }
    }

    #[tokio::test]
    async fn all_comes_in_bounded_pieces() {
        for largest in [LEAST, 32 << 10] {
            let all: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
            let (sender, mut pieces) = mpsc::channel(QUEUE);
            let source = Slow(all.clone());
            thread::spawn(move || read_all(source, largest, &sender));
            let mut got = Vec::new();
            while let Some(piece) = pieces.recv().await {
                assert!(!piece.is_empty() && piece.len() <= largest);
                got.extend_from_slice(&piece);
            }
            assert!(got == all, "{largest}");
        }
    }

    #[tokio::test]
    async fn a_pipe_is_read_here_until_it_ends() {
        let (reader, mut writer) = io::pipe().unwrap();
        let stdin = reopened(&reader, For::Input).unwrap();
        let mut input = Input {
            source: Source::Here {
                stdin: watch(stdin).unwrap(),
                buffer: Buffer::new(LEAST),
                large: 0,
            },
            largest: LEAST,
        };
        drop(reader);
        for key in [&b"a"[..], b"bc"] {
            writer.write_all(key).unwrap();
            assert_eq!(input.next().await.unwrap(), key);
        }
        let late = thread::spawn(move || writer.write_all(b"late"));
        assert_eq!(input.next().await.unwrap(), "late");
        late.join().unwrap().unwrap();
        assert_eq!(input.next().await, None);
    }
}
