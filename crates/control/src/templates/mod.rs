//! Templates: made of a version, edited, promoted, deleted.

mod evaluate;
pub(crate) mod forms;
mod list;
mod options;
pub(crate) mod parameters;
mod starters;
mod version_contents;
mod version_create;
mod version_dry_run;
mod versions;

pub(crate) use version_contents::ended;
pub(crate) use version_create::job_tags;
pub use version_dry_run::DryRun;
pub(crate) use versions::cancelled;

use api_types::{CreateTemplateRequest, Template, UpdateTemplateMeta};
use authz::{Action, Object, ResourceType, Subject};
use chrono::Utc;
use store::templates::TemplateRow;
use store::{AuditAction, AuditDiff, AuditEntry, Held, OrganizationRef, StoreError};
use uuid::Uuid;

use crate::schedule::{ALL_DAYS, bits_to_days};
use crate::workspaces::names::{
    MAX_DESCRIPTION, MAX_ICON, check_display_name, check_name, check_text,
};
use crate::{Control, Error, Kind, Result};

/// Fields of a template that the audit log tells the changes of.
const TRACKED: &[&str] = &[
    "name",
    "display_name",
    "description",
    "icon",
    "provisioner",
    "active_version_id",
    "default_ttl_ms",
    "activity_bump_ms",
    "time_til_autostop_notify_ms",
    "autostop_requirement",
    "autostart_requirement",
    "allow_user_autostart",
    "allow_user_autostop",
    "allow_user_cancel_workspace_jobs",
    "failure_ttl_ms",
    "time_til_dormant_ms",
    "time_til_dormant_autodelete_ms",
    "require_active_version",
    "deprecation_message",
    "max_port_share_level",
    "cors_behavior",
    "use_classic_parameter_flow",
    "agents_allowed",
    "disable_module_cache",
    "created_by_id",
];

/// The stored template as clients see it.
pub(crate) fn shown(row: &TemplateRow) -> Template {
    let mut api = row.api.clone();
    api.autostop_requirement.days_of_week = bits_to_days(row.autostop_days);
    api.autostart_requirement.days_of_week = bits_to_days(ALL_DAYS & !row.autostart_block_days);
    // Clients index both transitions without asking whether they are there.
    for transition in ["start", "stop", "delete"] {
        api.build_time_stats
            .entry(transition.to_owned())
            .or_default();
    }
    api
}

fn name_taken(name: &str) -> Error {
    Error::conflict(format!("Template with name {name:?} already exists."))
        .with_field("name", "This value is already in use and should be unique.")
}

fn name_conflict(error: StoreError, name: &str) -> Error {
    if error.is_conflict("templates_name") {
        name_taken(name)
    } else {
        error.into()
    }
}

impl Control {
    /// A template.
    pub async fn template_read(&self, who: &Subject, id: Uuid) -> Result<Template> {
        let row = self.store().conn().await?.template_read(who, id).await?;
        if row.api.deleted {
            return Err(Error::not_found());
        }
        self.template_shown(row).await
    }

