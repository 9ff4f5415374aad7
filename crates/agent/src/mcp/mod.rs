//! MCP servers that the workspace configures: the agent runs them, tells which
//! tools they have, and calls these for those who ask.

mod config;
mod stdio;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderName, HeaderValue};
pub use ::mcp::Tool;
use ::mcp::names::SEPARATOR;
use ::mcp::{Channel, Error, Remote, Target, channel};
use api_types::{CallMcpToolRequest, CallMcpToolResponse};
use futures::future::join_all;
use serde_json::Value;
use tokio::sync::Mutex;

pub use config::check;
use config::{ServerConfig, Transport};

use crate::workspace::Workspace;

/// How we introduce ourselves to servers.
const CLIENT: &str = "coder-agent";
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
    /// It failed when it was last tried.
    #[error("the MCP server is not there: {0}")]
    Failed(String),
    /// It could not be started.
    #[error("the MCP server could not be run: {0}")]
    Io(#[from] std::io::Error),
    /// It gave no answer, or another than we asked for.
    #[error(transparent)]
    Answer(#[from] Error),
}

/// A connection to a server.
#[derive(Debug)]
enum Connection {
    Stdio(Box<stdio::Connection>),
    Remote(Box<Remote>),
}

impl Channel for Connection {
    async fn request(&self, method: &str, params: Value) -> Result<Value, Error> {
        match self {
            Self::Stdio(connection) => connection.request(method, params).await,
            Self::Remote(remote) => remote.request(method, params).await,
        }
    }

    async fn notify(&self, method: &str) -> Result<(), Error> {
        match self {
            Self::Stdio(connection) => connection.notify(method).await,
            Self::Remote(remote) => remote.notify(method).await,
        }
    }
}

/// A server that runs.
#[derive(Debug)]
struct Server {
    connection: Connection,
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
    /// Held while servers are started, so that none is started twice. Those that run can be called
    /// meanwhile.
    starting: Mutex<()>,
}

impl Tools {
    /// No server runs yet.
    pub fn new(workspace: Arc<Workspace>) -> Self {
        Self {
            workspace,
            known: Mutex::default(),
            starting: Mutex::default(),
        }
    }

    /// Every server that these files configure; those that do not run are started.
    pub async fn list(&self, files: &[PathBuf]) -> Vec<Listed> {
        let _starting = self.starting.lock().await;
        let mut configured = config::read_all(files);
        {
            let mut known = self.known.lock().await;
            known.retain(|name, known| configured.get(name) == Some(&known.config));
            configured.retain(|name, _| {
                !known.get(name).is_some_and(|known| match &known.server {
                    Ok(_) => true,
                    Err((at, _)) => at.elapsed() < RETRY,
                })
            });
        }
        // At once: one that hangs keeps no other waiting.
        let started = configured.into_iter().map(|(name, config)| async {
            let server = self.start(&config).await;
            (name, Known { config, server })
        });
        let started = join_all(started).await;
        let mut known = self.known.lock().await;
        known.extend(started);
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
        match started.unwrap_or(Err(Error::Timeout.into())) {
            Ok(server) => Ok(Arc::new(server)),
            Err(error) => {
                tracing::warn!(server = config.name, %error, "an MCP server could not be started");
                Err((Instant::now(), error.to_string()))
            }
        }
    }

    async fn connect(&self, config: &ServerConfig) -> Result<Server, ToolError> {
        let connection = match &config.transport {
            Transport::Stdio { command, args, env } => {
                let started = stdio::Connection::start(&self.workspace, command, args, env)?;
                Connection::Stdio(Box::new(started))
            }
            Transport::Http { kind, url, headers } => {
                let client = self.workspace.config.client();
                let tls = rustls::ClientConfig::clone(client.tls_config());
                let http = reqwest::Client::builder().tls_backend_preconfigured(tls);
                let url: reqwest::Url = url.parse().map_err(std::io::Error::other)?;
                // No proxy leads to this machine, whatever the environment says.
                let http = match url.host_str() {
                    Some(host) if tunnel::is_loopback_host(host) => http.no_proxy(),
                    _ => http,
                };
                let http = http.build().map_err(Error::from)?;
                let target = Target {
                    transport: *kind,
                    url,
                    headers: header_map(headers)?,
                };
                Connection::Remote(Box::new(Remote::connect(http, target).await?))
            }
        };
        let tools = ::mcp::open(&connection, CLIENT).await?;
        Ok(Server { connection, tools })
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
            Some(Err((_, error))) => Some(Err(ToolError::Failed(error.clone()))),
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
        let call = channel::call(&found.connection, tool, &request.arguments);
        let answer = tokio::time::timeout(CALL, call).await;
        let answer = answer.unwrap_or(Err(Error::Timeout));
        if !matches!(answer, Ok(_) | Err(Error::Refused(_))) {
            // It may be in the middle of anything: the next call starts it anew.
            self.known.lock().await.remove(server);
        }
        Ok(answer?)
    }
}

fn header_map(headers: &BTreeMap<String, String>) -> std::io::Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().map_err(std::io::Error::other)?;
        let value: HeaderValue = value.parse().map_err(std::io::Error::other)?;
        map.insert(name, value);
    }
    Ok(map)
}

#[cfg(test)]
mod tests;
