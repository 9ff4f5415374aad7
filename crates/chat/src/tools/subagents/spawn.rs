//! `spawn_agent`: begins a helper.

use api_types::ChatMessagePart;
use serde_json::{Value, json};
use store::chats::{ChatRow, NewChat};
use uuid::Uuid;

use super::{refused, shown, words};
use crate::machine::{FirstMessage, UserMessage};
use crate::models::is_effort;
use crate::prompt::Instruction;
use crate::tools::ToolContext;
use crate::tools::args::Args;
use crate::tools::computer;
use crate::tools::shape::{Done, Failed, Run, Simple};
use crate::{prompt, titles};

/// Most helpers of one chat: a model that starts more goes in circles.
const MAX_AGENTS: usize = 200;

const ABOUT: &str = "Start a helper that works on a part of the task on its own, in the same \
workspace, while you go on. It does not see this conversation: the prompt must say all that it needs. \
Type general can do all that you can, except starting helpers of its own; type explore only looks. \
Get its report with wait_agent.";
const ABOUT_DESKTOP: &str = "Start a helper that works on a part of the task on its own, in the same \
workspace, while you go on. It does not see this conversation: the prompt must say all that it needs. \
Type general can do all that you can, except starting helpers of its own; type explore only looks; \
type computer_use works on the workspace's desktop with screen, mouse and keyboard, for browsers and \
other programs with windows. Get its report with wait_agent.";

/// Begins a helper.
pub(in crate::tools) fn spawn_agent() -> Simple {
    let run: Run = |context, args| Box::pin(spawn(context, args, false));
    Simple::new("spawn_agent", ABOUT, schema(&["general", "explore"]), run)
}

/// The same where helpers may use desktops.
pub(in crate::tools) fn spawn_agent_with_desktop() -> Simple {
    let types = ["general", "explore", computer::MODE];
    let run: Run = |context, args| Box::pin(spawn(context, args, true));
    Simple::new("spawn_agent", ABOUT_DESKTOP, schema(&types), run)
}

fn schema(types: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": { "type": "string", "enum": types },
            "prompt": { "type": "string", "description": "The whole task." },
            "title": { "type": "string", "description": "A few words for the user." },
            "model_config_id": { "type": "string", "description": "Another model than usual: an id of list_subagent_models." },
            "reasoning_effort": { "type": "string", "description": "How much it should think: none, minimal, low, medium, high, xhigh or max, as far as the model allows." },
        },
        "required": ["type", "prompt"],
    })
}

/// What a helper is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    General,
    Explore,
    ComputerUse,
}

impl Kind {
    fn mode(self) -> Option<&'static str> {
        match self {
            Kind::General => None,
            Kind::Explore => Some("explore"),
            Kind::ComputerUse => Some(computer::MODE),
        }
    }
}

async fn spawn(context: &ToolContext, args: Args, desktops: bool) -> Done {
    if context.chat.parent_chat_id.is_some() {
        return Err("A helper cannot start helpers of its own.".into());
    }
    let kind = match args.text("type")? {
        "general" => Kind::General,
        "explore" => Kind::Explore,
        computer::MODE if context.plans() => {
            return Err("type computer_use is unavailable in plan mode".into());
        }
        computer::MODE if desktops => Kind::ComputerUse,
        computer::MODE => {
            return Err(
                "type computer_use is unavailable because the chat-virtual-desktop experiment is \
                 not enabled"
                    .into(),
            );
        }
        other => {
            return Err(Failed(format!(
                "type must be general, explore or computer_use, not {other:?}"
            )));
        }
    };
    let task = args.text("prompt")?.trim();
    let title = args.maybe("title")?.map(str::trim);
    let (parent, mut system) = parent(context).await?;
    if kind == Kind::ComputerUse {
        if parent.workspace_id.is_none() {
            return Err("There is no workspace yet, and so no desktop: make one first.".into());
        }
        system.push(Instruction::new("helper", computer::INSTRUCTIONS));
    }
    let (model, effort) = model(context, &parent, &args, kind).await?;
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
        mode: kind.mode().map(str::to_owned),
        // Who only looks needs no plan for it.
        plan_mode: if kind == Kind::General {
            parent.plan_mode.clone()
        } else {
            String::new()
        },
        client_type: parent.client_type.clone(),
        mcp_server_ids: parent.mcp_server_ids.clone(),
        labels: Default::default(),
        // The client knows nothing of helpers; they have no tools of its.
        dynamic_tools: Vec::new(),
        // It uses those of the chat above it, where they are meant for helpers too.
        inline_mcp_servers: Vec::new(),
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
    kind: Kind,
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
    if kind == Kind::ComputerUse {
        let model = computer::model(context, parent).await?;
        return Ok((model, effort));
    }
    let usual = context
        .models
        .helper_model(who, organization, kind == Kind::Explore)
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
async fn parent(context: &ToolContext) -> Result<(ChatRow, Vec<Instruction>), Failed> {
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
    let mut system = prompt::first(&messages);
    system.retain(|instruction| !lines.contains(&instruction.text.as_str()));
    let line = lines[usize::from(row.workspace_id.is_none())];
    system.push(Instruction::new("workspace", line));
    Ok((row, system))
}
