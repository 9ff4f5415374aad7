//! Tools of MCP servers: of those that the organization offers, and of those in the workspace.
//!
//! They are strangers. What they say is the result of a call and nothing more: it changes neither
//! which tools a chat has nor what these may do. A tool of ours is never taken for one of theirs.

mod answer;
mod intent;
mod remote;
mod workspace;

pub use remote::{RemoteServer, RemoteTool};

use std::sync::Arc;

use mcp::names::Names;
use store::chats::{ChatContextRows, ChatRow};

use super::Tool;
use workspace::WorkspaceTool;

/// Most tools of servers that a chat has: providers refuse requests with more.
const MAX_TOOLS: usize = 128;

/// Which servers a chat may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Those of the organization: all it names, those that are good for planning, or none.
    pub organization: OfOrganization,
    /// Those in its workspace.
    pub workspace: bool,
}

/// Which servers of the organization a chat may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfOrganization {
    /// None of them.
    None,
    /// Those that an administrator finds good for planning.
    Planning,
    /// All.
    All,
}

/// What a chat may use.
pub fn reach(chat: &ChatRow) -> Reach {
    reach_of(
        chat.parent_chat_id.is_some(),
        chat.mode.as_deref() == Some("explore"),
        chat.plan_mode == "plan",
    )
}

fn reach_of(is_child: bool, explores: bool, plans: bool) -> Reach {
    let organization = match (explores, plans, is_child) {
        (true, ..) | (false, false, _) => OfOrganization::All,
        (false, true, true) => OfOrganization::None,
        (false, true, false) => OfOrganization::Planning,
    };
    Reach {
        organization,
        workspace: !explores && !plans,
    }
}

/// The tools of servers beside `ours`, each under a name of its own: those of the organization's
/// first, for an administrator chose them.
pub(crate) fn beside(
    ours: &[Arc<dyn Tool>],
    mut remote: Vec<RemoteTool>,
    told: &ChatContextRows,
    reach: Reach,
) -> Vec<Arc<dyn Tool>> {
    let mut names: Names = ours
        .iter()
        .flat_map(|tool| [Some(tool.spec().name), tool.alias().map(str::to_owned)])
        .flatten()
        .collect();
    // In an order that does not depend on who answered first: then what is cached stays good.
    remote.sort_by(|a, b| a.order().cmp(&b.order()));
    let remote = remote.into_iter().map(|tool| -> Arc<dyn Tool> {
        let name = names.take(tool.wanted_name());
        Arc::new(tool.named(name))
    });
    let mut all: Vec<Arc<dyn Tool>> = remote.collect();
    if reach.workspace {
        for tool in WorkspaceTool::all(told) {
            let name = names.take(tool.wanted_name());
            all.push(Arc::new(tool.named(name)));
        }
    }
    if all.len() > MAX_TOOLS {
        tracing::warn!(
            found = all.len(),
            "chats: only {MAX_TOOLS} tools of MCP servers are offered"
        );
        all.truncate(MAX_TOOLS);
    }
    all
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;
    use mcp::Called;
    use serde_json::{Map, Value, json};
    use store::workspace_agents::ContextResourceRow;
    use uuid::Uuid;

    use super::super::{ToolAnswer, ToolContext};
    use super::*;

    struct Ours;

    impl Tool for Ours {
        fn spec(&self) -> llm::Tool {
            llm::Tool::new("a__x", "ours", json!({}))
        }

        fn call<'a>(
            &'a self,
            _: &'a ToolContext,
            _: Map<String, Value>,
        ) -> BoxFuture<'a, ToolAnswer> {
            Box::pin(async { ToolAnswer::ok(Value::Null) })
        }
    }

    struct Server;

    impl RemoteServer for Server {
        fn call<'a>(
            &'a self,
            _: &'a str,
            _: &'a Map<String, Value>,
        ) -> BoxFuture<'a, Result<Called, String>> {
            Box::pin(async { Err("no".to_owned()) })
        }
    }

    fn remote(slug: &str, name: &str) -> RemoteTool {
        let (mut tools, _) = mcp::protocol::tools(&json!({"tools": [{"name": name}]})).unwrap();
        RemoteTool::new(
            Some(Uuid::from_u128(1)),
            slug,
            tools.remove(0),
            false,
            Arc::new(Server),
        )
    }

    fn told(names: &[&str]) -> ChatContextRows {
        let tools: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        ChatContextRows {
            resources: vec![ContextResourceRow {
                kind: "mcp_server".into(),
                status: "ok".into(),
                name: "w".into(),
                tools: tools.into(),
                ..ContextResourceRow::default()
            }],
            ..ChatContextRows::default()
        }
    }

    #[test]
    fn every_tool_has_a_name_of_its_own() {
        let ours: Vec<Arc<dyn Tool>> = vec![Arc::new(Ours)];
        let theirs = vec![remote("b", "y"), remote("a", "x"), remote("w", "z")];
        let all = beside(
            &ours,
            theirs,
            &told(&["z", "q.q"]),
            reach_of(false, false, false),
        );
        let names: Vec<_> = all.iter().map(|tool| tool.spec().name).collect();
        assert_eq!(names, ["a__x_2", "b__y", "w__z", "w__q_q", "w__z_2"]);
        assert_eq!(all[0].mcp_server(), Some(Uuid::from_u128(1)));
        assert_eq!(all[3].mcp_server(), None);
        let none = beside(
            &ours,
            Vec::new(),
            &told(&["z"]),
            reach_of(false, false, true),
        );
        assert!(none.is_empty());
        let many: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let all = beside(
            &ours,
            Vec::new(),
            &told(&many),
            reach_of(false, false, false),
        );
        assert_eq!(all.len(), MAX_TOOLS);
    }

    #[test]
    fn who_may_use_which_servers() {
        use OfOrganization::{All, None, Planning};
        for (child, explores, plans, organization, workspace) in [
            (false, false, false, All, true),
            (true, false, false, All, true),
            (false, false, true, Planning, false),
            (true, false, true, None, false),
            (true, true, false, All, false),
        ] {
            let expected = Reach {
                organization,
                workspace,
            };
            assert_eq!(reach_of(child, explores, plans), expected);
        }
    }
}
