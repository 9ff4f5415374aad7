//! A server on a pair of pipes: one message on each line.

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite};
use tokio::io::{AsyncWriteExt as _, BufReader};

use super::{MAX_MESSAGE, PARSE_ERROR, Service, answer, failed};

/// Calls under way at once; more wait.
const MAX_CALLS: usize = 64;

/// Serves until the input ends; calls under way are given up then.
///
/// # Errors
/// When the pipes break, or a message is too long.
pub async fn serve(
    service: &dyn Service,
    input: impl tokio::io::AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let mut input = BufReader::new(input);
    let mut calls = FuturesUnordered::new();
    let mut line = Vec::new();
    loop {
        tokio::select! {
            Some(answer) = calls.next() => write(&mut output, answer).await?,
            // Cancelled in the middle, what was read stays in `line`.
            read = read_line(&mut input, &mut line), if calls.len() < MAX_CALLS => {
                if !read? {
                    return Ok(());
                }
                match serde_json::from_slice::<Value>(&line) {
                    Ok(message) => {
                        calls.push(answer(service, message));
                    }
                    Err(error) if !line.trim_ascii().is_empty() => {
                        let refusal = failed(&Value::Null, PARSE_ERROR, &error.to_string());
                        write(&mut output, Some(refusal)).await?;
                    }
                    Err(_) => {}
                }
                line.clear();
            }
        }
    }
}

/// Reads to the end of a line; whether there was one.
async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> std::io::Result<bool> {
    let left = MAX_MESSAGE.saturating_sub(line.len()) as u64;
    input.take(left).read_until(b'\n', line).await?;
    if line.ends_with(b"\n") {
        return Ok(true);
    }
    if line.len() >= MAX_MESSAGE {
        let text = format!("a message of more than {MAX_MESSAGE} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, text));
    }
    Ok(!line.is_empty())
}

async fn write(
    output: &mut (impl AsyncWrite + Unpin),
    answer: Option<Value>,
) -> std::io::Result<()> {
    let Some(answer) = answer else {
        return Ok(());
    };
    let mut text = answer.to_string();
    text.push('\n');
    output.write_all(text.as_bytes()).await?;
    output.flush().await
}
