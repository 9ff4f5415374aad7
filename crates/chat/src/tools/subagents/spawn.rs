//! `spawn_agent`: begins a helper.

use api_types::{ChatMessagePart, ChatMessageRole};
use serde_json::json;
use store::chats::{ChatRow, NewChat};
use uuid::Uuid;

use super::{refused, shown, words};
use crate::machine::{FirstMessage, UserMessage};
use crate::models::is_effort;
use crate::tools::ToolContext;
use crate::tools::args::Args;
use crate::tools::shape::{Done, Failed, Simple};
use crate::{history, prompt, titles};

/// Most helpers of one chat: a model that starts more goes in circles.
const MAX_AGENTS: usize = 200;

/// Begins a helper.
pub(in crate::tools) fn spawn_agent() -> Simple {
    Simple::new(
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
                "model_config_id": { "type": "string", "description": "Another model than usual: an id of list_subagent_models." },
                "reasoning_effort": { "type": "string", "description": "How much it should think: none, minimal, low, medium, high, xhigh or max, as far as the model allows." },
            },
            "required": ["type", "prompt"],
        }),
        |context, args| Box::pin(spawn(context, args)),
    )
}

async fn spawn(context: &ToolContext, args: Args) -> Done {
    if context.chat.parent_chat_id.is_some() {
        return Err("A helper cannot start helpers of its own.".into());
    }
    let explores = match args.text("type")? {
        "general" => false,
        "explore" => true,
        "computer_use" => {
            return Err("There is no desktop that an agent could use here.".into());
        }
        other => {
            return Err(Failed(format!(
                "type must be general or explore, not {other:?}"
            )));
        }
    };
    let task = args.text("prompt")?.trim();
    let title = args.maybe("title")?.map(str::trim);
    let (parent, system) = parent(context).await?;
    let (model, effort) = model(context, &parent, &args, explores).await?;
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

/// The model of a helper and how much it should think: what the call asks for, else what is set
/// for helpers, else what its chat has.
async fn model(
    context: &ToolContext,
    parent: &ChatRow,
    args: &Args,
    explores: bool,
) -> Result<(Uuid, Option<String>), Failed> {
    let effort = match args.maybe("reasoning_effort")? {
        Some(asked) => {
            let asked = asked.trim().to_lowercase();
            if !is_effort(&asked) {
                return Err(
                    "reasoning_effort must be none, minimal, low, medium, high, xhigh or max"
                        .into(),
                );
            }
            Some(asked)
        }
        None => None,
    };
    let (organization, who) = (parent.organization_id, &context.who);
    if let Some(asked) = args.maybe("model_config_id")? {
        const WAY: &str = "list_subagent_models shows those that there are";
        let id: Uuid = asked
            .trim()
            .parse()
            .map_err(|_| format!("model_config_id must be an id; {WAY}"))?;
        let model = context.models.model(who, organization, id).await;
        let model = model
            .map_err(|error| format!("The model {id} cannot be used; {WAY}. {}", error.message))?;
        return Ok((model.id, effort));
    }
    let usual = context
        .models
        .helper_model(who, organization, explores)
        .await
        .map_err(|error| error.message)?;
    Ok(match usual {
        Some((model, usual)) => (model.id, effort.or(usual)),
        None => (
            parent.last_model_config_id,
            effort.or_else(|| parent.last_reasoning_effort.clone()),
        ),
    })
}

/// The chat as it is now, which may have got a workspace since the step began, and the
/// instructions that it began with.
async fn parent(context: &ToolContext) -> Result<(ChatRow, Vec<String>), Failed> {
    let conn = context.machine.store().conn().await.map_err(words)?;
    let row = conn.chat_read(&context.who, context.chat.id).await;
    let row = row.map_err(words)?;
    let below = conn.chat_children(&[row.root()], false).await;
    if below.map_err(words)?.len() >= MAX_AGENTS {
        return Err(Failed(format!(
            "This chat has {MAX_AGENTS} agents already. Give one of them more to do with \
             message_agent."
        )));
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
