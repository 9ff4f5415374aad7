//! Creating a workspace together with its first build.

use api_types::{CreateWorkspaceRequest, Workspace};
use authz::{Action, Object, ResourceType, Subject, System};
use chrono::Utc;
use serde_json::json;
use store::chats::ChatRow;
use store::templates::TemplateRow;
use store::workspaces::NewWorkspace;
use store::{AuditAction, AuditDiff, AuditEntry, OrganizationRef, StoreError};
use uuid::Uuid;

use super::names::check_name;
use super::settings::{TRACKED, check_ttl, next_start, schedule};
use crate::builds::parameters::check_values;
use crate::builds::{Base, Wanted};
use crate::{Control, Error, Result};

/// Who a new workspace belongs to.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The user.
    pub id: Uuid,
    /// Its name.
    pub username: String,
}

impl Control {
    /// Creates a workspace for an owner; within an organization if one is named.
    pub async fn workspace_create(
        &self,
        who: &Subject,
        owner: &Owner,
        organization: Option<&OrganizationRef>,
        request: CreateWorkspaceRequest,
    ) -> Result<Workspace> {
        self.workspace_create_for(who, owner, organization, request, None)
            .await
    }

    /// The same for a chat, which is attached to the workspace in the same transaction.
    pub(crate) async fn workspace_create_for(
        &self,
        who: &Subject,
        owner: &Owner,
        organization: Option<&OrganizationRef>,
        request: CreateWorkspaceRequest,
        chat: Option<&ChatRow>,
    ) -> Result<Workspace> {
        check_name("name", "workspace_name", &request.name)?;
        check_values(&request.rich_parameter_values)?;
        let (template, wanted_version) = self.workspace_template(who, &request).await?;
        let org = template.api.organization_id;
        if let Some(organization) = organization {
            let named = self
                .store()
                .conn()
                .await?
                .organization_read(who, organization)
                .await?;
            if named.id != org {
                return Err(Error::invalid(format!(
                    "Template is not in organization {:?}.",
                    named.name
                )));
            }
        }
        let any = Object::new(ResourceType::Workspace)
            .org(org)
            .owner(owner.id);
        who.may(Action::Create, &any)
            .map_err(|_| Error::forbidden("Unauthorized to create workspace."))?;
        who.may(Action::Use, &template.object()).map_err(|_| {
            Error::forbidden(format!(
                "Unauthorized access to use the template {:?}.",
                template.api.name
            ))
        })?;
        if template.api.deprecated {
            return Err(Error::invalid(format!(
                "Template {:?} has been deprecated, and cannot be used to create a new workspace.",
                template.api.name
            ))
            .with_detail(template.api.deprecation_message.clone()));
        }
        let (autostart, ttl_ms, updates) = settings_of(&template, &request)?;
        let id = Uuid::new_v4();
        let base = Base {
            workspace_id: id,
            workspace_name: request.name.clone(),
            owner_id: owner.id,
            owner_name: owner.username.clone(),
            workspace: any.clone().id(id),
            template_id: template.api.id,
            template: template.object(),
            active_version: template.api.active_version_id,
            require_active_version: template.api.require_active_version,
            classic_parameters: template.api.use_classic_parameter_flow,
            organization_id: org,
            deleted: false,
            last: None,
        };
        let wanted = Wanted {
            transition: "start".into(),
            version: wanted_version,
            preset: request.template_version_preset_id.filter(|id| !id.is_nil()),
            values: request.rich_parameter_values.clone(),
            ..Wanted::default()
        };
        let plan = self.build_plan(who, &base, &wanted).await?;
        let new = NewWorkspace {
            id,
            owner_id: owner.id,
            organization_id: org,
            template_id: template.api.id,
            name: request.name.clone(),
            next_start_at: autostart
                .as_deref()
                .and_then(|text| next_start(text, template.autostart_block_days, Utc::now())),
            autostart_schedule: autostart,
            ttl_ms,
            automatic_updates: updates,
        };
        let tx = self.store().begin(who).await?;
        tx.workspace_insert(who, &new)
            .await
            .map_err(|e| name_conflict(e, &request.name))?;
        self.build_write(&tx, who, &base, &plan, &wanted).await?;
        // As the system: creating for others does not mean reading theirs.
        let core = Subject::system(System::Core);
        let row = tx.workspace_read(&core, id).await?;
        let api = self.workspace_shown(row, who);
        tx.audit(
            AuditEntry::new(AuditAction::Create, "workspace", id, &request.name)
                .org(org)
                .diff(AuditDiff::between(&(), &api, TRACKED, &[]))
                .additional(json!({ "workspace_owner": owner.username })),
        )
        .await?;
        if let Some(chat) = chat {
            let build = api.latest_build.id;
            self.chat_build_write(&tx, who, chat, id, build).await?;
        }
        tx.commit().await?;
        Ok(api)
    }

