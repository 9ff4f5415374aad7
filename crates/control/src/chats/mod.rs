//! Chats with AI agents: who may do what to them, and how they are shown. What follows is up to
//! the machine of `chat`.

mod acl;
mod advisor;
mod agent;
mod config;
mod content;
mod context;
mod create;
mod debug;
mod desktop;
mod diffs;
mod files;
mod instructions;
mod list;
mod messages;
mod patch;
mod read;
mod retention;
mod steer;
mod titles;
mod workspaces;

pub use config::ChatSetting;
pub use diffs::{GitBranch, GitHostError, GitHosts};
pub use files::{ChatFileData, MAX_CHAT_FILE};
pub use list::ChatListQuery;
pub use retention::AutoArchived;
pub use workspaces::ChatTemplate;

use std::sync::{Arc, OnceLock};

use api_types::{Chat, ChatClientType, ChatContext, ChatFileMetadata, ChatPlanMode};
use authz::Subject;
use chat::live::Hub;
use chat::machine::{Machine, MachineError};
use chat::models::{ModelInfo, Models};
use chat::state::State;
use store::chats::{ChatFileRow, ChatRow};
use store::{Store, StoreError};
use uuid::Uuid;

use crate::{Control, Error, Kind, Result};

/// The machine of chats, and models as far as there are any.
pub struct Chats {
    machine: Machine,
    models: OnceLock<Arc<dyn Models>>,
    git_hosts: OnceLock<Arc<dyn GitHosts>>,
}

impl Chats {
    pub(crate) fn new(store: &Store) -> Self {
        let hub = Hub::new(store.clone());
        Chats {
            machine: Machine::new(store.clone(), hub),
            models: OnceLock::new(),
            git_hosts: OnceLock::new(),
        }
    }
}

impl Control {
    /// The machine of chats, for the worker and for viewers.
    pub fn chat_machine(&self) -> &Machine {
        &self.chats().machine
    }

    /// From now on chats can use models. Only the first call counts.
    pub fn chat_models_set(&self, models: Arc<dyn Models>) {
        let _ = self.chats().models.set(models);
    }

    pub(crate) fn models(&self) -> Option<&Arc<dyn Models>> {
        self.chats().models.get()
    }

    /// A chat that `who` may read.
    async fn chat_row(&self, who: &Subject, id: Uuid) -> Result<ChatRow> {
        Ok(self.store().conn().await?.chat_read(who, id).await?)
    }

    /// A chat for what only its owner may do: it spends the owner's money.
    async fn chat_of_owner(&self, who: &Subject, id: Uuid, what: &str) -> Result<ChatRow> {
        let row = self.chat_row(who, id).await?;
        if who.user_id() != Some(row.owner_id) {
            return Err(Error::forbidden(format!("Only the chat owner may {what}.")));
        }
        Ok(row)
    }

    /// The model for something said in an organization: the one asked for, else the owner's
    /// choice, else the organization's.
    async fn chat_model(
        &self,
        owner: &Subject,
        organization: Uuid,
        asked: Option<Uuid>,
    ) -> Result<ModelInfo> {
        let none = || {
            Error::invalid("No chat model is available in this organization.").with_detail(
                "An administrator can add a model provider and a model in the AI settings.",
            )
        };
        let Some(models) = self.models() else {
            return Err(none());
        };
        match asked {
            Some(id) => models
                .model(owner, organization, id)
                .await
                .map_err(|error| {
                    Error::invalid("Invalid model_config_id: model config not found or disabled.")
                        .with_detail(error.message)
                }),
            None => models
                .default_model(owner, organization)
                .await
                .map_err(|error| none().with_detail(error.message))?
                .ok_or_else(none),
        }
    }
}

/// What the machine answers, for people. `archived` is said of chats that were put away.
fn refused(error: MachineError, archived: &str) -> Error {
    match error {
        MachineError::Store(StoreError::Forbidden(_)) => Error::not_found(),
        MachineError::Store(error) => error.into(),
        MachineError::NotAllowed(no) => match no.from {
            State::ArchivedWaiting | State::ArchivedError { .. } | State::ArchivedPaused => {
                Error::invalid(archived)
            }
            State::Invalid => Error::conflict("Chat is in an invalid state.")
                .with_detail("Reconcile it first: POST …/reconcile-invalid."),
            from => Error::conflict("This is not possible in the chat's current state.")
                .with_detail(format!(
                    "The chat is {}; {no}.",
                    from.status().map(|s| s.to_string()).unwrap_or_default()
                )),
        },
        MachineError::QueueFull => Error::new(Kind::TooManyRequests, "Message queue is full.")
            .with_detail(format!(
                "At most {} messages can wait. Delete one, or wait for an answer.",
                chat::machine::MAX_QUEUED
            )),
        MachineError::NoMessage => Error::not_found(),
        MachineError::NotUserMessage => Error::invalid("Only user messages can be edited."),
        MachineError::NoQueuedMessage => Error::new(Kind::NotFound, "Queued message not found."),
        MachineError::NotNext => {
            Error::conflict("Only the next message can be edited while the chat is paused.")
                .with_detail("End the edit of that one first, or promote this one.")
        }
        MachineError::NothingToCompact => Error::conflict("Nothing to compact.")
            .with_detail("The chat has no conversation to summarize after the latest compaction."),
        MachineError::ToolResults(detail) => {
            Error::invalid("Invalid tool results.").with_detail(detail)
        }
        MachineError::Fenced => Error::conflict("The chat changed meanwhile. Try again."),
    }
}

/// A chat as clients see it.
fn shown(row: &ChatRow) -> Chat {
    let context_known =
        row.context_known || row.context_dirty_since.is_some() || !row.context_error.is_empty();
    Chat {
        id: row.id,
        organization_id: row.organization_id,
        owner_id: row.owner_id,
        owner_username: row.owner_username.clone(),
        owner_name: row.owner_name.clone(),
        workspace_id: row.workspace_id,
        build_id: row.build_id,
        agent_id: row.agent_id,
        parent_chat_id: row.parent_chat_id,
        root_chat_id: Some(row.root()),
        last_model_config_id: row.last_model_config_id,
        last_reasoning_effort: row.last_reasoning_effort.clone(),
        title: row.title.clone(),
        status: row.status.clone(),
        plan_mode: ChatPlanMode::from(row.plan_mode.as_str()),
        last_error: row.last_error.clone(),
        last_turn_summary: row.last_turn_summary.clone(),
        summary: row.summary.clone(),
        diff_status: None,
        created_at: row.created_at,
        updated_at: row.updated_at,
        archived: row.archived,
        shared: !row.user_acl.0.is_empty() || !row.group_acl.0.is_empty(),
        pin_order: row.pin_order,
        mcp_server_ids: row.mcp_server_ids.clone(),
        labels: row.labels.clone(),
        files: Vec::new(),
        has_unread: row.has_unread,
        context: context_known.then(|| ChatContext {
            dirty: row.context_dirty_since.is_some(),
            dirty_since: row.context_dirty_since,
            error: row.context_error.clone(),
            resources: Vec::new(),
        }),
        queued_for_capacity: false,
        warnings: Vec::new(),
        client_type: ChatClientType::from(row.client_type.as_str()),
        inline_mcp_servers: Vec::new(),
        children: Vec::new(),
    }
}

fn shown_file(row: ChatFileRow) -> ChatFileMetadata {
    ChatFileMetadata {
        id: row.id,
        owner_id: row.owner_id,
        organization_id: row.organization_id,
        name: row.name,
        mime_type: row.mimetype,
        size_bytes: row.size_bytes,
        created_at: row.created_at,
    }
}
