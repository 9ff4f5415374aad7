//! What comes by this program's standard input.
//!
//! A thread reads, for the same reasons as in [`super::output`]. It reads a little ahead, so that bulk
//! input costs no change of threads for each piece.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::thread;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

/// Pieces that may wait.
const QUEUE: usize = 4;
/// A new buffer is taken once less than this is left of the old one.
const LEAST: usize = 4 << 10;

/// Begins to read standard input, in pieces of at most `largest` bytes. The end of input, or an error,
/// ends the pieces.
///
/// # Errors
/// When the system has no thread or descriptor for it.
pub fn pieces(largest: usize) -> io::Result<mpsc::Receiver<Bytes>> {
    let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (sender, pieces) = mpsc::channel(QUEUE);
    thread::Builder::new()
        .name("input".to_owned())
        // Ends with the program at the latest: a read cannot be called off.
        .spawn(move || read_all(stdin, largest, &sender))?;
    Ok(pieces)
}

fn read_all(mut from: impl Read, largest: usize, to: &mpsc::Sender<Bytes>) {
    let mut buffer = BytesMut::new();
    loop {
        if buffer.len() < LEAST {
            buffer = BytesMut::zeroed(largest);
        }
        let len = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                tracing::debug!(%error, "standard input cannot be read");
                return;
            }
        };
        if to.blocking_send(buffer.split_to(len).freeze()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
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
}
