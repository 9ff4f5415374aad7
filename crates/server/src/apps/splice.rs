//! Two streams joined, for connections that were switched to another protocol.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// Bytes moved at once, each way.
const COPY: usize = 16 << 10;
/// Once one side has ended, the other goes on for as long as something moves in such a time: what
/// is left to say follows at once, and a peer that never ends its side would hold both for ever.
const REST: Duration = Duration::from_secs(30);

/// Carries bytes both ways, with back pressure, until both sides have ended, or either fails.
pub(super) async fn splice<A, B>(a: A, b: B)
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (read_a, write_a) = tokio::io::split(a);
    let (read_b, write_b) = tokio::io::split(b);
    let moved = AtomicU64::new(0);
    let there = carry(read_a, write_b, &moved);
    let back = carry(read_b, write_a, &moved);
    tokio::pin!(there, back);
    tokio::select! {
        ended = &mut there => if ended.is_ok() {
            rest(back, &moved).await;
        },
        ended = &mut back => if ended.is_ok() {
            rest(there, &moved).await;
        },
    }
}

/// The direction that is left.
async fn rest(direction: impl Future<Output = io::Result<()>>, moved: &AtomicU64) {
    tokio::pin!(direction);
    loop {
        let before = moved.load(Ordering::Relaxed);
        let ended = timeout(REST, &mut direction).await.is_ok();
        if ended || moved.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    moved: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; COPY];
    loop {
        let size = from.read(&mut buffer).await?;
        if size == 0 {
            return to.shutdown().await;
        }
        let mut left = &buffer[..size];
        while !left.is_empty() {
            let written = to.write(left).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            moved.fetch_add(written as u64, Ordering::Relaxed);
            left = &left[written..];
        }
        to.flush().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rest_follows_and_then_nothing_is_held() {
        let (mut browser, here) = tokio::io::duplex(64);
        let (there, mut app) = tokio::io::duplex(64);
        let spliced = tokio::spawn(splice(here, there));
        browser.write_all(b"ask").await.unwrap();
        browser.shutdown().await.unwrap();
        let mut asked = String::new();
        app.read_to_string(&mut asked).await.unwrap();
        assert_eq!(asked, "ask");
        // Slowly, but it moves.
        for _ in 0..10 {
            tokio::time::sleep(REST / 2).await;
            app.write_all(b"x").await.unwrap();
        }
        // And then no more, without an end.
        let mut answer = String::new();
        browser.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "x".repeat(10));
        spliced.await.unwrap();
        assert!(app.write_all(b"late").await.is_err());
    }

    #[tokio::test]
    async fn a_failure_ends_both() {
        let (browser, here) = tokio::io::duplex(64);
        let (there, mut app) = tokio::io::duplex(64);
        let spliced = tokio::spawn(splice(here, there));
        drop(browser);
        app.write_all(b"nobody reads this").await.unwrap();
        spliced.await.unwrap();
    }
}
