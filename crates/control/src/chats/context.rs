//! What chats know of their workspaces, and having it taken anew.

use api_types::{Chat, ChatContextResource, ChatContextTool};
use authz::{Action, Subject};
use chat::prompt::workspace;
use serde_json::Value;
use store::chats::ChatContextRows;
use store::workspace_agents::ContextResourceRow;
use uuid::Uuid;

use crate::{Control, Error, Result};

impl Control {
    /// Tells a chat anew what its workspace says: what the agent told last.
    pub async fn chat_context_refresh(&self, who: &Subject, id: Uuid) -> Result<Chat> {
        let row = self.chat_row(who, id).await?;
        who.may(Action::Update, &row.object())
            .map_err(|_| Error::not_found())?;
        let tx = self.store().begin(who).await?;
        tx.chat_context_pin(who, &row).await?;
        tx.commit().await?;
        self.chat_read(who, id).await
    }
}

/// What a chat knows, without contents: what is in its prompts, and what is not, and why.
pub(super) fn resources(told: &ChatContextRows) -> Vec<ChatContextResource> {
    let with_text: Vec<&str> = workspace::instructions(told)
        .map(|(source, _)| source)
        .collect();
    told.resources
        .iter()
        .filter(|r| match (r.status.as_str(), r.kind.as_str()) {
            ("ok", "instruction_file") => with_text.contains(&r.source.as_str()),
            ("ok", "skill") => !r.name.is_empty(),
            _ => true,
        })
        .map(shown)
        .collect()
}

fn shown(row: &ContextResourceRow) -> ChatContextResource {
    let is_ok = row.status == "ok";
    let of_skill = |text: &String| {
        if is_ok && row.kind == "skill" {
            text.clone()
        } else {
            String::new()
        }
    };
    ChatContextResource {
        source: row.source.clone(),
        kind: row.kind.clone(),
        size_bytes: row.size_bytes,
        skill_name: of_skill(&row.name),
        skill_description: of_skill(&row.description),
        tools: if is_ok { tools(row) } else { Vec::new() },
        status: row.status.clone(),
        error: row.error.clone(),
    }
}

/// The tools of a server; some agents put the server's name before theirs.
fn tools(row: &ContextResourceRow) -> Vec<ChatContextTool> {
    let text = |tool: &Value, key: &str| tool[key].as_str().unwrap_or_default().to_owned();
    let tools = row.tools.as_array().map(Vec::as_slice).unwrap_or_default();
    tools
        .iter()
        .map(|tool| {
            let name = text(tool, "name");
            let bare = name
                .strip_prefix(row.name.as_str())
                .and_then(|rest| rest.strip_prefix("__"));
            ChatContextTool {
                description: text(tool, "description"),
                name: bare.map_or_else(|| name.clone(), str::to_owned),
            }
        })
        .filter(|tool| !tool.name.is_empty())
        .collect()
}
