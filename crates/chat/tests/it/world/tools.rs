//! Tools that the test answers, and where they work.

use std::net::SocketAddr;
use std::sync::Arc;

use authz::Subject;
use chat::tools::agent::{AgentFacts, AgentStatus, Binding, Connector, SelectError};
use chat::tools::workspaces::Workspaces;
use chat::tools::{Tool, ToolAnswer, ToolContext, Toolbox};
use client::agent_api::AgentApi;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use store::chats::ChatRow;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::no_house::NoHouse;

/// A call of a tool that the test answers.
pub struct Called {
    pub name: String,
    pub args: Map<String, Value>,
    pub who: Subject,
    pub reply: tokio::sync::oneshot::Sender<ToolAnswer>,
}

pub(super) struct TestTool {
    pub(super) name: &'static str,
    pub(super) repeatable: bool,
    pub(super) calls: mpsc::UnboundedSender<Called>,
}

impl Tool for TestTool {
    fn spec(&self) -> llm::Tool {
        llm::Tool::new(self.name, "a tool", json!({ "type": "object" }))
    }

    fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    fn ends_turn(&self) -> bool {
        self.name == "propose_plan"
    }

    fn call<'a>(
        &'a self,
        context: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let called = Called {
            name: self.name.into(),
            args,
            who: context.who.clone(),
            reply,
        };
        Box::pin(async move {
            assert!(self.name != "panics", "as it is called");
            let _ = self.calls.send(called);
            answer
                .await
                .unwrap_or_else(|_| ToolAnswer::error("no answer"))
        })
    }
}

pub(super) struct Tools {
    pub(super) own: Vec<Arc<dyn Tool>>,
    /// Those of every server, in a workspace with this agent.
    pub(super) standard: Option<SocketAddr>,
}

impl Toolbox for Tools {
    fn tools(&self, chat: &ChatRow) -> Vec<Arc<dyn Tool>> {
        match self.standard {
            Some(_) => chat::tools::standard(chat, true),
            None => self.own.clone(),
        }
    }

    fn connector(&self, _: &ChatRow, _: &Subject) -> Arc<dyn Connector<AgentApi>> {
        Arc::new(Place(self.standard))
    }

    fn workspaces(&self, _: &ChatRow) -> Arc<dyn Workspaces> {
        Arc::new(NoHouse)
    }
}

/// Where every chat works: nowhere, or at an agent.
struct Place(Option<SocketAddr>);

impl Place {
    fn facts(&self) -> Option<AgentFacts> {
        self.0.map(|_| AgentFacts {
            id: Uuid::from_u128(1),
            build: Uuid::from_u128(2),
            name: "main".into(),
            is_child: false,
            display_order: 0,
            status: AgentStatus::Connected,
            was_connected: true,
            disconnected_at: None,
        })
    }
}

impl Connector<AgentApi> for Place {
    fn binding(&self) -> BoxFuture<'_, Result<Option<Binding>, String>> {
        let binding = self.0.map(|_| Binding {
            workspace: Uuid::from_u128(3),
            agent: None,
        });
        Box::pin(async move { Ok(binding) })
    }

    fn agent(&self, _: Uuid) -> BoxFuture<'_, Result<AgentFacts, String>> {
        Box::pin(async { self.facts().ok_or_else(|| "none".to_owned()) })
    }

    fn latest(&self, _: Uuid) -> BoxFuture<'_, Result<AgentFacts, SelectError>> {
        Box::pin(async { self.facts().ok_or(SelectError::NoAgent) })
    }

    fn is_external(&self, _: Uuid) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(async { Ok(false) })
    }

    fn bind<'a>(&'a self, _: Uuid, _: &'a AgentFacts) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async { Ok(self.0.is_some()) })
    }

    fn dial(&self, _: Uuid) -> BoxFuture<'static, Result<AgentApi, String>> {
        let address = self.0;
        Box::pin(async move {
            let address = address.ok_or_else(|| "none".to_owned())?;
            Ok(AgentApi::new(move || {
                tokio::net::TcpStream::connect(address)
            }))
        })
    }

    fn lifecycle(&self, _: Uuid) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async { Ok("ready".to_owned()) })
    }

    fn used(&self, _: Uuid, _: Uuid) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
