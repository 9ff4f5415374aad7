//! `interrupt_agent`: stops a helper.

use api_types::ChatStatus;
use serde_json::{Value, json};

use super::{named, refused, shown};
use crate::machine::{MachineError, Op};
use crate::tools::ToolContext;
use crate::tools::args::Args;
use crate::tools::shape::{Done, Simple};

/// Stops what a helper does.
pub(in crate::tools) fn interrupt_agent() -> Simple {
    Simple::new(
        "interrupt_agent",
        "Stop what an agent that you started does now. What it said until then stays, and it can \
             be given more to do with message_agent.",
        json!({
            "type": "object",
            "properties": { "chat_id": { "type": "string", "description": "Of spawn_agent." } },
            "required": ["chat_id"],
        }),
        |context, args| Box::pin(interrupt(context, args)),
    )
    .formerly("close_agent")
    .repeatable()
}

async fn interrupt(context: &ToolContext, args: Args) -> Done {
    let mut chat = named(context, &args).await?;
    let mut interrupted = false;
    if chat.status == ChatStatus::Running {
        let ops = vec![Op::Interrupt];
        match context.machine.apply(&context.who, chat.id, ops).await {
            Ok(outcome) => {
                chat = outcome.chat;
                interrupted = true;
            }
            // It came to rest by itself meanwhile.
            Err(MachineError::NotAllowed(_)) => chat = named(context, &args).await?,
            Err(error) => return Err(refused(error)),
        }
    }
    let mut value = shown(&chat);
    value["interrupted"] = Value::from(interrupted);
    Ok(value)
}
