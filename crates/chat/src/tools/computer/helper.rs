//! The model of a helper that uses a desktop: one of the provider that administrators chose for that.

use authz::{Subject, System};
use llm::computer::native;
use store::chats::ChatRow;
use uuid::Uuid;

use crate::tools::ToolContext;
use crate::tools::shape::Failed;

/// Key of the provider's type among the deployment's settings.
pub const PROVIDER: &str = "agents_computer_use_provider";
/// The provider when nobody chose one.
pub const DEFAULT_PROVIDER: &str = "anthropic";

/// Names of the models that are taken first, if there are such.
const PREFERRED: [&str; 4] = ["claude-opus-5", "claude-opus-4-6", "gpt-5.6-sol", "gpt-5.5"];

/// The model of a chat's helper: the chat's own if it is of the provider, else the best known.
pub(in crate::tools) async fn model(
    context: &ToolContext,
    parent: &ChatRow,
) -> Result<Uuid, Failed> {
    let conn = context.machine.store().conn().await;
    let conn = conn.map_err(|error| Failed(error.to_string()))?;
    let system = Subject::system(System::Chats);
    let chosen = conn.site_config_read(&system, PROVIDER).await;
    let chosen = chosen.map_err(|error| Failed(error.to_string()))?;
    drop(conn);
    let provider = chosen.filter(|chosen| !chosen.is_empty());
    let provider = provider.as_deref().unwrap_or(DEFAULT_PROVIDER);
    let models = context
        .models
        .list(&context.who, parent.organization_id)
        .await
        .map_err(|error| error.message)?;
    let rank = |model: &crate::models::ModelChoice| {
        let known = PREFERRED.iter().position(|name| *name == model.model);
        (
            native(provider, &model.model).is_none(),
            model.model_config_id != parent.last_model_config_id,
            known.unwrap_or(PREFERRED.len()),
        )
    };
    let best = models
        .iter()
        .filter(|model| model.provider == provider)
        .min_by_key(|model| rank(model));
    best.map(|model| model.model_config_id).ok_or_else(|| {
        Failed(format!(
            "type computer_use needs a model of the provider {provider:?}, and none can be used here. \
             An administrator can add one, or choose another provider for computer use."
        ))
    })
}
