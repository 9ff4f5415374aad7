//! `coder chat show`.

use anyhow::Result;
use clap::Args as ClapArgs;
use serde::Serialize;

use super::find;
use super::start::Output;
use super::transcript::Transcript;
use crate::session::Session;
use crate::ui::output::{emit, print_json};

/// Show what has been said in a chat.
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
    emit(&out)
}
