//! What chats need of models: who may use which, and calls that are accounted for.
//!
//! The one implementation goes through the gateway, which knows keys, prices and budgets; this
//! crate knows none of them.

use authz::Subject;
use futures::future::BoxFuture;
use llm::{Answer, CallOptions, Error, EventStream, Request, Usage};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A model that a chat may use.
#[derive(Debug, Clone)]
pub struct ModelInfo {
    /// Id of its configuration.
    pub id: Uuid,
    /// Its organization.
    pub organization_id: Uuid,
    /// Its provider.
    pub provider_id: Uuid,
    /// Type of its provider (`openai`, `anthropic`, …), which is its family of options too.
    pub provider: String,
    /// Its name for the provider.
    pub model: String,
    /// Its name for people.
    pub display_name: String,
    /// Tokens that it can read.
    pub context_limit: i64,
    /// Percentage of that after which the conversation is summarized; 100 means never.
    pub compression_threshold: i32,
    /// What is sent with every call.
    pub options: CallOptions,
}

/// Whether there is a level of reasoning of this name.
pub fn is_effort(name: &str) -> bool {
    llm::ReasoningEffort::parse(name).is_some()
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A step of a turn.
    Turn,
    /// A title.
    Title,
    /// The words that tell what a turn did, or what a chat is about.
    Label,
    /// A summary of the conversation.
    Compaction,
    /// A second opinion for the model.
    Advisor,
}

/// In whose name a model is called.
#[derive(Debug, Clone)]
pub struct Call {
    /// The owner of the chat.
    pub owner: Subject,
    /// The chat.
    pub chat: Uuid,
    /// The chat above it.
    pub parent: Option<Uuid>,
    /// Its organization.
    pub organization: Uuid,
    /// Its workspace.
    pub workspace: Option<Uuid>,
    /// The model.
    pub model: ModelInfo,
    /// What for.
    pub purpose: Purpose,
}

/// A model that one may choose.
#[derive(Debug, Clone, Serialize)]
pub struct ModelChoice {
    /// Id of its configuration.
    pub model_config_id: Uuid,
    /// Its name for people.
    pub display_name: String,
    /// Its name for the provider.
    pub model: String,
    /// Type of its provider.
    pub provider: String,
    /// Tokens that it can read.
    pub context_limit: i64,
    /// The organization's chats use it when nobody chose one.
    pub is_default: bool,
    /// Levels of reasoning that it allows, least first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasoning_efforts: Vec<String>,
}

/// A model, and how much it should think if that was chosen too.
pub type Chosen = (ModelInfo, Option<String>);

/// The gateway, as chats see it.
pub trait Models: Send + Sync {
    /// A model by its id, if it is enabled, of this organization, and readable by the owner.
    fn model<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
        id: Uuid,
    ) -> BoxFuture<'a, Result<ModelInfo, Error>>;

    /// The models of an organization that the owner may use, and that can be used now.
    fn list<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
    ) -> BoxFuture<'a, Result<Vec<ModelChoice>, Error>>;

    /// The model that an organization's chats use when nobody chose one.
    fn default_model<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
    ) -> BoxFuture<'a, Result<Option<ModelInfo>, Error>>;

    /// The model, and how much it should think, that a helper has instead of its chat's; none to
    /// leave it at that. Helpers that only look may have another.
    fn helper_model<'a>(
        &'a self,
        owner: &'a Subject,
        organization: Uuid,
        explores: bool,
    ) -> BoxFuture<'a, Result<Option<Chosen>, Error>>;

    /// The model that titles, labels and summaries are made with instead of the chat's; none to leave
    /// it at that.
    fn side_model<'a>(
        &'a self,
        _owner: &'a Subject,
        _organization: Uuid,
        _purpose: Purpose,
    ) -> BoxFuture<'a, Result<Option<Chosen>, Error>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Asks and streams the answer. Budgets are checked before, usage is recorded after.
    fn stream(&self, call: Call, request: Request, cancel: CancellationToken) -> EventStream;

    /// Asks for the whole answer at once.
    fn complete(
        &self,
        call: Call,
        request: Request,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Answer, Error>>;

    /// What a call cost, in millionths of a dollar; none without a price.
    fn price(&self, model: &ModelInfo, usage: &Usage) -> Option<i64>;
}
