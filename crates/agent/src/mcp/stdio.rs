//! A server that is a program: one message on each line.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{ToolError, protocol};
use crate::account::Account;
use crate::environment;
use crate::workspace::Workspace;

/// Bytes of a message: an image, for instance.
const MAX_MESSAGE: u64 = 16 * 1024 * 1024;

/// The program; it ends when this is dropped.
#[derive(Debug)]
pub struct Connection {
    _child: Child,
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
            input,
            output: BufReader::new(output),
            next: 0,
        })
    }

    /// Sends a request and waits for its answer.
    pub async fn request(&mut self, method: &str, params: Value) -> Result<Value, ToolError> {
        self.next += 1;
        let id = self.next;
        self.send(&protocol::request(id, method, &params)).await?;
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut self.output).take(MAX_MESSAGE);
            if bounded.read_until(b'\n', &mut line).await? == 0 {
                return Err(ToolError::Protocol("the server has ended".into()));
            }
            if line.len() as u64 == MAX_MESSAGE {
                let text = format!("a message of more than {MAX_MESSAGE} bytes");
                return Err(ToolError::Protocol(text));
            }
            // Some servers print other things first.
            let Ok(message) = serde_json::from_slice(&line) else {
                continue;
            };
            if let Some(answer) = protocol::answer(message, id) {
                return answer;
            }
        }
    }

    /// Sends a message that wants no answer.
    pub async fn notify(&mut self, method: &str) -> Result<(), ToolError> {
        self.send(&protocol::notification(method)).await
    }

    async fn send(&mut self, message: &Value) -> Result<(), ToolError> {
        let mut line = message.to_string();
        line.push('\n');
        self.input.write_all(line.as_bytes()).await?;
        Ok(self.input.flush().await?)
    }
}
