//! Templates and workspaces for the agents of chats: what their tools may do. They act as the
//! chat's owner, with the owner's rights of that moment and by the same rules as people; the audit
//! log names the owner and the chat.

use std::collections::HashMap;

use api_types::{
    CreateWorkspaceBuildRequest, CreateWorkspaceRequest, Preset, Template,
    TemplateVersionParameter, Workspace, WorkspaceBuild, WorkspaceBuildParameter, WorkspaceQuota,
    WorkspaceTransition,
};
use authz::{Action, Scope, Subject};
use store::chats::{ChatChange, ChatRow};
use store::template_usage::TemplateUsage;
use store::templates::{TemplateFilter, TemplateRow};
use store::{OrganizationRef, StoreError, Tx};
use uuid::Uuid;

use super::ChatSetting;
use crate::{Control, Error, Owner, Result};

/// A template as the agent of a chat reads it.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    /// The template.
    pub template: Template,
    /// What its active version says of itself.
    pub readme: String,
    /// Parameters of the active version.
    pub parameters: Vec<TemplateVersionParameter>,
    /// Presets of the active version.
    pub presets: Vec<Preset>,
}

impl Control {
    /// Who the agent of a chat acts as: the owner as it is now.
    ///
    /// # Errors
    /// If the owner may not act any more.
    pub async fn chat_acting(&self, chat: &ChatRow) -> Result<Subject> {
        let core = Subject::system(authz::System::Core);
        let owner = store::UserRef::Id(chat.owner_id);
        let user = self.store().conn().await?.user_read(&core, &owner).await?;
        if user.status == "suspended" {
            return Err(Error::forbidden("The owner of this chat is suspended."));
        }
        let who = self
            .store()
            .subject_read(chat.owner_id, Scope::all(), &self.settings().policy)
            .await?;
        Ok(who.in_chat(chat.id))
    }

