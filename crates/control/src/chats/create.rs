//! Beginning a chat.

use api_types::{Chat, ChatClientType, ChatPlanMode, CreateChatRequest};
use authz::{Action, Object, ResourceType, Scope, Subject, System};
use chat::machine::{FirstMessage, UserMessage};
use chat::{history, prompt, titles};
use store::UserRef;
use store::chats::NewChat;
use uuid::Uuid;

use super::{content, refused, shown};
use crate::{Control, Error, Result};

impl Control {
    /// Begins a chat, for oneself or, where one may make keys of others, for another.
    pub async fn chat_create(&self, who: &Subject, request: CreateChatRequest) -> Result<Chat> {
        if request.organization_id.is_nil() {
            return Err(Error::invalid("organization_id is required."));
        }
        let author = who
            .user_id()
            .ok_or_else(|| Error::forbidden("Only users have chats."))?;
        let owner = self.chat_owner(who, author, &request).await?;
        let owner_id = owner.user_id().unwrap_or(author);
        let organization = request.organization_id;
        if owner.organization_ids().all(|id| id != organization) && !owner.is_owner() {
            return Err(Error::forbidden(
                "You are not a member of the specified organization.",
            ));
        }
        let conn = self.store().conn().await?;
        conn.chat_may_create(who, organization, owner_id)
            .and_then(|()| conn.chat_may_create(&owner, organization, owner_id))
            .map_err(|_| {
                Error::forbidden("You are not allowed to use chats in this organization.")
            })?;
        let plan_mode = match request.plan_mode {
            ChatPlanMode::Unset => "",
            ChatPlanMode::Plan => "plan",
            ChatPlanMode::Other(_) => return Err(Error::invalid("Invalid plan_mode value.")),
        };
        let client_type = match request.client_type {
            ChatClientType::Unset | ChatClientType::Api => "api",
            ChatClientType::Ui => "ui",
            ChatClientType::Other(_) => return Err(Error::invalid("Invalid client_type.")),
        };
        content::labels(&request.labels)?;
        if self.settings().disable_chat_caller_supplied_tools
            && !request.unsafe_dynamic_tools.is_empty()
        {
            return Err(Error::invalid(
                "Tools of clients are disabled on this deployment: leave out unsafe_dynamic_tools.",
            ));
        }
        content::dynamic_tools(&request.unsafe_dynamic_tools)?;
        let inline_mcp_servers = self.mcp_inline_checked(&request.inline_mcp_servers)?;
        let effort = content::effort(request.reasoning_effort.as_deref())?;
        let parts = content::content(&conn, &owner, None, &request.content).await?;
        let workspace = match request.workspace_id.filter(|id| !id.is_nil()) {
            Some(id) => {
                super::patch::usable_workspace(&conn, &owner, id, organization).await?;
                Some(id)
            }
            None => None,
        };
        let mcp_server_ids = self
            .mcp_ids_checked(&conn, &owner, organization, &request.mcp_server_ids, &[])
            .await?;
        drop(conn);
        let model = self
            .chat_model(&owner, organization, request.model_config_id)
            .await?;
        let (deployment, include_default) = self.chat_system_prompt().await?;
        let of_organization = self.chat_organization_prompt(organization).await?;
        let first = FirstMessage {
            system: prompt::first_instructions(
                &deployment,
                include_default,
                &of_organization,
                &request.system_prompt,
                workspace.is_some(),
            ),
            message: UserMessage {
                content: parts,
                model_config_id: model.id,
                reasoning_effort: effort.clone(),
                created_by: author,
            },
        };
        let new = NewChat {
            id: Uuid::new_v4(),
            owner_id,
            organization_id: organization,
            workspace_id: workspace,
            family: None,
            title: titles::first_title(&history::text_of(&first.message.content)),
            model_config_id: model.id,
            reasoning_effort: effort,
            mode: None,
            plan_mode: plan_mode.to_owned(),
            client_type: client_type.to_owned(),
            mcp_server_ids,
            labels: request.labels,
            dynamic_tools: request.unsafe_dynamic_tools,
            inline_mcp_servers,
        };
        let made = self
            .chat_machine()
            .create(who, &new, &first)
            .await
            .map_err(|error| refused(error, ""))?;
        Ok(shown(&made.chat))
    }

    /// In whose name a chat is made: oneself, or a user whose keys one may make.
    async fn chat_owner(
        &self,
        who: &Subject,
        author: Uuid,
        request: &CreateChatRequest,
    ) -> Result<Subject> {
        let owner = match request.owner_id {
            None => return Ok(who.clone()),
            Some(id) if id == author => return Ok(who.clone()),
            Some(id) if id.is_nil() => {
                return Err(Error::field("owner_id", "The owner must be a user."));
            }
            Some(id) => id,
        };
        let key = Object::new(ResourceType::ApiKey).owner(owner);
        who.may(Action::Create, &key)
            .map_err(|_| Error::forbidden("You are not allowed to begin chats for other users."))?;
        let core = Subject::system(System::Core);
        let unfit = || {
            Error::field(
                "owner_id",
                "The owner must be an active user who may use chats in this organization.",
            )
        };
        let conn = self.store().conn().await?;
        let user = conn
            .user_read(&core, &UserRef::Id(owner))
            .await
            .map_err(|_| unfit())?;
        if user.status != "active" || user.is_system {
            return Err(unfit());
        }
        drop(conn);
        let subject = self
            .store()
            .subject_read(owner, Scope::all(), &self.settings().policy)
            .await?;
        let conn = self.store().conn().await?;
        conn.chat_may_create(&subject, request.organization_id, owner)
            .map_err(|_| unfit())?;
        Ok(subject)
    }
}
