//! Chats with AI agents.

use api_types::{
    Chat, ChatInstructions, ChatMessage, ChatMessagesResponse, ChatStreamEvent,
    CreateChatMessageRequest, CreateChatMessageResponse, CreateChatRequest, UpdateChatRequest,
};
use serde::Deserialize;
use uuid::Uuid;

use crate::call::segment;
use crate::websocket::JsonSocket;
use crate::{Client, Error};

/// The events of a chat, in the order in which they happen.
pub struct ChatEvents {
    socket: JsonSocket<Vec<ChatStreamEvent>>,
    ready: std::collections::VecDeque<ChatStreamEvent>,
}

impl ChatEvents {
    /// The next event; `None` when the server has closed the stream.
    pub async fn next(&mut self) -> Option<Result<ChatStreamEvent, Error>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            match self.socket.next().await? {
                Ok(events) => self.ready.extend(events),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A model that may be chosen for chats of an organization.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct UsableModel {
    /// What requests name it by.
    pub id: Uuid,
    /// As the provider names it.
    pub model: String,
    /// As people see it.
    pub display_name: String,
    /// Whether chats use it that name none.
    pub is_default: bool,
    /// Whether it may be used at all.
    pub enabled: bool,
}

/// An MCP server that chats of an organization may use.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct UsableServer {
    /// What requests name it by.
    pub id: Uuid,
    /// Its short name.
    pub slug: String,
    /// As people see it.
    pub display_name: String,
    /// `force_on`, `default_on` or `default_off`.
    pub availability: String,
    /// Whether it may be used at all.
    pub enabled: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Models {
    models: Vec<UsableModel>,
}

impl Client {
    /// One's chats that match the search expression `q`; `limit` 0 is the server's own.
    pub async fn chats(&self, q: &str, limit: u32, offset: u32) -> Result<Vec<Chat>, Error> {
        self.get("/api/v2/chats")
            .query_if("q", Some(q).filter(|q| !q.is_empty()))
            .query_if("limit", Some(limit).filter(|l| *l > 0))
            .query_if("offset", Some(offset).filter(|o| *o > 0))
            .decode()
            .await
    }

    /// One chat.
    pub async fn chat(&self, id: Uuid) -> Result<Chat, Error> {
        self.get(&format!("/api/v2/chats/{id}")).decode().await
    }

    /// Tells a chat anew what its workspace says.
    pub async fn chat_context_refresh(&self, id: Uuid) -> Result<Chat, Error> {
        self.call(http::Method::PUT, &format!("/api/v2/chats/{id}/context"))
            .decode()
            .await
    }

    /// Begins a chat with its first message.
    pub async fn chat_create(&self, body: &CreateChatRequest) -> Result<Chat, Error> {
        self.post("/api/v2/chats").json(body).decode().await
    }

    /// Changes a chat's title, workspace, labels, place or archive.
    pub async fn chat_update(&self, id: Uuid, body: &UpdateChatRequest) -> Result<(), Error> {
        self.patch(&format!("/api/v2/chats/{id}"))
            .json(body)
            .done()
            .await
    }

    /// Messages of a chat, newest first; `before` goes on from an earlier answer.
    pub async fn chat_messages(
        &self,
        id: Uuid,
        before: Option<i64>,
        limit: u32,
    ) -> Result<ChatMessagesResponse, Error> {
        self.get(&format!("/api/v2/chats/{id}/messages"))
            .query_if("before_id", before)
            .query_if("limit", Some(limit).filter(|l| *l > 0))
            .decode()
            .await
    }

    /// Every message of a chat, oldest first.
    pub async fn chat_history(&self, id: Uuid) -> Result<Vec<ChatMessage>, Error> {
        /// The most that the server gives at once.
        const PAGE: u32 = 200;
        let mut all = Vec::new();
        let mut before = None;
        loop {
            let page = self.chat_messages(id, before, PAGE).await?;
            before = page.messages.iter().map(|m| m.id).min();
            let end = !page.has_more || page.messages.is_empty();
            all.extend(page.messages);
            if end {
                break;
            }
        }
        all.sort_by_key(|m| m.id);
        Ok(all)
    }

    /// Says something in a chat.
    pub async fn chat_send(
        &self,
        id: Uuid,
        body: &CreateChatMessageRequest,
    ) -> Result<CreateChatMessageResponse, Error> {
        self.post(&format!("/api/v2/chats/{id}/messages"))
            .json(body)
            .decode()
            .await
    }

    /// Stops what the agent is doing.
    pub async fn chat_interrupt(&self, id: Uuid) -> Result<Chat, Error> {
        self.post(&format!("/api/v2/chats/{id}/interrupt"))
            .decode()
            .await
    }

    /// Folds the conversation so far into a summary.
    pub async fn chat_compact(&self, id: Uuid) -> Result<Chat, Error> {
        self.post(&format!("/api/v2/chats/{id}/compact"))
            .decode()
            .await
    }

    /// Follows a chat; the first events tell its state and the messages after `after`.
    pub async fn chat_events(&self, id: Uuid, after: Option<i64>) -> Result<ChatEvents, Error> {
        let path = match after {
            Some(after) => format!("/api/v2/chats/{id}/stream?after_id={after}"),
            None => format!("/api/v2/chats/{id}/stream"),
        };
        Ok(ChatEvents {
            socket: self.websocket_json(&path).await?,
            ready: std::collections::VecDeque::new(),
        })
    }

    /// All that the model of a chat is told before the conversation.
    pub async fn chat_instructions(&self, id: Uuid) -> Result<ChatInstructions, Error> {
        self.get(&format!("/api/v2/chats/{id}/instructions"))
            .decode()
            .await
    }

    /// The MCP servers that chats of an organization may use; none where the server knows none.
    pub async fn chat_mcp_servers(&self, organization: &str) -> Result<Vec<UsableServer>, Error> {
        let organization = segment(organization);
        let path = format!("/api/v2/organizations/{organization}/mcp-servers");
        match self.get(&path).decode().await {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            found => found,
        }
    }

    /// The models that chats of an organization may use.
    pub async fn chat_models(&self, organization: &str) -> Result<Vec<UsableModel>, Error> {
        let path = format!(
            "/api/v2/organizations/{}/chats/models",
            segment(organization)
        );
        let found: Models = self.get(&path).decode().await?;
        Ok(found.models)
    }
}
