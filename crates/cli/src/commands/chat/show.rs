//! `coder chat show`.

use std::fmt::Write as _;

use anyhow::Result;
use api_types::{ChatContext, ChatContextResource};
use clap::Args as ClapArgs;
use serde::Serialize;

use super::find;
use super::start::Output;
use super::transcript::Transcript;
use crate::session::Session;
use crate::ui::output::{emit, print_json};

/// Show what has been said in a chat, and what its workspace told it.
#[derive(ClapArgs)]
pub struct Args {
    /// Id of the chat, the beginning of it, its title, or 'last'.
    #[arg(value_name = "chat")]
    chat: String,

    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
struct Whole {
    chat: api_types::Chat,
    messages: Vec<api_types::ChatMessage>,
}

/// Prints the conversation.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let chat = find::chat(client, &args.chat).await?;
    let messages = client.chat_history(chat.id).await?;
    if args.output.json() {
        return print_json(&Whole { chat, messages });
    }
    let mut transcript = Transcript::new(session.style, true, 0);
    let mut out = String::new();
    for message in &messages {
        transcript.message(message, &mut out);
    }
    transcript.end_line(&mut out);
    if let Some(context) = &chat.context {
        told(context, chat.id, &mut out);
    }
    emit(&out)
}

/// What the chat was told of its workspace, and what not, and why.
fn told(context: &ChatContext, chat: uuid::Uuid, out: &mut String) {
    let lines: Vec<String> = context.resources.iter().map(line).collect();
    if !lines.is_empty() {
        let _ = write!(out, "\nTold by the workspace:\n{}", lines.concat());
    }
    if !context.error.is_empty() {
        let _ = writeln!(out, "The workspace reported: {}", context.error);
    }
    if context.dirty {
        let _ = writeln!(
            out,
            "The workspace says something newer: 'coder exp chat context refresh {chat}' tells the \
             chat."
        );
    }
}

fn line(resource: &ChatContextResource) -> String {
    let what = match resource.kind.as_str() {
        "instruction_file" => "instructions".to_owned(),
        "skill" if !resource.skill_name.is_empty() => format!("skill {}", resource.skill_name),
        "mcp_server" => format!("{} tools", resource.tools.len()),
        "mcp_config" => "servers of tools".to_owned(),
        other => other.to_owned(),
    };
    let left_out = match (resource.status.as_str(), resource.error.as_str()) {
        ("ok", _) => String::new(),
        (status, "") => format!(" (left out: {status})"),
        (status, error) => format!(" (left out: {status}, {error})"),
    };
    format!("  {}: {what}{left_out}\n", resource.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_a_line_each() {
        let resource = |kind: &str, status: &str| ChatContextResource {
            source: format!("/{kind}"),
            kind: kind.into(),
            status: status.into(),
            ..ChatContextResource::default()
        };
        let mut large = resource("instruction_file", "oversize");
        large.error = "more than 64 KiB".into();
        let mut skill = resource("skill", "ok");
        skill.skill_name = "deploy".into();
        let context = ChatContext {
            dirty: true,
            resources: vec![resource("instruction_file", "ok"), large, skill],
            ..ChatContext::default()
        };
        let mut out = String::new();
        told(&context, uuid::Uuid::nil(), &mut out);
        for part in [
            "/instruction_file: instructions\n",
            "/instruction_file: instructions (left out: oversize, more than 64 KiB)\n",
            "/skill: skill deploy\n",
            "coder exp chat context refresh 0000",
        ] {
            assert!(out.contains(part), "{part} in {out}");
        }
        out.clear();
        told(&ChatContext::default(), uuid::Uuid::nil(), &mut out);
        assert_eq!(out, "");
    }
}
