//! Tools that models may call, one file each.
//!
//! A tool acts as the owner of the chat: what the owner may not do, it may not do, and the audit
//! log names both. Its answer is a JSON value or an error text; it never panics on arguments,
//! which are whatever the model wrote.

pub mod advisor;
pub mod agent;
mod args;
mod attach;
pub mod changes;
pub mod computer;
mod execute;
mod files;
pub mod mcp;
mod plan;
mod questions;
mod shape;
mod skills;
mod standard;
mod subagents;
pub mod workspaces;

pub use standard::standard;

use std::sync::Arc;

use agent::{Connector, Link};
use api_types::{ChatMessagePart, ChatMessagePartType};
use authz::Subject;
use client::agent_api::AgentApi;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use store::chats::ChatRow;
use tokio::sync::mpsc;
use uuid::Uuid;
use workspaces::Workspaces;

use crate::machine::Machine;
use crate::models::Models;

/// What a tool answers.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolAnswer {
    /// The value.
    pub value: Value,
    /// It failed.
    pub is_error: bool,
    /// The value is a picture or file: `data`, `mime_type`, `text`.
    pub is_media: bool,
}

impl ToolAnswer {
    /// A value.
    pub fn ok(value: Value) -> Self {
        ToolAnswer {
            value,
            is_error: false,
            is_media: false,
        }
    }

    /// A failure, in words for the model.
    pub fn error(text: impl Into<String>) -> Self {
        ToolAnswer {
            value: json!({ "error": text.into() }),
            is_error: true,
            is_media: false,
        }
    }
}

/// A text as the value of a result: JSON stays what it is.
pub fn text_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!({ "output": text }))
}

/// Where a call happens.
#[derive(Clone)]
pub struct ToolContext {
    /// The chat.
    pub chat: ChatRow,
    /// Its owner, in whose name all is done.
    pub who: Subject,
    /// The machine of chats.
    pub machine: Machine,
    /// Models, for who asks one itself.
    pub models: Arc<dyn Models>,
    /// The way into its workspace.
    pub workspace: Arc<Link<AgentApi>>,
    /// What may be done with workspaces in the owner's name.
    pub workspaces: Arc<dyn Workspaces>,
    /// Held while a workspace of the chat is made, started or stopped: one at a time.
    pub building: Arc<tokio::sync::Mutex<()>>,
    /// Held while something is done on the screen: calls of one answer act in their order.
    pub screen: Arc<tokio::sync::Mutex<()>>,
    /// The call, and where what viewers see of it before its end goes.
    pub(crate) shown: Option<(ChatMessagePart, mpsc::Sender<ChatMessagePart>)>,
}

impl ToolContext {
    /// The place of one call.
    pub(crate) fn of_call(
        &self,
        call: &ChatMessagePart,
        viewers: mpsc::Sender<ChatMessagePart>,
    ) -> Self {
        ToolContext {
            shown: Some((call.clone(), viewers)),
            ..self.clone()
        }
    }

    /// Shows viewers a piece of the call's result: `result_delta`, `reasoning_delta`, or
    /// `result_reset` to begin anew. It is not kept.
    pub(crate) async fn show(&self, piece: ChatMessagePart) {
        let Some((call, viewers)) = &self.shown else {
            return;
        };
        let part = ChatMessagePart {
            kind: ChatMessagePartType::ToolResult,
            tool_call_id: call.tool_call_id.clone(),
            tool_name: call.tool_name.clone(),
            ..piece
        };
        // Nobody takes it once the run gave the call up.
        let _ = viewers.send(part).await;
    }

    /// Whether nothing but the plan is to be changed.
    pub(crate) fn plans(&self) -> bool {
        self.chat.plan_mode == "plan"
    }
}

/// A tool.
pub trait Tool: Send + Sync {
    /// What the model is told of it.
    fn spec(&self) -> llm::Tool;

    /// What a model of this provider and name is told, if that differs.
    fn spec_for(&self, _provider: &str, _model: &str) -> llm::Tool {
        self.spec()
    }

    /// Another name by which it is called, which models are not told.
    fn alias(&self) -> Option<&'static str> {
        None
    }

    /// What models that have it are told beside its description, at the end of the instructions.
    fn guidance(&self) -> Option<&'static str> {
        None
    }

    /// Whether running it twice does no harm: then a call that may or may not have run is run
    /// again after a crash, instead of being given up with an error.
    fn is_repeatable(&self) -> bool {
        false
    }

    /// The MCP server of the organization that it belongs to.
    fn mcp_server(&self) -> Option<Uuid> {
        None
    }

    /// Whether the user is to speak after its success.
    fn ends_turn(&self) -> bool {
        false
    }

    /// Whether it is refused beside other calls of the same answer, and they beside it.
    fn is_exclusive(&self) -> bool {
        false
    }

    /// Runs a call. Dropped when the user interrupts.
    fn call<'a>(
        &'a self,
        context: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer>;
}

/// All tools that there are, and which of them a chat has.
pub trait Toolbox: Send + Sync {
    /// The tools of a chat, in a stable order.
    fn tools(&self, chat: &ChatRow) -> Vec<Arc<dyn Tool>>;

    /// The tools of MCP servers of the organization for a turn of a chat, in its owner's name;
    /// names and order are up to the caller. Servers that cannot be reached have none.
    fn remote<'a>(
        &'a self,
        _chat: &'a ChatRow,
        _owner: &'a Subject,
    ) -> BoxFuture<'a, Vec<mcp::RemoteTool>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    /// The way into the workspace of a chat, in its owner's name.
    fn connector(&self, chat: &ChatRow, owner: &Subject) -> Arc<dyn Connector<AgentApi>>;

    /// What a chat may do with templates and workspaces, in its owner's name.
    fn workspaces(&self, chat: &ChatRow) -> Arc<dyn Workspaces>;
}

/// An answer as the part of a message.
pub(crate) fn result_part(call: &ChatMessagePart, answer: ToolAnswer) -> ChatMessagePart {
    let mut part = ChatMessagePart::tool_result(
        &call.tool_call_id,
        &call.tool_name,
        answer.value,
        answer.is_error,
    );
    part.is_media = answer.is_media;
    part.mcp_server_config_id = call.mcp_server_config_id;
    part.created_at = Some(chrono::Utc::now());
    part
}
