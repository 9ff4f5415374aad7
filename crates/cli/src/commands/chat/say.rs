//! `coder chat send` and `coder chat attach`: talking in a chat that there is.

use anyhow::Result;
use api_types::{
    ChatBusyBehavior, ChatInputPart, CreateChatMessageRequest, CreateChatMessageResponse,
};
use clap::Args as ClapArgs;
use uuid::Uuid;

use super::budget;
use super::find::{self, short};
use super::follow::{Form, Rest, unless_interrupted, until_idle, verdict};
use super::start::Output;
use super::transcript::Transcript;
use super::typed;
use crate::session::Session;
use crate::ui::output::{emit, print_json};

/// Messages of the past that `attach` shows.
const PAST: usize = 20;

/// Say something in a chat, and follow the agent until it is done.
#[derive(ClapArgs)]
pub struct SendArgs {
    /// Id of the chat, the beginning of it, its title, or 'last'.
    #[arg(value_name = "chat")]
    chat: String,

    /// The message; read from standard input when left out.
    #[arg(value_name = "message")]
    message: Vec<String>,

    /// Stop what the agent is doing for this, instead of waiting in its queue.
    #[arg(short, long)]
    interrupt: bool,

    /// Model to use from now on.
    #[arg(short, long, value_name = "model")]
    model: Option<String>,

    /// Do not wait for the agent.
    #[arg(short, long)]
    detach: bool,

    #[command(flatten)]
    output: Output,
}

/// Follow a chat and talk with its agent.
#[derive(ClapArgs)]
pub struct AttachArgs {
    /// Id of the chat, the beginning of it, its title, or 'last'.
    #[arg(value_name = "chat")]
    chat: String,

    #[command(flatten)]
    output: Output,
}

/// Says it.
pub async fn send(args: SendArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let message = find::message(&args.message, session)?;
    let chat = find::chat(client, &args.chat).await?;
    let last = newest(session, chat.id).await?;
    let request = CreateChatMessageRequest {
        content: vec![ChatInputPart::text(message)],
        model_config_id: find::model(client, chat.organization_id, args.model.as_deref()).await?,
        busy_behavior: if args.interrupt {
            ChatBusyBehavior::Interrupt
        } else {
            ChatBusyBehavior::Queue
        },
        ..CreateChatMessageRequest::default()
    };
    let answer = client.chat_send(chat.id, &request).await?;
    tell(session, &answer);
    if args.detach {
        return if args.output.json() {
            print_json(&answer)
        } else {
            Ok(())
        };
    }
    let mut transcript = Transcript::new(session.style, false, last);
    let form = args.output.form();
    let rest = until_idle(session, chat.id, &mut transcript, form).await?;
    // A failure says itself why.
    if form == Form::Text && !rest.is_unfinished() {
        unless_interrupted(budget::tell(session)).await?;
    }
    verdict(&rest)
}

/// Shows the last messages, follows, and talks if there is a person.
pub async fn attach(args: AttachArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let chat = find::chat(client, &args.chat).await?;
    let form = args.output.form();
    let mut transcript = Transcript::new(session.style, true, 0);
    if form == Form::Text {
        let history = client.chat_history(chat.id).await?;
        let skipped = history.len().saturating_sub(PAST);
        let mut out = String::new();
        if skipped > 0 {
            let note = format!(
                "({skipped} earlier messages: 'coder chat show {}')\n",
                short(chat.id)
            );
            out.push_str(&session.style.dim(&note));
        }
        for message in &history[skipped..] {
            transcript.message(message, &mut out);
        }
        emit(&out)?;
    }
    let talk = session.interactive() && form == Form::Text;
    let rest = until_idle(session, chat.id, &mut transcript, form).await?;
    if talk {
        return converse(session, rest, transcript).await;
    }
    verdict(&rest)
}

/// Turn by turn, until the person has nothing more to say.
pub async fn converse(session: &Session, mut rest: Rest, mut transcript: Transcript) -> Result<()> {
    let client = session.client()?;
    let chat = rest.chat.id;
    loop {
        if !rest.is_unfinished() {
            unless_interrupted(budget::tell(session)).await?;
        } else if let Err(error) = verdict(&rest) {
            session.note(&session.style_err.error(&error.to_string()));
        }
        let Some(text) = typed::message(session).await? else {
            break;
        };
        let request = CreateChatMessageRequest {
            content: vec![ChatInputPart::text(text)],
            ..CreateChatMessageRequest::default()
        };
        let answer = unless_interrupted(client.chat_send(chat, &request)).await??;
        tell(session, &answer);
        // What was typed stands on the terminal already.
        let mut next = Transcript::new(session.style, false, transcript.last());
        rest = until_idle(session, chat, &mut next, Form::Text).await?;
        transcript = next;
    }
    session.note(
        &session
            .style_err
            .dim(&format!("'coder chat attach {}' comes back.", short(chat))),
    );
    Ok(())
}

fn tell(session: &Session, answer: &CreateChatMessageResponse) {
    for warning in &answer.warnings {
        session.note(&session.style_err.warn(warning));
    }
    if answer.queued {
        session.note("The agent is busy; your message is in its queue.");
    }
}

/// The newest message that there is.
async fn newest(session: &Session, chat: Uuid) -> Result<i64> {
    let page = session.client()?.chat_messages(chat, None, 1).await?;
    Ok(page.messages.iter().map(|m| m.id).max().unwrap_or(0))
}
