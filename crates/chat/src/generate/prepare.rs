//! What a turn works with: the owner as it is now, the model, and what people set; and the
//! request made of it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use llm::{Error, ErrorKind, ReasoningEffort, Request, ToolChoice};
use store::{StoreError, UserRef};

use super::{Runner, Turn};
use crate::models::{Call, Purpose};
use crate::prompt::{self, Files, LoadedFile, Surroundings};
use crate::tools::agent::Link;
use crate::tools::mcp;

/// Most tokens of an answer when the model's configuration names none.
const MAX_OUTPUT: u32 = 32_000;

/// Key of the user's own prompt among its settings.
pub const USER_PROMPT: &str = "chat_custom_prompt";
/// Beginning of the keys of the user's thresholds, followed by a model's id.
pub const USER_THRESHOLD: &str = "chat_compaction_threshold_pct:";
/// Key of the administrators' instructions for plan mode.
pub const PLAN_INSTRUCTIONS: &str = "agents_chat_plan_mode_instructions";

pub(super) fn internal(error: StoreError) -> Error {
    let mut failed = Error::new(ErrorKind::Generic, "The database did not answer.");
    failed.retryable = matches!(error, StoreError::Unavailable(_) | StoreError::Retry);
    failed.detail(&error.to_string())
}

impl Runner {
    /// Reads what holds for the turn, unless it holds still. There is none afterwards if the run is
    /// not wanted any more.
    pub(super) async fn read_turn(&mut self) -> Result<(), Error> {
        let chat = &self.lease.chat;
        let of = (
            chat.last_model_config_id,
            chat.plan_mode.clone(),
            chat.workspace_id,
            // A workspace may tell the first time between two steps.
            chat.context_known,
        );
        // Who the owner is, and what it may, is asked anew with every turn.
        let fresh = self
            .history
            .last()
            .is_some_and(|m| m.role == api_types::ChatMessageRole::User);
        if !fresh && self.turn.as_ref().is_some_and(|turn| turn.of == of) {
            return Ok(());
        }
        self.turn = None;
        let shared = self.lease.shared.clone();
        let store = shared.parts.machine.store();
        let owner_id = chat.owner_id;
        let owner_ref = UserRef::Id(owner_id);
        let scope = authz::Scope::all();
        let (owner, (user, settings, plan)) = futures::try_join!(
            store.subject_read(owner_id, scope, &shared.parts.policy),
            async {
                let conn = store.conn().await?;
                let user = conn.user_read(&shared.who, &owner_ref).await?;
                let settings = conn.user_config_read(&shared.who, owner_id).await?;
                let plan = if chat.plan_mode.is_empty() {
                    None
                } else {
                    conn.site_config_read(&shared.who, PLAN_INSTRUCTIONS)
                        .await?
                };
                Ok((user, settings, plan))
            }
        )
        .map_err(internal)?;
        let owner = owner.in_chat(chat.id);
        if user.status == "suspended" {
            return Err(Error::new(
                ErrorKind::Auth,
                "The owner of this chat is suspended. An administrator can activate the account.",
            ));
        }
        let own_skills = async {
            let conn = store.conn().await?;
            conn.user_skill_list(&owner, owner_id).await
        };
        let own_skills = match own_skills.await {
            Err(StoreError::NotFound) => Vec::new(),
            read => read.map_err(internal)?,
        };
        let settings: HashMap<String, String> = settings.into_iter().collect();
        let model = shared
            .parts
            .models
            .model(&owner, chat.organization_id, chat.last_model_config_id)
            .await?;
        let threshold = settings
            .get(&format!("{USER_THRESHOLD}{}", model.id))
            .and_then(|text| text.parse().ok())
            .unwrap_or(model.compression_threshold);
        let own = settings.get(USER_PROMPT).cloned();
        let connector = shared.parts.toolbox.connector(chat, &owner);
        let toolbox = &shared.parts.toolbox;
        let told = self.told(chat, connector.as_ref()).await?;
        let ours = toolbox.tools(chat);
        let guidance = ours.iter().filter_map(|tool| tool.guidance()).collect();
        let own_skills: Vec<(&str, &str)> = own_skills
            .iter()
            .map(|skill| (skill.name.as_str(), skill.description.as_str()))
            .collect();
        let chat = chat.clone();
        let remote = tokio::select! {
            biased;
            // Nobody waits for slow servers once the turn is to stop.
            () = self.lease.broken() => return Ok(()),
            remote = toolbox.remote(&chat, &owner) => remote,
        };
        let remote = mcp::beside(&ours, remote, &told, mcp::reach(&chat));
        self.turn = Some(Turn {
            workspace: Arc::new(Link::new(connector)),
            owner,
            model,
            surroundings: Surroundings {
                guidance,
                ..Surroundings::new(&told, &own_skills, own.as_deref(), plan.as_deref())
            },
            remote,
            threshold,
            of,
        });
        Ok(())
    }

    /// The call of a turn's step.
    pub(super) fn call(&self, turn: &Turn, purpose: Purpose) -> Call {
        let chat = &self.lease.chat;
        Call {
            owner: turn.owner.clone(),
            chat: chat.id,
            parent: chat.parent_chat_id,
            organization: chat.organization_id,
            workspace: chat.workspace_id,
            model: turn.model.clone(),
            purpose,
        }
    }

    /// The request of the next step.
    pub(super) async fn request(&self, turn: &Turn) -> Result<Request, Error> {
        let chat = &self.lease.chat;
        let files = self.files().await?;
        let ours = self.tools(turn);
        let (provider, model) = (&turn.model.provider, &turn.model.model);
        let told = ours.iter().map(|tool| tool.spec_for(provider, model));
        let mut tools: Vec<llm::Tool> = told.collect();
        for dynamic in self.dynamic_tools(&ours) {
            tools.push(llm::Tool::new(
                dynamic.name,
                dynamic.description,
                dynamic.input_schema,
            ));
        }
        let mut request = Request {
            model: turn.model.model.clone(),
            messages: prompt::assemble(chat, &self.history, &files, &turn.surroundings),
            tools,
            tool_choice: ToolChoice::Auto,
            max_output_tokens: Some(MAX_OUTPUT),
            ..Request::default()
        };
        let effort = chat
            .last_reasoning_effort
            .as_deref()
            .and_then(ReasoningEffort::parse);
        turn.model
            .options
            .apply(&mut request, &turn.model.provider, effort);
        Ok(request)
    }

    async fn files(&self) -> Result<Files, Error> {
        let ids = prompt::files_of(&self.history);
        if ids.is_empty() {
            return Ok(Files::new());
        }
        let store = self.lease.shared.parts.machine.store();
        let conn = store.conn().await.map_err(internal)?;
        let files = conn.chat_files_data(&ids).await.map_err(internal)?;
        Ok(files
            .into_iter()
            .map(|(row, data)| {
                let file = LoadedFile {
                    name: row.name,
                    media_type: row.mimetype,
                    data: Bytes::from(data),
                };
                (row.id, file)
            })
            .collect())
    }
}
