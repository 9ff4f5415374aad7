//! `list_agents`: the helpers of a chat.

use serde_json::{Value, json};

use super::{shown, words};
use crate::tools::ToolContext;
use crate::tools::args::Args;
use crate::tools::shape::{Done, Simple};

/// How many are shown when the model does not say.
const LIMIT: u64 = 10;
/// Most that are shown at once.
const MAX_LIMIT: u64 = 50;

/// Lists helpers.
pub(in crate::tools) fn list_agents() -> Simple {
    Simple::new(
        "list_agents",
        "List the agents that you started, the newest first.",
        json!({
            "type": "object",
            "properties": {
                "limit": { "type": "integer", "description": "Default 10, at most 50." },
                "offset": { "type": "integer", "description": "Leave out so many." },
            },
        }),
        |context, args| Box::pin(list(context, args)),
    )
    .repeatable()
}

async fn list(context: &ToolContext, args: Args) -> Done {
    let limit = args.number("limit")?.unwrap_or(LIMIT).clamp(1, MAX_LIMIT) as usize;
    let offset = usize::try_from(args.number("offset")?.unwrap_or(0)).unwrap_or(usize::MAX);
    let conn = context.machine.store().conn().await.map_err(words)?;
    let chat = conn.chat_read(&context.who, context.chat.id).await;
    let chat = chat.map_err(words)?;
    let family = conn.chat_children(&[chat.root()], false).await;
    let mut own = family.map_err(words)?;
    own.retain(|row| row.parent_chat_id == Some(chat.id));
    own.reverse();
    let page: Vec<Value> = own.iter().skip(offset).take(limit).map(shown).collect();
    Ok(json!({
        "total": own.len(),
        "returned": page.len(),
        "offset": offset,
        "has_more": offset.saturating_add(page.len()) < own.len(),
        "agents": page,
    }))
}
