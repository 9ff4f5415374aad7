//! Chats of a deployment, with a model provider that says what a test wants.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::model::{Asked, ModelServer, Reply};
use tokio::runtime::Runtime;

use crate::{command::eventually, server::Server};

/// The key of the model provider.
pub const KEY: &str = "sk-test-0123456789";
/// How long a chat may take to come to rest on a slow machine.
const REST: Duration = Duration::from_mins(2);

/// A scripted model provider that outlives the servers that call it.
pub struct Provider {
    runtime: Runtime,
    server: Option<ModelServer>,
}

impl Provider {
    /// Starts it; `script` answers each request.
    pub fn start(script: impl Fn(&Asked) -> Reply + Send + 'static) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let server = runtime.block_on(ModelServer::start());
        server.otherwise(script);
        Ok(Self {
            runtime,
            server: Some(server),
        })
    }

    /// All requests for answers to `text`: those that offer tools, and whose newest message of
    /// the user it is.
    pub fn asked(&self, text: &str) -> Vec<Asked> {
        let all = self.server.as_ref().map(ModelServer::asked);
        let mut all = all.unwrap_or_default();
        all.retain(|asked| has_tools(asked) && newest_text(asked) == text);
        all
    }

    /// Its base URL, with the version.
    pub fn url(&self) -> String {
        self.server
            .as_ref()
            .map(ModelServer::v1)
            .unwrap_or_default()
    }

    /// Makes it the provider of a deployment, with one model.
    pub fn configure(&self, server: &Server) -> Result<()> {
        self.configure_as(server, "openai-compat", "scripted")
    }

    /// The same, as a provider of this type, with a model of this name.
    pub fn configure_as(&self, server: &Server, kind: &str, model: &str) -> Result<()> {
        let url = self.url();
        let provider = post(
            server,
            "/api/v2/ai/providers",
            &json!({ "type": kind, "name": "scripted", "enabled": true,
                     "base_url": url, "api_keys": [KEY] }),
        )?;
        let organization = organization(server)?;
        post(
            server,
            &format!("/api/v2/organizations/{organization}/chats/models"),
            &json!({ "ai_provider_id": provider["id"], "model": model,
                     "context_limit": 100_000 }),
        )?;
        Ok(())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // Its task is ended within the runtime that it runs on.
        let _here = self.runtime.enter();
        self.server = None;
    }
}

/// Whether a request is for an answer of the chat, not for its title.
pub fn has_tools(asked: &Asked) -> bool {
    asked.body["tools"]
        .as_array()
        .is_some_and(|t| !t.is_empty())
}

/// The role of the last message that the model was given.
pub fn last_role(asked: &Asked) -> &str {
    let messages = asked.body["messages"].as_array();
    let last = messages.and_then(|all| all.last());
    last.and_then(|m| m["role"].as_str()).unwrap_or_default()
}

/// The newest message of the user.
pub fn newest_text(asked: &Asked) -> String {
    let messages = asked.body["messages"].as_array();
    let newest = messages.and_then(|all| all.iter().rfind(|m| m["role"] == "user"));
    let content = newest.map(|m| &m["content"]);
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(|p| p["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn post(server: &Server, path: &str, body: &Value) -> Result<Value> {
    let answer = server.api("POST", path, &body.to_string())?;
    ensure!(
        (200..300).contains(&answer.status),
        "POST {path}: {} {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    );
    answer.json()
}

fn organization(server: &Server) -> Result<String> {
    let list = server
        .api("GET", "/api/v2/users/me/organizations", "")?
        .json()?;
    let id = list[0]["id"].as_str().context("an organization")?;
    Ok(id.to_owned())
}

/// Begins a chat; its id.
pub fn create(server: &Server, text: &str, workspace: Option<&str>) -> Result<String> {
    let mut body = json!({
        "organization_id": organization(server)?,
        "content": [{ "type": "text", "text": text }],
    });
    if let Some(workspace) = workspace {
        body["workspace_id"] = Value::from(workspace);
    }
    let chat = post(server, "/api/v2/chats", &body)?;
    Ok(chat["id"].as_str().context("the id of a chat")?.to_owned())
}

/// Says something more in a chat.
pub fn send(server: &Server, chat: &str, text: &str) -> Result<Value> {
    let body = json!({ "content": [{ "type": "text", "text": text }] });
    post(server, &format!("/api/v2/chats/{chat}/messages"), &body)
}

/// Stops what a chat does; the status of the answer.
pub fn interrupt(server: &Server, chat: &str) -> Result<u16> {
    let path = format!("/api/v2/chats/{chat}/interrupt");
    Ok(server.api("POST", &path, "{}")?.status)
}

/// The chat whose first words were `text`, if there is one.
pub fn find(server: &Server, text: &str) -> Result<Option<String>> {
    let list = server.api("GET", "/api/v2/chats?limit=200", "")?.json()?;
    for chat in list.as_array().into_iter().flatten() {
        let id = chat["id"].as_str().unwrap_or_default();
        let messages = messages(server, id)?;
        if messages.first().is_some_and(|m| texts(m) == text) {
            return Ok(Some(id.to_owned()));
        }
    }
    Ok(None)
}

/// All messages that people see, oldest first.
pub fn messages(server: &Server, chat: &str) -> Result<Vec<Value>> {
    let path = format!("/api/v2/chats/{chat}/messages?limit=200");
    let mut page = server.api("GET", &path, "")?.json()?;
    let mut all: Vec<Value> = match page["messages"].take() {
        Value::Array(all) => all,
        other => anyhow::bail!("no messages: {other}"),
    };
    all.reverse();
    Ok(all)
}

/// The texts of a message, one after the other.
pub fn texts(message: &Value) -> String {
    let parts = message["content"].as_array().into_iter().flatten();
    parts
        .filter(|part| part["type"] == "text")
        .filter_map(|part| part["text"].as_str())
        .collect()
}

/// Whether a chat rests.
pub fn is_at_rest(server: &Server, chat: &str) -> Result<bool> {
    let chat = server
        .api("GET", &format!("/api/v2/chats/{chat}"), "")?
        .json()?;
    Ok(matches!(chat["status"].as_str(), Some("waiting" | "error")))
}

/// Waits until a chat rests; its status.
pub fn rest(server: &Server, chat: &str) -> Result<String> {
    let path = format!("/api/v2/chats/{chat}");
    eventually("the chat rests", REST, || {
        let chat = server.api("GET", &path, "")?.json()?;
        let status = chat["status"].as_str().unwrap_or_default().to_owned();
        Ok(matches!(status.as_str(), "waiting" | "error").then_some(status))
    })
}