    /// The templates from which the agent of a chat may make workspaces, and their use.
    pub async fn chat_template_list(
        &self,
        who: &Subject,
        chat: &ChatRow,
    ) -> Result<Vec<(Template, TemplateUsage)>> {
        let by = TemplateFilter {
            organization_id: Some(chat.organization_id),
            deprecated: Some(false),
            agents_allowed: Some(true),
            ..TemplateFilter::default()
        };
        let conn = self.store().conn().await?;
        let rows = conn.template_list(who, &by).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.api.id).collect();
        let mut usage = conn.template_usage(&ids, chat.owner_id).await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let usage = usage.remove(&row.api.id).unwrap_or_default();
                (row.api, usage)
            })
            .collect())
    }

    /// What such templates say of themselves, of those that may be read.
    pub async fn chat_template_readmes(
        &self,
        who: &Subject,
        chat: &ChatRow,
        ids: Vec<Uuid>,
    ) -> Result<HashMap<Uuid, String>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let by = TemplateFilter {
            organization_id: Some(chat.organization_id),
            ids,
            ..TemplateFilter::default()
        };
        let conn = self.store().conn().await?;
        let rows = conn.template_list(who, &by).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.api.id).collect();
        Ok(conn.template_readmes(&ids).await?)
    }

    /// All about one of them.
    pub async fn chat_template_read(
        &self,
        who: &Subject,
        chat: &ChatRow,
        id: Uuid,
    ) -> Result<ChatTemplate> {
        let template = self.chat_template(who, chat, id).await?.api;
        let version = template.active_version_id;
        let conn = self.store().conn().await?;
        let readme = conn.template_readmes(&[id]).await?.remove(&id);
        Ok(ChatTemplate {
            readme: readme.unwrap_or_default(),
            parameters: conn.template_version_parameters(version).await?,
            presets: conn.template_version_presets(version).await?,
            template,
        })
    }

    /// A template that the agent of a chat may use: of the chat's organization, readable by its
    /// owner, and open to agents.
    async fn chat_template(&self, who: &Subject, chat: &ChatRow, id: Uuid) -> Result<TemplateRow> {
        let unknown = || {
            Error::new(
                crate::Kind::NotFound,
                "There is no such template, or the chat's owner may not read it. list_templates \
                 shows those that there are.",
            )
        };
        let row = self.store().conn().await?.template_read(who, id).await;
        let row = match row {
            Ok(row) if !row.api.deleted => row,
            Ok(_) | Err(StoreError::NotFound) => return Err(unknown()),
            Err(error) => return Err(error.into()),
        };
        if row.api.organization_id != chat.organization_id {
            return Err(Error::invalid(
                "The template belongs to another organization than this chat. list_templates \
                 shows those of the chat's organization.",
            ));
        }
        if !row.api.agents_allowed {
            return Err(Error::forbidden(
                "Administrators have not opened this template to agents. list_templates shows \
                 those that are.",
            ));
        }
        Ok(row)
    }

    /// A template of which the agent of a chat may make workspaces: not one whose agents somebody
    /// has to start elsewhere by hand.
    pub async fn chat_template_admitted(
        &self,
        who: &Subject,
        chat: &ChatRow,
        id: Uuid,
    ) -> Result<Template> {
        let template = self.chat_template(who, chat, id).await?.api;
        let conn = self.store().conn().await?;
        let version = conn
            .template_version_read(who, template.active_version_id)
            .await;
        match version {
            Ok(version) if version.api.has_external_agent => Err(Error::invalid(
                "create_workspace cannot create workspaces whose agents are managed outside of \
                 this platform. Choose another template with list_templates; or the user creates \
                 the workspace, starts it and its agent fully, and attaches it to this chat.",
            )),
            Ok(_) | Err(StoreError::NotFound) => Ok(template),
            Err(error) => {
                let mut error = Error::from(error);
                error.message = format!("look up template version: {}", error.message);
                Err(error)
            }
        }
    }

    /// Makes a workspace of the chat's owner and attaches the chat to it: both or neither.
    pub async fn chat_workspace_create(
        &self,
        who: &Subject,
        chat: &ChatRow,
        mut request: CreateWorkspaceRequest,
    ) -> Result<Workspace> {
        let template = request.template_id.unwrap_or_default();
        self.chat_template_admitted(who, chat, template).await?;
        if request.ttl_ms.is_none() {
            let ttl = self
                .chat_setting_read(who, ChatSetting::WorkspaceTtl)
                .await?;
            request.ttl_ms = ttl.parse().ok().filter(|ms| *ms > 0);
        }
        let owner = Owner {
            id: chat.owner_id,
            username: chat.owner_username.clone(),
        };
        let organization = OrganizationRef::Id(chat.organization_id);
        self.workspace_create_for(who, &owner, Some(&organization), request, Some(chat))
            .await
    }

    /// Starts the chat's workspace, with its template's active version if the template wants that.
    pub async fn chat_workspace_start(
        &self,
        who: &Subject,
        chat: &ChatRow,
        workspace: Uuid,
        values: Vec<WorkspaceBuildParameter>,
    ) -> Result<WorkspaceBuild> {
        let row = self.store().conn().await?;
        let row = row.workspace_read(who, workspace).await?.api;
        let version = row
            .template_require_active_version
            .then_some(row.template_active_version_id);
        let request = CreateWorkspaceBuildRequest {
            transition: WorkspaceTransition::Start,
            template_version_id: version,
            rich_parameter_values: values,
            ..CreateWorkspaceBuildRequest::default()
        };
        let updates = version.is_some_and(|id| id != row.latest_build.template_version_id);
        let build = self.workspace_build_create(who, workspace, request).await;
        let build = build.map_err(|mut error| {
            if updates && error.status() == 400 {
                let why = std::mem::replace(
                    &mut error.message,
                    "The workspace can only start with the template's active version, which needs \
                     other values of parameters. Read them with read_template and try again with \
                     parameters."
                        .to_owned(),
                );
                error.detail = match error.detail.as_str() {
                    "" => why,
                    detail => format!("{why}: {detail}"),
                };
            }
            error
        })?;
        self.chat_build_bind(who, chat, workspace, build.id).await?;
        Ok(build)
    }

    /// Stops the chat's workspace.
    pub async fn chat_workspace_stop(
        &self,
        who: &Subject,
        chat: &ChatRow,
        workspace: Uuid,
    ) -> Result<WorkspaceBuild> {
        let request = CreateWorkspaceBuildRequest {
            transition: WorkspaceTransition::Stop,
            ..CreateWorkspaceBuildRequest::default()
        };
        let build = self.workspace_build_create(who, workspace, request).await?;
        self.chat_build_bind(who, chat, workspace, build.id).await?;
        Ok(build)
    }

    /// The chat's workspace as it is now, and whether it was deleted; none without one.
    pub async fn chat_workspace_read(
        &self,
        who: &Subject,
        chat: &ChatRow,
    ) -> Result<Option<(Workspace, bool)>> {
        let conn = self.store().conn().await?;
        // The step began a while ago: the chat may have another workspace since.
        let Some(id) = conn.chat_read(who, chat.id).await?.workspace_id else {
            return Ok(None);
        };
        let row = conn.workspace_read(who, id).await.map_err(|error| match error {
            StoreError::NotFound => Error::new(
                crate::Kind::NotFound,
                "The chat's owner may not use the workspace of this chat any more. The user can \
                 attach another one, or none.",
            ),
            error => error.into(),
        })?;
        Ok(Some((row.api, row.deleted)))
    }

    /// What the owner's workspaces cost in the chat's organization, and may cost.
    pub async fn chat_quota(&self, who: &Subject, chat: &ChatRow) -> Result<WorkspaceQuota> {
        let organization = OrganizationRef::Id(chat.organization_id);
        self.workspace_quota(who, &organization, chat.owner_id)
            .await
    }

    /// Attaches a chat to a build of its workspace, so that people who watch see its log.
    pub async fn chat_build_bind(
        &self,
        who: &Subject,
        chat: &ChatRow,
        workspace: Uuid,
        build: Uuid,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        self.chat_build_write(&tx, who, chat, workspace, build)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The same within a transaction.
    pub(crate) async fn chat_build_write(
        &self,
        tx: &Tx,
        who: &Subject,
        chat: &ChatRow,
        workspace: Uuid,
        build: Uuid,
    ) -> Result<()> {
        let row = tx.chat_lock(who, Action::Update, chat.id).await?;
        tx.chat_build_set(who, &row, workspace, build).await?;
        tx.chat_announce(&ChatChange {
            chat: row.id,
            owner: row.owner_id,
            snapshot: row.snapshot_version,
            origin: self.chat_machine().hub().origin(),
            work: false,
            kinds: vec!["status_change".to_owned()],
        })
        .await?;
        Ok(())
    }
}
