//! `list_subagent_models`: the models that helpers may have.

use serde_json::json;

use crate::tools::ToolContext;
use crate::tools::args::Args;
use crate::tools::shape::{Done, Simple};

/// Most models that are told of: a model would not read more.
const MAX_MODELS: usize = 100;

/// Lists models.
pub(in crate::tools) fn list_subagent_models() -> Simple {
    Simple::new(
        "list_subagent_models",
        "List the models that spawn_agent can give to an agent, with the levels of reasoning that \
         each allows.",
        json!({ "type": "object", "properties": {} }),
        |context, args| Box::pin(list(context, args)),
    )
    .repeatable()
}

async fn list(context: &ToolContext, _: Args) -> Done {
    let organization = context.chat.organization_id;
    let models = context.models.list(&context.who, organization).await;
    let models = models.map_err(|error| error.message)?;
    let models = &models[..models.len().min(MAX_MODELS)];
    Ok(json!({ "models": models }))
}
