//! `message_agent`: more to do for a helper.

use api_types::{ChatMessagePart, ChatStatus};
use serde_json::{Value, json};

use super::{named, refused, shown};
use crate::machine::{Op, UserMessage};
use crate::tools::ToolContext;
use crate::tools::args::Args;
use crate::tools::shape::{Done, Simple};

/// Says something to a helper.
pub(in crate::tools) fn message_agent() -> Simple {
    Simple::new(
        "message_agent",
        "Say something to an agent that you started. One that works gets it after its turn; with \
             interrupt, at once.",
        json!({
            "type": "object",
            "properties": {
                "chat_id": { "type": "string", "description": "Of spawn_agent." },
                "message": { "type": "string" },
                "interrupt": { "type": "boolean", "description": "Stop what it does now." },
            },
            "required": ["chat_id", "message"],
        }),
        |context, args| Box::pin(send(context, args)),
    )
}

async fn send(context: &ToolContext, args: Args) -> Done {
    let text = args.text("message")?;
    let interrupt = args.flag("interrupt")?;
    let chat = named(context, &args).await?;
    let message = UserMessage {
        content: vec![ChatMessagePart::text(text)],
        model_config_id: chat.last_model_config_id,
        reasoning_effort: chat.last_reasoning_effort.clone(),
        created_by: chat.owner_id,
    };
    let ops = vec![Op::Send(message, interrupt)];
    let sent = context.machine.apply(&context.who, chat.id, ops).await;
    let mut value = shown(&sent.map_err(refused)?.chat);
    value["interrupted"] = Value::from(interrupt && chat.status == ChatStatus::Running);
    Ok(value)
}