    /// The template of a creation, named by its id or by one of its versions.
    async fn workspace_template(
        &self,
        who: &Subject,
        request: &CreateWorkspaceRequest,
    ) -> Result<(TemplateRow, Option<Uuid>)> {
        let template = request.template_id.filter(|id| !id.is_nil());
        let version = request.template_version_id.filter(|id| !id.is_nil());
        let conn = self.store().conn().await?;
        let id = match (template, version) {
            (Some(_), Some(_)) => {
                return Err(Error::field(
                    "template_id",
                    "Name either a template or one of its versions.",
                ));
            }
            (None, None) => {
                return Err(Error::field(
                    "template_id",
                    "Validation failed for tag \"required_without\": name a template or a version.",
                ));
            }
            (Some(id), None) => id,
            (None, Some(version)) => {
                let missing = || {
                    Error::invalid(format!("Template version \"{version}\" doesn't exist."))
                        .with_field("template_version_id", "template not found")
                };
                let row = conn
                    .template_version_read(who, version)
                    .await
                    .map_err(|e| match e {
                        StoreError::NotFound => missing(),
                        e => e.into(),
                    })?;
                row.api.template_id.ok_or_else(missing)?
            }
        };
        let row = conn
            .template_read(who, id)
            .await
            .map_err(|error| match error {
                StoreError::NotFound => Error::invalid(format!("Template \"{id}\" doesn't exist."))
                    .with_field("template_id", "template not found"),
                error => error.into(),
            })?;
        if row.api.deleted {
            return Err(Error::new(
                crate::Kind::NotFound,
                format!("Template {:?} has been deleted!", row.api.name),
            ));
        }
        Ok((row, version))
    }
}

/// Autostart, time to live and updates of a new workspace.
fn settings_of(
    template: &TemplateRow,
    request: &CreateWorkspaceRequest,
) -> Result<(Option<String>, Option<i64>, String)> {
    let autostart = request
        .autostart_schedule
        .as_deref()
        .filter(|text| !text.is_empty());
    if let Some(text) = autostart {
        schedule(text).map_err(|detail| {
            Error::invalid("Invalid Autostart Schedule.").with_field("schedule", detail)
        })?;
    }
    let ttl = match request.ttl_ms.filter(|ms| *ms != 0) {
        Some(ms) => {
            check_ttl(ms).map_err(|detail| {
                Error::invalid("Invalid Workspace Time to Shutdown.").with_field("ttl_ms", detail)
            })?;
            Some(ms)
        }
        None => Some(template.api.default_ttl_ms).filter(|ms| *ms > 0),
    };
    let updates = match request.automatic_updates.as_str() {
        "" | "never" => "never",
        "always" => "always",
        _ => {
            return Err(
                Error::invalid("Invalid Workspace Automatic Updates setting.")
                    .with_field("automatic_updates", "Must be always or never."),
            );
        }
    };
    Ok((autostart.map(str::to_owned), ttl, updates.to_owned()))
}

pub(super) fn name_conflict(error: StoreError, name: &str) -> Error {
    if error.is_conflict("workspaces_name") {
        return Error::conflict(format!("Workspace {name:?} already exists."))
            .with_field("name", "This value is already in use and should be unique.");
    }
    error.into()
}
