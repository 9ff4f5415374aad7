//! The listening side: HTTP/1.1 by hand, so that a test can break it anywhere.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::render::{Api, render};
use super::say::{Content, Piece, Reply};

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which interface was called.
    pub api: Option<Api>,
    /// Path and query.
    pub path: String,
    /// Headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body; null when it is not JSON.
    pub body: Value,
    /// Number of the connection it came over, from 1: equal numbers mean that it was used again.
    pub connection: usize,
}

impl Asked {
    /// The header `name` (small letters).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }
}

type Fallback = Box<dyn Fn(&Asked) -> Reply + Send>;

struct Shared {
    script: VecDeque<Reply>,
    fallback: Fallback,
    asked: Vec<Asked>,
    connections: usize,
}

/// A provider that says what it is told to say.
pub struct ModelServer {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ModelServer {
    /// Listens on a free port. Without a script it says `ok`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port for the scripted model provider");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Mutex::new(Shared {
            script: VecDeque::new(),
            fallback: Box::new(|_| Reply::text("ok")),
            asked: Vec::new(),
            connections: 0,
        }));
        let state = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let state = state.clone();
                tokio::spawn(async move {
                    let connection = {
                        let mut shared = lock(&state);
                        shared.connections += 1;
                        shared.connections
                    };
                    // A client that goes away in the middle is part of many tests.
                    let _ = serve(socket, &state, connection).await;
                });
            }
        });
        Self {
            address,
            shared,
            task,
        }
    }

    /// Address without a path: the base URL of Anthropic, Google, Azure and Bedrock.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Address with the version: the base URL of OpenAI's shapes.
    pub fn v1(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Adds what is answered to the next request that has no answer yet.
    pub fn then(&self, reply: Reply) {
        lock(&self.shared).script.push_back(reply);
    }

    /// What is answered when the script is over.
    pub fn otherwise(&self, fallback: impl Fn(&Asked) -> Reply + Send + 'static) {
        lock(&self.shared).fallback = Box::new(fallback);
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared).asked.clone()
    }

    /// The newest request.
    ///
    /// # Panics
    /// When there was none.
    pub fn last(&self) -> Asked {
        self.asked().pop().expect("the provider was asked")
    }
}

fn lock(shared: &Arc<Mutex<Shared>>) -> std::sync::MutexGuard<'_, Shared> {
    shared
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn serve(
    socket: TcpStream,
    shared: &Arc<Mutex<Shared>>,
    connection: usize,
) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut stream = BufReader::new(socket);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let asked = Asked {
            api: Api::of_path(&path),
            path,
            headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
            connection,
        };
        let reply = {
            let mut shared = lock(shared);
            shared.asked.push(asked.clone());
            match shared.script.pop_front() {
                Some(reply) => reply,
                None => (shared.fallback)(&asked),
            }
        };
        if !answer(stream.get_mut(), &asked, reply).await? {
            return Ok(());
        }
    }
}

/// Sends `reply`; whether the connection lives on.
async fn answer(socket: &mut TcpStream, asked: &Asked, reply: Reply) -> std::io::Result<bool> {
    let (content_type, pieces) = match reply.content {
        Content::Raw(pieces) => (None, pieces),
        Content::Say {
            says,
            cut_after,
            hang_after,
            drip,
            pace,
        } => {
            let (content_type, frames) = render(asked, &says);
            let mut pieces: Vec<Piece> = Vec::new();
            for (n, frame) in frames.into_iter().enumerate() {
                if cut_after == Some(n) {
                    pieces.push(Piece::Cut);
                }
                if hang_after == Some(n) {
                    pieces.push(Piece::Hang);
                }
                if drip {
                    pieces.extend(frame.into_iter().map(|byte| Piece::Bytes(vec![byte])));
                } else {
                    pieces.push(Piece::Bytes(frame));
                }
                if !pace.is_zero() {
                    pieces.push(Piece::Wait(pace));
                }
            }
            (Some(content_type), pieces)
        }
    };
    let mut head = format!(
        "HTTP/1.1 {} scripted\r\ntransfer-encoding: chunked\r\n",
        reply.status
    );
    if let Some(content_type) = content_type {
        head.push_str(&format!("content-type: {content_type}\r\n"));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    socket.write_all(head.as_bytes()).await?;
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => chunk(socket, &bytes).await?,
            Piece::Repeat(bytes, times) => {
                for _ in 0..times {
                    chunk(socket, &bytes).await?;
                }
            }
            Piece::Wait(time) => tokio::time::sleep(time).await,
            Piece::Cut => return Ok(false),
            Piece::Hang => {
                // Until the client goes away.
                let mut rest = [0; 1];
                let _ = socket.read(&mut rest).await;
                return Ok(false);
            }
        }
    }
    socket.write_all(b"0\r\n\r\n").await?;
    Ok(true)
}

async fn chunk(socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut whole = format!("{:x}\r\n", bytes.len()).into_bytes();
    whole.extend_from_slice(bytes);
    whole.extend_from_slice(b"\r\n");
    socket.write_all(&whole).await
}
