//! A server that is a program: one message on each line.

use std::collections::BTreeMap;
use std::process::Stdio;

use ::mcp::{Channel, Error, protocol};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use super::ToolError;
use crate::account::Account;
use crate::environment;
use crate::workspace::Workspace;

/// Bytes of a message: an image, for instance.
const MAX_MESSAGE: u64 = 16 * 1024 * 1024;

/// The program; it ends when this is dropped.
#[derive(Debug)]
pub struct Connection {
    _child: Child,
    /// One conversation at a time: an answer is read by whoever asked.
    pipes: Mutex<Pipes>,
}

#[derive(Debug)]
struct Pipes {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Connection {
    /// Starts the program in the workspace's environment.
    pub fn start(
        workspace: &Workspace,
        command: &str,
        args: &[String],
        env: &BTreeMap<String, String>,
    ) -> Result<Self, ToolError> {
        let manifest = workspace
            .manifest()
            .ok_or_else(|| std::io::Error::other(crate::workspace::NotReady))?;
        let account = Account::current();
        let variables = environment::environment(&workspace.config, &manifest, &account, &[]);
        let directory = manifest.directory.as_ref().filter(|d| d.is_dir());
        let mut child = Command::new(command)
            .args(args)
            .env_clear()
            .envs(variables)
            .envs(env)
            .current_dir(directory.unwrap_or(&account.home))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("no pipes").into());
        };
        Ok(Self {
            _child: child,
            pipes: Mutex::new(Pipes {
                input,
                output: BufReader::new(output),
                next: 0,
            }),
        })
    }
}

fn broken(error: std::io::Error) -> Error {
    Error::Unreachable(error.to_string())
}

impl Channel for Connection {
    async fn request(&self, method: &str, params: Value) -> Result<Value, Error> {
        let mut pipes = self.pipes.lock().await;
        pipes.next += 1;
        let id = pipes.next;
        pipes.send(&protocol::request(id, method, &params)).await?;
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut pipes.output).take(MAX_MESSAGE);
            let read = bounded.read_until(b'\n', &mut line).await;
            if read.map_err(broken)? == 0 {
                return Err(Error::Protocol("the server has ended".into()));
            }
            if line.len() as u64 == MAX_MESSAGE {
                let text = format!("a message of more than {MAX_MESSAGE} bytes");
                return Err(Error::Protocol(text));
            }
            // Some servers print other things first.
            let Ok(message) = serde_json::from_slice(&line) else {
                continue;
            };
            if let Some(reply) = protocol::reply(&message) {
                pipes.send(&reply).await?;
            } else if let Some(answer) = protocol::answer(message, id) {
                return answer;
            }
        }
    }

    async fn notify(&self, method: &str) -> Result<(), Error> {
        let message = protocol::notification(method, &json!({}));
        self.pipes.lock().await.send(&message).await
    }
}

impl Pipes {
    async fn send(&mut self, message: &Value) -> Result<(), Error> {
        let mut line = message.to_string();
        line.push('\n');
        self.input
            .write_all(line.as_bytes())
            .await
            .map_err(broken)?;
        self.input.flush().await.map_err(broken)
    }
}
