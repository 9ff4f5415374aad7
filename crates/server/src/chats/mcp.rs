//! The MCP servers that a chat may use: connected to once, and kept while they are in use, so that
//! turns after the first do not wait for them.

use std::sync::Arc;
use std::time::Duration;

use authz::Subject;
use chat::tools::mcp::{OfOrganization, RemoteServer, RemoteTool, reach};
use control::Control;
use control::mcp::{ChatHeaders, McpServer};
use futures::future::{BoxFuture, join_all};
use mcp::{Called, Error, Remote, Tool, channel};
use moka::future::Cache;
use serde_json::{Map, Value};
use store::chats::ChatRow;
use uuid::Uuid;

/// How long a server may take to be reached and tell its tools.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection that nobody used for so long is closed.
const IDLE: Duration = Duration::from_mins(5);
/// Tools are asked for anew after so long; tokens are looked at then, too.
const LIVES: Duration = Duration::from_mins(10);
/// A server that failed is left in peace for so long.
const RETRY: Duration = Duration::from_secs(30);
/// Connections of this process.
const MAX_SESSIONS: u64 = 1024;

/// Which connection: what differs in any of it is not shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    server: Uuid,
    /// Of the server's settings.
    version: i64,
    owner: Uuid,
    /// Of the owner's access to the server.
    access: i64,
    /// For servers that are told whose chat asks.
    chat: Option<(Uuid, Option<Uuid>)>,
}

/// A connection, with the tools behind it.
struct Session {
    remote: Remote,
    tools: Vec<Tool>,
}

/// The connections of this process. Cheap to clone.
#[derive(Clone)]
pub(super) struct McpServers {
    control: Control,
    sessions: Cache<Key, Arc<Session>>,
    failed: Cache<Key, ()>,
}

impl McpServers {
    pub(super) fn new(control: Control) -> Self {
        let sessions = Cache::builder()
            .max_capacity(MAX_SESSIONS)
            .time_to_idle(IDLE)
            .time_to_live(LIVES)
            .eviction_listener(|_, session: Arc<Session>, _| {
                tokio::spawn(async move {
                    let goodbye = tokio::time::timeout(CONNECT, session.remote.close());
                    if goodbye.await.is_err() {
                        tracing::debug!("an MCP server took too long to hear goodbye");
                    }
                });
            });
        McpServers {
            control,
            sessions: sessions.build(),
            failed: Cache::builder()
                .max_capacity(MAX_SESSIONS)
                .time_to_live(RETRY)
                .build(),
        }
    }

    /// The tools that a chat may use, of all servers that can be reached.
    pub(super) async fn tools(&self, chat: &ChatRow, owner: &Subject) -> Vec<RemoteTool> {
        let allowed = reach(chat).organization;
        if allowed == OfOrganization::None {
            return Vec::new();
        }
        let servers =
            self.control
                .mcp_servers_of_chat(owner, chat.organization_id, &chat.mcp_server_ids);
        let servers = match servers.await {
            Ok(servers) => servers,
            Err(error) => {
                tracing::warn!(%error, chat = %chat.id, "chats: MCP servers are left out");
                return Vec::new();
            }
        };
        let inline = self.control.mcp_inline_of_chat(chat).await;
        let inline = inline.unwrap_or_else(|error| {
            tracing::warn!(%error, chat = %chat.id, "chats: MCP servers of its own are left out");
            Vec::new()
        });
        let usable = servers
            .into_iter()
            .chain(inline)
            .filter(|server| allowed == OfOrganization::All || server.fields().allow_in_plan_mode);
        let offered = usable.map(|server| self.offered(server, chat, owner));
        join_all(offered).await.into_iter().flatten().collect()
    }

