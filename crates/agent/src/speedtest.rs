//! Measures the tunnel: sends or takes as fast as it can for a while.

use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// The version of the exchange.
const VERSION: u32 = 2;
/// Bounds of a test.
const DURATION: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
/// Longest request.
const MAX_REQUEST: u64 = 1024;
/// Bytes written at once.
const BLOCK: usize = 64 * 1024;

#[derive(Debug, Deserialize)]
struct Request {
    version: u32,
    /// Nanoseconds.
    time: u64,
    /// 0: to the client, 1: from the client.
    direction: u32,
}

impl Request {
    fn check(&self) -> Result<Duration, &'static str> {
        let time = Duration::from_nanos(self.time);
        match self {
            Self { version, .. } if *version != VERSION => {
                Err("unknown version; this is version 2")
            }
            Self { direction: 2.., .. } => Err("unknown direction"),
            _ if time < DURATION.0 || time > DURATION.1 => {
                Err("the test must take 5 to 30 seconds")
            }
            _ => Ok(time),
        }
    }
}

/// Serves one test. A client that leaves ends it.
pub async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin) {
    if let Err(error) = run(stream).await {
        tracing::debug!(%error, "a speed test ended early");
    }
}

async fn run(stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = BufReader::with_capacity(BLOCK, reader);
    let mut line = Vec::new();
    (&mut reader)
        .take(MAX_REQUEST)
        .read_until(b'\n', &mut line)
        .await?;
    let request: Request = serde_json::from_slice(&line)?;
    let time = match request.check() {
        Ok(time) => time,
        Err(error) => {
            let answer = serde_json::json!({ "error": error }).to_string() + "\n";
            writer.write_all(answer.as_bytes()).await?;
            return writer.shutdown().await;
        }
    };
    writer.write_all(b"{}\n").await?;
    if request.direction == 0 {
        let block = vec![0x55; BLOCK];
        let end = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < end {
            writer.write_all(&block).await?;
        }
    } else {
        while !reader.fill_buf().await?.is_empty() {
            let n = reader.buffer().len();
            reader.consume(n);
        }
    }
    writer.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(request: &str) -> String {
        let (mut ours, theirs) = tokio::io::duplex(4096);
        ours.write_all(request.as_bytes()).await.unwrap();
        ours.shutdown().await.unwrap();
        serve(theirs).await;
        let mut answer = String::new();
        ours.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn uploads_are_taken_to_their_end() {
        let request = "{\"version\":2,\"time\":5000000000,\"direction\":1}\nsome data";
        assert_eq!(ask(request).await, "{}\n");
    }

    #[tokio::test]
    async fn impossible_tests_are_refused() {
        for request in [
            r#"{"version":1,"time":5000000000,"direction":1}"#,
            r#"{"version":2,"time":5000000000,"direction":7}"#,
            r#"{"version":2,"time":5,"direction":0}"#,
        ] {
            assert!(
                ask(&format!("{request}\n")).await.contains("error"),
                "{request}"
            );
        }
        assert_eq!(ask("nonsense\n").await, "");
    }

    #[tokio::test(start_paused = true)]
    async fn downloads_last_as_long_as_asked() {
        let (mut ours, theirs) = tokio::io::duplex(BLOCK);
        let server = tokio::spawn(serve(theirs));
        ours.write_all(b"{\"version\":2,\"time\":5000000000,\"direction\":0}\n")
            .await
            .unwrap();
        let began = tokio::time::Instant::now();
        let mut buffer = vec![0; BLOCK];
        while ours.read(&mut buffer).await.unwrap() > 0 {
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        server.await.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(5));
    }
}
