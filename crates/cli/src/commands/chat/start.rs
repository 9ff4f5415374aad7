//! `coder chat start`.

use anyhow::Result;
use api_types::{ChatClientType, ChatInputPart, ChatPlanMode, CreateChatRequest};
use clap::Args as ClapArgs;

use super::budget;
use super::find::{self, short};
use super::follow::{Form, unless_interrupted, until_idle, verdict};
use super::say::converse;
use super::transcript::Transcript;
use crate::commands::lookup;
use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::output::print_json;

/// Begin a chat, and follow the agent until it is done.
#[derive(ClapArgs)]
pub struct Args {
    /// What is to be done; read from standard input when left out.
    #[arg(value_name = "message")]
    message: Vec<String>,

    /// Workspace in which the agent works; without one it may create its own.
    #[arg(short, long, env = "CODER_CHAT_WORKSPACE", value_name = "workspace")]
    workspace: Option<String>,

    /// Model to use; the organization's own choice when left out.
    #[arg(short, long, env = "CODER_CHAT_MODEL", value_name = "model")]
    model: Option<String>,

    /// How hard the model is to think: none, minimal, low, medium, high, xhigh or max.
    #[arg(long, value_name = "effort")]
    effort: Option<String>,

    /// MCP server whose tools the agent may use, by its short name; may be repeated. Those that are on
    /// by default are used when none is named.
    #[arg(long, value_name = "server")]
    mcp: Vec<String>,

    /// Use no MCP servers but those that every chat has.
    #[arg(long, conflicts_with = "mcp")]
    no_mcp: bool,

    /// Let the agent plan first, and change nothing.
    #[arg(long)]
    plan: bool,

    /// Label of the chat, as key:value; may be repeated.
    #[arg(long, value_name = "key:value", value_parser = label)]
    label: Vec<(String, String)>,

    /// Do not wait for the agent.
    #[arg(short, long)]
    detach: bool,

    #[command(flatten)]
    organization: OrganizationFlag,

    #[command(flatten)]
    output: Output,
}

/// The form of what a chat command prints.
#[derive(Debug, Clone, ClapArgs)]
pub struct Output {
    /// Form of the output: for people, or one JSON document per event.
    #[arg(short, long, value_name = "format", default_value = "text", value_parser = ["text", "json"])]
    output: String,
}

impl Output {
    /// For programs.
    pub fn json(&self) -> bool {
        self.output == "json"
    }

    /// As events are shown.
    pub fn form(&self) -> Form {
        if self.json() { Form::Json } else { Form::Text }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    text.split_once(':')
        .filter(|(key, value)| !key.is_empty() && !value.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "a label is written key:value".to_owned())
}

/// Begins the chat.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let talk = args.message.is_empty() && session.interactive() && !args.output.json();
    let message = find::message(&args.message, session)?;
    let workspace = match args.workspace.as_deref().filter(|w| !w.is_empty()) {
        Some(name) => Some(lookup::workspace(client, name).await?),
        None => None,
    };
    // A workspace says which organization is meant.
    let organization = match &workspace {
        Some(workspace) => workspace.organization_id,
        None => args.organization.find(session).await?.id,
    };
    let request = CreateChatRequest {
        organization_id: organization,
        content: vec![ChatInputPart::text(message)],
        workspace_id: workspace.map(|w| w.id),
        model_config_id: find::model(client, organization, args.model.as_deref()).await?,
        reasoning_effort: args.effort.filter(|e| !e.is_empty()),
        plan_mode: if args.plan {
            ChatPlanMode::Plan
        } else {
            ChatPlanMode::default()
        },
        mcp_server_ids: if args.no_mcp {
            Vec::new()
        } else {
            find::mcp_servers(client, organization, &args.mcp).await?
        },
        labels: args.label.into_iter().collect(),
        client_type: ChatClientType::Api,
        ..CreateChatRequest::default()
    };
    let chat = client.chat_create(&request).await?;
    for warning in &chat.warnings {
        session.note(&session.style_err.warn(warning));
    }
    if args.detach {
        return if args.output.json() {
            print_json(&chat)
        } else {
            say!("{}", chat.id)
        };
    }
    let form = args.output.form();
    let mut transcript = Transcript::new(session.style, false, 0);
    let rest = until_idle(session, chat.id, &mut transcript, form).await?;
    if talk {
        return converse(session, rest, transcript).await;
    }
    // A failure says itself why, and how to go on.
    if form == Form::Text && !rest.is_unfinished() {
        unless_interrupted(budget::tell(session)).await?;
        session.note(&session.style_err.dim(&format!(
            "\nGo on with 'coder chat send {}' or 'coder chat attach {0}'.",
            short(chat.id)
        )));
    }
    verdict(&rest)
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_have_key_and_value() {
        assert_eq!(label("a:b:c"), Ok(("a".into(), "b:c".into())));
        assert!(label("a").is_err() && label(":b").is_err() && label("a:").is_err());
    }
}
