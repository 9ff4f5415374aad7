//! `interrupt_agent`: stops a helper.

use api_types::ChatStatus;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::{named, refused, shown};
use crate::machine::{MachineError, Op};
use crate::tools::args::Args;
use crate::tools::{Tool, ToolAnswer, ToolContext};

/// Stops what a helper does.
pub struct InterruptAgent;

impl Tool for InterruptAgent {
    fn spec(&self) -> llm::Tool {
        llm::Tool::new(
            "interrupt_agent",
            "Stop what an agent that you started does now. What it said until then stays, and it can \
             be given more to do with message_agent.",
            json!({
                "type": "object",
                "properties": { "chat_id": { "type": "string", "description": "Of spawn_agent." } },
                "required": ["chat_id"],
            }),
        )
    }

    /// Its name in earlier releases, which stands in histories.
    fn alias(&self) -> Option<&'static str> {
        Some("close_agent")
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn call<'a>(
        &'a self,
        context: &'a ToolContext,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, ToolAnswer> {
        Box::pin(async move {
            let stopped = interrupt(context, &Args(args)).await;
            stopped.map_or_else(ToolAnswer::error, ToolAnswer::ok)
        })
    }
}

async fn interrupt(context: &ToolContext, args: &Args) -> Result<Value, String> {
    let mut chat = named(context, args).await?;
    let mut interrupted = false;
    if chat.status == ChatStatus::Running {
        let ops = vec![Op::Interrupt];
        match context.machine.apply(&context.who, chat.id, ops).await {
            Ok(outcome) => {
                chat = outcome.chat;
                interrupted = true;
            }
            // It came to rest by itself meanwhile.
            Err(MachineError::NotAllowed(_)) => chat = named(context, args).await?,
            Err(error) => return Err(refused(error)),
        }
    }
    let mut value = shown(&chat);
    value["interrupted"] = Value::from(interrupted);
    Ok(value)
}
