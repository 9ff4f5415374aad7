//! `spawn_agent`: begins a helper.

use api_types::{ChatMessagePart, ChatMessageRole};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use store::chats::{ChatRow, NewChat};
use uuid::Uuid;

use super::{refused, shown, words};
use crate::machine::{FirstMessage, UserMessage};
use crate::tools::args::Args;
use crate::tools::{Tool, ToolAnswer, ToolContext};
use crate::{history, prompt, titles};

/// Most helpers of one chat: a model that starts more goes in circles.
const MAX_AGENTS: usize = 200;

/// Begins a helper.
pub struct SpawnAgent;

impl Tool for SpawnAgent {
    fn spec(&self) -> llm::Tool {
        llm::Tool::new(
            "spawn_agent",
            "Start a helper that works on a part of the task on its own, in the same workspace, while \
             you go on. It does not see this conversation: the prompt must say all that it needs. \
             Type general can do all that you can, except starting helpers of its own; type explore \
             only looks. Get its report with wait_agent.",
            json!({
                "type": "object",
                "properties": {
                    "type": { "type": "string", "enum": ["general", "explore"] },
                    "prompt": { "type": "string", "description": "The whole task." },
                    "title": { "type": "string", "description": "A few words for the user." },
                },
                "required": ["type", "prompt"],
            }),
        )
    }

    fn call<'a>(
        &'a self,
        context: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer> {
        Box::pin(async move {
            let spawned = spawn(context, &Args(args)).await;
            spawned.map_or_else(ToolAnswer::error, ToolAnswer::ok)
        })
    }
}

async fn spawn(context: &ToolContext, args: &Args) -> Result<Value, String> {
    if context.chat.parent_chat_id.is_some() {
        return Err("A helper cannot start helpers of its own.".to_owned());
    }
    let explores = match args.text("type")? {
        "general" => false,
        "explore" => true,
        "computer_use" => {
            return Err("There is no desktop that an agent could use here.".to_owned());
        }
        other => return Err(format!("type must be general or explore, not {other:?}")),
    };
    let task = args.text("prompt")?.trim();
    let title = args.maybe("title")?.map(str::trim);
    let (parent, system) = parent(context).await?;
    let model = context
        .models
        .helper_model(&context.who, parent.organization_id, explores)
        .await
        .map_err(|error| error.message)?;
    let (model, effort) = match model {
        Some((model, effort)) => (model.id, effort),
        None => (
            parent.last_model_config_id,
            parent.last_reasoning_effort.clone(),
        ),
    };
    let new = NewChat {
        id: Uuid::new_v4(),
        owner_id: parent.owner_id,
        organization_id: parent.organization_id,
        workspace_id: parent.workspace_id,
        family: Some((parent.id, parent.root())),
        title: match title {
            Some(title) if !title.is_empty() => title.chars().take(titles::MAX_TITLE).collect(),
            _ => titles::first_title(task),
        },
        model_config_id: model,
        reasoning_effort: effort.clone(),
        mode: explores.then(|| "explore".to_owned()),
        // Who only looks needs no plan for it.
        plan_mode: if explores {
            String::new()
        } else {
            parent.plan_mode.clone()
        },
        client_type: parent.client_type.clone(),
        mcp_server_ids: parent.mcp_server_ids.clone(),
        labels: Default::default(),
        // The client knows nothing of helpers; they have no tools of its.
        dynamic_tools: Vec::new(),
    };
    let first = FirstMessage {
        system,
        message: UserMessage {
            content: vec![ChatMessagePart::text(task)],
            model_config_id: model,
            reasoning_effort: effort,
            created_by: parent.owner_id,
        },
    };
    let made = context.machine.create(&context.who, &new, &first).await;
    Ok(shown(&made.map_err(refused)?.chat))
}

/// The chat as it is now, which may have got a workspace since the step began, and the
/// instructions that it began with.
async fn parent(context: &ToolContext) -> Result<(ChatRow, Vec<String>), String> {
    let conn = context.machine.store().conn().await.map_err(words)?;
    let row = conn.chat_read(&context.who, context.chat.id).await;
    let row = row.map_err(words)?;
    let below = conn.chat_children(&[row.root()], false).await;
    if below.map_err(words)?.len() >= MAX_AGENTS {
        return Err(format!(
            "This chat has {MAX_AGENTS} agents already. Give one of them more to do with \
             message_agent."
        ));
    }
    let messages = conn.chat_messages_for_model(row.id).await.map_err(words)?;
    let lines = [prompt::WORKSPACE, prompt::NO_WORKSPACE];
    let mut system: Vec<String> = messages
        .iter()
        .filter(|m| m.role == ChatMessageRole::System)
        .map(|m| history::text_of(&m.content))
        .filter(|text| !lines.contains(&text.as_str()))
        .collect();
    system.push(lines[usize::from(row.workspace_id.is_none())].to_owned());
    Ok((row, system))
}
