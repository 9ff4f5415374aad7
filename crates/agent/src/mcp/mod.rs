//! MCP servers that the workspace configures: the agent runs them, tells which
//! tools they have, and calls these for those who ask.

mod config;
mod http;
mod protocol;
mod stdio;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api_types::{CallMcpToolRequest, CallMcpToolResponse};
use serde_json::{Value, json};
use tokio::sync::Mutex;

pub use config::check;
use config::{ServerConfig, Transport};
pub use protocol::Tool;

use crate::workspace::Workspace;

/// Between the names of a server and of its tool.
const SEPARATOR: &str = "__";
/// How long a server may take to start and tell its tools.
const CONNECT: Duration = Duration::from_secs(30);
/// How long a tool may take.
const CALL: Duration = Duration::from_mins(1);
/// A server that could not be reached is tried again after this.
const RETRY: Duration = Duration::from_mins(5);

/// Why a tool was not called.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The name makes no sense.
    #[error("invalid tool name {0:?}: it must be server{SEPARATOR}tool")]
    Name(String),
    /// No such server is configured.
    #[error("unknown MCP server {0:?}")]
    Server(String),
    /// It could not be started or reached.
    #[error("the MCP server could not be run: {0}")]
    Io(#[from] std::io::Error),
    /// It speaks something else.
    #[error("the MCP server broke the protocol: {0}")]
    Protocol(String),
    /// It refused.
    #[error("the MCP server answered with an error: {0}")]
    Refused(String),
    /// It was too slow.
    #[error("the MCP server did not answer in time")]
    Timeout,
}

/// A connection to a server.
#[derive(Debug)]
enum Connection {
    Stdio(Box<stdio::Connection>),
    Http(http::Connection),
}

impl Connection {
    async fn request(&mut self, method: &str, params: Value) -> Result<Value, ToolError> {
        match self {
            Self::Stdio(connection) => connection.request(method, params).await,
            Self::Http(connection) => connection.request(method, params).await,
        }
    }

    async fn notify(&mut self, method: &str) -> Result<(), ToolError> {
        match self {
            Self::Stdio(connection) => connection.notify(method).await,
            Self::Http(connection) => connection.notify(method).await,
        }
    }
}

/// A server that runs.
#[derive(Debug)]
struct Server {
    connection: Mutex<Connection>,
    tools: Vec<Tool>,
}

/// A server that is configured, as far as it is known.
#[derive(Debug, Clone)]
struct Known {
    config: ServerConfig,
    server: Result<Arc<Server>, (Instant, String)>,
}

/// A server and its tools, or why there are none.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it offers.
    pub tools: Result<Vec<Tool>, String>,
}

/// The servers of a workspace.
#[derive(Debug)]
pub struct Tools {
    workspace: Arc<Workspace>,
    known: Mutex<BTreeMap<String, Known>>,
}

impl Tools {
    /// No server runs yet.
    pub fn new(workspace: Arc<Workspace>) -> Self {
        Self {
            workspace,
            known: Mutex::default(),
        }
    }

    /// Every server that these files configure; those that do not run are started.
    pub async fn list(&self, files: &[PathBuf]) -> Vec<Listed> {
        let configured = config::read_all(files);
        let mut known = self.known.lock().await;
        known.retain(|name, known| configured.get(name) == Some(&known.config));
        for (name, config) in configured {
            let current = known.get(&name).is_some_and(|known| match &known.server {
                Ok(_) => true,
                Err((at, _)) => at.elapsed() < RETRY,
            });
            if !current {
                let server = self.start(&config).await;
                known.insert(name, Known { config, server });
            }
        }
        let listed = |(name, known): (&String, &Known)| Listed {
            name: name.clone(),
            tools: match &known.server {
                Ok(server) => Ok(server.tools.clone()),
                Err((_, error)) => Err(error.clone()),
            },
        };
        known.iter().map(listed).collect()
    }

    async fn start(&self, config: &ServerConfig) -> Result<Arc<Server>, (Instant, String)> {
        let started = tokio::time::timeout(CONNECT, self.connect(config)).await;
        match started.unwrap_or(Err(ToolError::Timeout)) {
            Ok(server) => Ok(Arc::new(server)),
            Err(error) => {
                tracing::warn!(server = config.name, %error, "an MCP server could not be started");
                Err((Instant::now(), error.to_string()))
            }
        }
    }

    async fn connect(&self, config: &ServerConfig) -> Result<Server, ToolError> {
        let mut connection = match &config.transport {
            Transport::Stdio { command, args, env } => {
                let started = stdio::Connection::start(&self.workspace, command, args, env)?;
                Connection::Stdio(Box::new(started))
            }
            Transport::Http { url, headers } => {
                let client = self.workspace.config.client();
                let tls = rustls::ClientConfig::clone(client.tls_config());
                Connection::Http(http::Connection::new(url, headers, tls)?)
            }
        };
        connection
            .request("initialize", protocol::initialize())
            .await?;
        connection.notify("notifications/initialized").await?;
        let tools = protocol::tools(connection.request("tools/list", json!({})).await?)?;
        Ok(Server {
            connection: Mutex::new(connection),
            tools,
        })
    }

    /// Calls a tool by `server__tool`.
    pub async fn call(
        &self,
        files: &[PathBuf],
        request: &CallMcpToolRequest,
    ) -> Result<CallMcpToolResponse, ToolError> {
        let name = &request.tool_name;
        let (server, tool) = name
            .split_once(SEPARATOR)
            .filter(|(server, tool)| !server.is_empty() && !tool.is_empty())
            .ok_or_else(|| ToolError::Name(name.clone()))?;
        let running = |known: &BTreeMap<String, Known>| match known.get(server).map(|k| &k.server) {
            Some(Ok(server)) => Some(Ok(server.clone())),
            Some(Err((_, error))) => Some(Err(ToolError::Refused(error.clone()))),
            None => None,
        };
        let known = running(&*self.known.lock().await);
        let found = match known {
            Some(found) => found?,
            None => {
                self.list(files).await;
                let known = self.known.lock().await;
                running(&known).ok_or_else(|| ToolError::Server(server.to_owned()))??
            }
        };
        let params = json!({ "name": tool, "arguments": request.arguments });
        let call = async {
            let mut connection = found.connection.lock().await;
            connection.request("tools/call", params).await
        };
        let answer = tokio::time::timeout(CALL, call).await;
        let answer = answer.unwrap_or(Err(ToolError::Timeout));
        if !matches!(answer, Ok(_) | Err(ToolError::Refused(_))) {
            // It may be in the middle of anything: the next call starts it anew.
            self.known.lock().await.remove(server);
        }
        protocol::called(answer?)
    }
}

#[cfg(test)]
mod tests;
