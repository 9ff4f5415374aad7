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

/// A connection, with the tools behind it. It ends when nobody uses it any more, and not when others
/// are to use another one: calls may be under way.
struct Session {
    remote: Arc<Remote>,
    tools: Vec<Tool>,
}

impl Drop for Session {
    fn drop(&mut self) {
        let remote = self.remote.clone();
        // Without a runtime the process ends, and its connections with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let goodbye = tokio::time::timeout(CONNECT, remote.close());
                if goodbye.await.is_err() {
                    tracing::debug!("an MCP server took too long to hear goodbye");
                }
            });
        }
    }
}

type Sessions = Cache<Key, Arc<Session>>;

/// Connections to be used again.
fn kept() -> Sessions {
    Cache::builder()
        .max_capacity(MAX_SESSIONS)
        .time_to_idle(IDLE)
        .time_to_live(LIVES)
        .build()
}

/// The connections of this process. Cheap to clone.
#[derive(Clone)]
pub(super) struct McpServers {
    control: Control,
    sessions: Sessions,
    failed: Cache<Key, ()>,
}

impl McpServers {
    pub(super) fn new(control: Control) -> Self {
        McpServers {
            control,
            sessions: kept(),
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
                let remote = Arc::new(remote);
                Ok::<_, String>(Arc::new(Session { remote, tools }))
            });
            connected
                .await
                .unwrap_or_else(|_| Err(Error::Timeout.to_string()))
        });
        made.await.map_err(|error: Arc<String>| error.to_string())
    }

    /// Whoever calls next makes another connection, unless somebody did already.
    async fn forget(&self, session: &Arc<Session>) {
        let key = self.key();
        let kept = self.servers.sessions.get(&key).await;
        if kept.is_some_and(|kept| Arc::ptr_eq(&kept, session)) {
            self.servers.sessions.invalidate(&key).await;
        }
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
            match channel::call(&*session.remote, tool, arguments).await {
                Ok(called) => Ok(called),
                // It did not run: a new conversation, with another token, may do better.
                Err(Error::SessionLost | Error::Unauthorized) => {
                    self.forget(&session).await;
                    let session = self.session().await?;
                    let again = channel::call(&*session.remote, tool, arguments).await;
                    again.map_err(|error| error.to_string())
                }
                Err(error @ Error::Refused(_)) => Err(error.to_string()),
                Err(error) => {
                    self.forget(&session).await;
                    Err(error.to_string())
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::Json;
    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::IntoResponse as _;
    use axum::routing::post;
    use mcp::guard::{Guard, Web};
    use mcp::{Target, Transport};
    use serde_json::json;
    use tokio::sync::mpsc;

    use super::*;

    type Goodbyes = mpsc::UnboundedSender<()>;

    /// Answers what belongs to its session, until it hears goodbye.
    async fn answer(headers: HeaderMap, Json(message): Json<Value>) -> axum::response::Response {
        let result = match message["method"].as_str().unwrap_or_default() {
            "initialize" => json!({ "protocolVersion": "2025-06-18" }),
            _ if headers.get("mcp-session-id").is_none() => {
                return StatusCode::BAD_REQUEST.into_response();
            }
            "tools/list" => json!({ "tools": [{ "name": "echo" }] }),
            _ => json!({ "content": [{ "type": "text", "text": "still here" }] }),
        };
        let answer = Json(json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }));
        ([("mcp-session-id", "one")], answer).into_response()
    }

    async fn goodbye(State(heard): State<Goodbyes>) {
        let _ = heard.send(());
    }

    #[tokio::test]
    async fn a_connection_ends_with_its_last_user() {
        let (heard, mut goodbyes) = mpsc::unbounded_channel();
        let router = axum::Router::new()
            .route("/", post(answer).delete(goodbye))
            .with_state(heard);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let here = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let web = Web::new(here, client::system_tls().unwrap()).unwrap();
        let target = Target {
            transport: Transport::StreamableHttp,
            url: url.parse().unwrap(),
            headers: HeaderMap::new(),
        };
        let remote = Arc::new(web.remote(target).await.unwrap());
        let tools = mcp::open(&*remote, "coder").await.unwrap();
        let session = Arc::new(Session { remote, tools });
        let kept = kept();
        let key = Key {
            server: Uuid::nil(),
            version: 1,
            owner: Uuid::nil(),
            access: 0,
            chat: None,
        };
        kept.insert(key, session.clone()).await;
        // Another call of it failed.
        kept.invalidate(&key).await;
        kept.run_pending_tasks().await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let called = channel::call(&*session.remote, "echo", &Map::new()).await;
        assert_eq!(called.unwrap().content[0].text, "still here");
        assert!(goodbyes.try_recv().is_err(), "it was closed while in use");
        drop(session);
        goodbyes.recv().await.unwrap();
    }
}