    /// A template of an organization by its name.
    pub async fn template_read_by_name(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        name: &str,
    ) -> Result<Template> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?;
        let row = conn
            .template_read_by_name(who, organization.id, name)
            .await?;
        drop(conn);
        self.template_shown(row).await
    }

    async fn template_shown(&self, row: TemplateRow) -> Result<Template> {
        let times = self
            .store()
            .conn()
            .await?
            .template_build_times(&[row.api.id])
            .await?;
        let mut api = row.api.clone();
        api.build_time_stats.extend(
            times
                .into_iter()
                .map(|(_, transition, stats)| (transition, stats)),
        );
        Ok(shown(&TemplateRow { api, ..row }))
    }

    /// Makes a template of a version that has none.
    pub async fn template_create(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        request: CreateTemplateRequest,
    ) -> Result<Template> {
        check_name("name", "template_name", &request.name)?;
        check_display_name(
            "display_name",
            "template_display_name",
            &request.display_name,
        )?;
        check_text("description", &request.description, MAX_DESCRIPTION * 4)?;
        check_text("icon", &request.icon, MAX_ICON)?;
        let creator = who
            .user_id()
            .ok_or_else(|| Error::forbidden("Only users make templates."))?;

        let tx = self.store().begin(who).await?;
        let organization = tx.organization_read(who, organization).await?;
        let any = Object::new(ResourceType::Template).org(organization.id);
        who.may(Action::Create, &any)
            .map_err(|_| Error::not_found())?;
        let version_id = request.template_version_id;
        let version =
            tx.template_version_read(who, version_id)
                .await
                .map_err(|error| match error {
                    StoreError::NotFound => Error::new(
                        Kind::NotFound,
                        format!("Template version {version_id} does not exist."),
                    )
                    .with_field("template_version_id", "Template version does not exist"),
                    error => error.into(),
                })?;
        if version.organization_id != organization.id {
            return Err(Error::invalid(
                "The template version is of another organization.",
            ));
        }
        if version.api.archived {
            return Err(
                Error::invalid(format!("Template version {version_id} is archived."))
                    .with_field("template_version_id", "Template version is archived"),
            );
        }
        let attached = || {
            Error::invalid(format!(
                "Template version {version_id} is already part of a template"
            ))
            .with_field(
                "template_version_id",
                "Template version is already part of a template",
            )
        };
        if version.api.template_id.is_some() {
            return Err(attached());
        }
        let mut row = TemplateRow {
            api: Template {
                id: Uuid::new_v4(),
                created_at: Utc::now(),
                updated_at: Utc::now(),
                organization_id: organization.id,
                organization_name: organization.name,
                organization_display_name: organization.display_name,
                organization_icon: organization.icon,
                provisioner: "terraform".into(),
                active_version_id: version_id,
                created_by_id: creator,
                created_by_name: who.name().to_owned(),
                ..Template::default()
            },
            autostop_days: 0,
            autostart_block_days: 0,
            user_acl: authz::AccessList::default(),
            group_acl: authz::AccessList::default(),
        };
        options::apply_create(&mut row, &request)?;
        if !request.disable_everyone_group_access {
            row.group_acl
                .0
                .insert(organization.id, options::use_actions());
        }
        tx.template_insert(who, &row)
            .await
            .map_err(|e| name_conflict(e, &request.name))?;
        if !tx.template_version_attach(version_id, row.api.id).await? {
            return Err(attached());
        }
        let after = shown(&row);
        tx.audit(
            AuditEntry::new(AuditAction::Create, "template", row.api.id, &row.api.name)
                .org(row.api.organization_id)
                .diff(AuditDiff::between(&(), &after, TRACKED, &[])),
        )
        .await?;
        tx.audit(
            AuditEntry::new(
                AuditAction::Write,
                "template_version",
                version_id,
                &version.api.name,
            )
            .org(row.api.organization_id),
        )
        .await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Changes what the request names of a template.
    pub async fn template_update(
        &self,
        who: &Subject,
        id: Uuid,
        request: UpdateTemplateMeta,
    ) -> Result<Template> {
        let tx = self.store().begin(who).await?;
        tx.hold(Held::Template, id).await?;
        let before = live(tx.template_read(who, id).await?)?;
        who.may(Action::Update, &before.object())?;
        let mut after = before.clone();
        options::apply_update(&mut after, &request)?;
        if let Some(closed) = request.disable_everyone_group_access {
            let everyone = after.api.organization_id;
            if closed {
                after.group_acl.0.remove(&everyone);
            } else {
                after
                    .group_acl
                    .0
                    .entry(everyone)
                    .or_insert_with(options::use_actions);
            }
        }
        tx.template_update(who, &after)
            .await
            .map_err(|e| name_conflict(e, &after.api.name))?;
        self.template_apply_to_workspaces(&tx, who, &before, &after, &request)
            .await?;
        let shown_after = shown(&after);
        tx.audit(
            AuditEntry::new(AuditAction::Write, "template", id, &after.api.name)
                .org(after.api.organization_id)
                .diff(AuditDiff::between(
                    &shown(&before),
                    &shown_after,
                    TRACKED,
                    &[],
                )),
        )
        .await?;
        tx.commit().await?;
        self.template_read(who, id).await
    }

    /// What changed rules of a template mean for the workspaces that it has.
    async fn template_apply_to_workspaces(
        &self,
        tx: &store::Tx,
        who: &Subject,
        before: &TemplateRow,
        after: &TemplateRow,
        request: &UpdateTemplateMeta,
    ) -> Result<()> {
        let changes = store::workspaces::TemplateChange {
            template_id: after.api.id,
            reset_ttl: before.api.allow_user_autostop && !after.api.allow_user_autostop,
            ttl_ms: after.api.default_ttl_ms,
            autodelete_ms: (before.api.time_til_dormant_autodelete_ms
                != after.api.time_til_dormant_autodelete_ms)
                .then_some(after.api.time_til_dormant_autodelete_ms),
            touch_last_used: request.update_workspace_last_used_at == Some(true),
            touch_dormant: request.update_workspace_dormant_at == Some(true),
        };
        let template = after.object();
        if before.api.max_port_share_level != after.api.max_port_share_level {
            let max = after.api.max_port_share_level.as_str();
            tx.port_shares_limit(who, &template, after.api.id, max)
                .await?;
        }
        Ok(tx
            .workspaces_apply_template(who, &template, &changes)
            .await?)
    }

    /// Makes a version the one that new builds take.
    pub async fn template_promote(&self, who: &Subject, id: Uuid, version: Uuid) -> Result<()> {
        let tx = self.store().begin(who).await?;
        tx.hold(Held::Template, id).await?;
        let row = live(tx.template_read(who, id).await?)?;
        who.may(Action::Update, &row.object())?;
        let version =
            tx.template_version_read(who, version)
                .await
                .map_err(|error| match error {
                    StoreError::NotFound => {
                        Error::new(Kind::NotFound, "Template version not found.")
                    }
                    error => error.into(),
                })?;
        if version.api.template_id != Some(id) {
            return Err(Error::invalid(
                "The provided template version doesn't belong to the specified template.",
            ));
        }
        if version.api.job.status.as_str() != "succeeded" {
            return Err(Error::forbidden(
                "Only versions that have been built successfully can be promoted.",
            )
            .with_detail(format!(
                "The import of this version is {}.",
                version.api.job.status
            )));
        }
        if version.api.archived {
            return Err(Error::invalid("The provided template version is archived."));
        }
        tx.template_promote(who, &row, version.api.id).await?;
        let mut after = row.clone();
        after.api.active_version_id = version.api.id;
        tx.audit(
            AuditEntry::new(AuditAction::Write, "template", id, &row.api.name)
                .org(row.api.organization_id)
                .diff(AuditDiff::between(
                    &row.api,
                    &after.api,
                    &["active_version_id"],
                    &[],
                )),
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Deletes a template without workspaces.
    pub async fn template_delete(&self, who: &Subject, id: Uuid) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let row = live(tx.template_read(who, id).await?)?;
        who.may(Action::Delete, &row.object())?;
        let workspaces = tx.template_lock(id).await?;
        if workspaces > 0 {
            return Err(Error::invalid(
                "All workspaces must be deleted before a template can be removed.",
            )
            .with_detail(format!("{workspaces} workspaces use it still.")));
        }
        tx.template_delete(who, &row).await?;
        tx.audit(
            AuditEntry::new(AuditAction::Delete, "template", id, &row.api.name)
                .org(row.api.organization_id)
                .diff(AuditDiff::between(&shown(&row), &(), TRACKED, &[])),
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

fn live(row: TemplateRow) -> Result<TemplateRow> {
    if row.api.deleted {
        Err(Error::not_found())
    } else {
        Ok(row)
    }
}