    /// The tools of one server; none if it cannot be reached.
    async fn offered(&self, server: McpServer, chat: &ChatRow, owner: &Subject) -> Vec<RemoteTool> {
        let way = Way {
            servers: self.clone(),
            access: self.control.mcp_access_version(owner, &server).await,
            server,
            owner: owner.clone(),
            chat: headers(chat),
        };
        let key = way.key();
        if self.failed.contains_key(&key) {
            return Vec::new();
        }
        let session = match way.session().await {
            Ok(session) => session,
            Err(error) => {
                let server = &way.server.fields().slug;
                tracing::warn!(error, server, chat = %chat.id, "chats: an MCP server is left out");
                self.failed.insert(key, ()).await;
                return Vec::new();
            }
        };
        let fields = way.server.fields();
        let (allow, deny) = (&fields.tool_allow_list, &fields.tool_deny_list);
        // With a list of what may be used, the other says nothing.
        let may = |tool: &&Tool| {
            if allow.is_empty() {
                !deny.contains(&tool.name)
            } else {
                allow.contains(&tool.name)
            }
        };
        let (id, slug, tells) = (
            way.server.known_as(),
            fields.slug.clone(),
            fields.model_intent,
        );
        let tools: Vec<Tool> = session.tools.iter().filter(may).cloned().collect();
        let way: Arc<dyn RemoteServer> = Arc::new(way);
        tools
            .into_iter()
            .map(|tool| RemoteTool::new(id, &slug, tool, tells, way.clone()))
            .collect()
    }
}

fn headers(chat: &ChatRow) -> ChatHeaders {
    ChatHeaders {
        owner: chat.owner_id,
        chat: chat.parent_chat_id.unwrap_or(chat.id),
        helper: chat.parent_chat_id.map(|_| chat.id),
        workspace: chat.workspace_id,
    }
}

/// The way to one server for one chat.
struct Way {
    servers: McpServers,
    server: McpServer,
    access: i64,
    owner: Subject,
    chat: ChatHeaders,
}

impl Way {
    fn key(&self) -> Key {
        let told = self.server.fields().forward_coder_headers;
        Key {
            server: self.server.id(),
            version: self.server.version(),
            owner: self.chat.owner,
            access: self.access,
            chat: told.then_some((
                self.chat.helper.unwrap_or(self.chat.chat),
                self.chat.workspace,
            )),
        }
    }

    /// The connection; made, if there is none. Who asks at once waits for one.
    async fn session(&self) -> Result<Arc<Session>, String> {
        let made = self.servers.sessions.try_get_with(self.key(), async {
            let connected = tokio::time::timeout(CONNECT, async {
                let remote =
                    self.servers
                        .control
                        .mcp_server_reach(&self.owner, &self.server, self.chat);
                let remote = remote.await.map_err(|error| error.to_string())?;
                let tools = mcp::open(&remote, "coder").await;
                let tools = tools.map_err(|error| error.to_string())?;
                Ok::<_, String>(Arc::new(Session { remote, tools }))
            });
            connected
                .await
                .unwrap_or_else(|_| Err(Error::Timeout.to_string()))
        });
        made.await.map_err(|error: Arc<String>| error.to_string())
    }

    async fn forget(&self) {
        self.servers.sessions.invalidate(&self.key()).await;
    }
}

impl RemoteServer for Way {
    fn call<'a>(
        &'a self,
        tool: &'a str,
        arguments: &'a Map<String, Value>,
    ) -> BoxFuture<'a, Result<Called, String>> {
        Box::pin(async move {
            let session = self.session().await?;
            match channel::call(&session.remote, tool, arguments).await {
                Ok(called) => Ok(called),
                // It did not run: a new conversation, with another token, may do better.
                Err(Error::SessionLost | Error::Unauthorized) => {
                    self.forget().await;
                    let session = self.session().await?;
                    let again = channel::call(&session.remote, tool, arguments).await;
                    again.map_err(|error| error.to_string())
                }
                Err(error @ Error::Refused(_)) => Err(error.to_string()),
                Err(error) => {
                    self.forget().await;
                    Err(error.to_string())
                }
            }
        })
    }
}
