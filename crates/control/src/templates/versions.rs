//! Versions of templates: read, listed, renamed, archived, their import cancelled.

use api_types::{PatchTemplateVersionRequest, ProvisionerJobStatus as Status, TemplateVersion};
use authz::{Action, Subject};
use store::template_versions::{VersionFilter, VersionRow};
use store::{AuditAction, AuditDiff, AuditEntry, Conn, Held, OrganizationRef, StoreError};
use uuid::Uuid;

use crate::workspaces::names::{MAX_MESSAGE, check_text, check_version_name};
use crate::{Control, Error, Kind, Result};

/// Fields of a version that the audit log tells the changes of.
pub(super) const TRACKED: &[&str] = &["id", "template_id", "name", "readme", "message", "archived"];

/// A version as clients see it; while its job waits, with who could take it.
pub(crate) async fn shown(conn: &Conn, row: VersionRow) -> Result<TemplateVersion> {
    let mut api = row.api;
    if api.job.status == Status::Pending {
        let matched = conn
            .provisioner_daemons_matching(row.organization_id, "terraform", &api.job.tags)
            .await?;
        api.matched_provisioners = Some(matched);
    }
    Ok(api)
}

pub(crate) fn none_of_name(name: &str) -> Error {
    Error::new(
        Kind::NotFound,
        format!("No template version found by name {name:?}."),
    )
}

impl Control {
    /// A version.
    pub async fn template_version_read(&self, who: &Subject, id: Uuid) -> Result<TemplateVersion> {
        let conn = self.store().conn().await?;
        let row = conn.template_version_read(who, id).await?;
        shown(&conn, row).await
    }

    /// A version of a template by its name.
    pub async fn template_version_read_by_name(
        &self,
        who: &Subject,
        template: Uuid,
        name: &str,
    ) -> Result<TemplateVersion> {
        let conn = self.store().conn().await?;
        conn.template_read(who, template).await?;
        let row = conn
            .template_version_read_by_name(who, template, name)
            .await;
        shown(&conn, row.map_err(|e| or_named(e, name))?).await
    }

    /// A version by the names of organization, template and version.
    pub async fn template_version_read_by_names(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        template: &str,
        name: &str,
    ) -> Result<TemplateVersion> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?;
        let template = conn
            .template_read_by_name(who, organization.id, template)
            .await?;
        let row = conn
            .template_version_read_by_name(who, template.api.id, name)
            .await;
        shown(&conn, row.map_err(|e| or_named(e, name))?).await
    }

    /// The version made before a named one; `None` if that was the first.
    pub async fn template_version_read_previous(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        template: &str,
        name: &str,
    ) -> Result<Option<TemplateVersion>> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?;
        let template = conn
            .template_read_by_name(who, organization.id, template)
            .await?
            .api
            .id;
        let this = conn
            .template_version_read_by_name(who, template, name)
            .await;
        let this = this.map_err(|e| or_named(e, name))?;
        match conn
            .template_version_read_previous(who, template, this.api.id)
            .await
        {
            Ok(row) => Ok(Some(shown(&conn, row).await?)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Versions of a template, oldest first.
    pub async fn template_version_list(
        &self,
        who: &Subject,
        template: Uuid,
        by: &VersionFilter,
    ) -> Result<Vec<TemplateVersion>> {
        let conn = self.store().conn().await?;
        conn.template_read(who, template).await?;
        if let Some(after) = by.after_id
            && conn
                .template_version_exists(template, after)
                .await?
                .is_none()
        {
            return Err(Error::invalid(format!(
                "Record at \"after_id\" ({after:?}) does not exist."
            )));
        }
        let rows = conn.template_version_list(template, by).await?;
        Ok(rows.into_iter().map(|row| row.api).collect())
    }

    /// Renames a version or changes its message.
    pub async fn template_version_update(
        &self,
        who: &Subject,
        id: Uuid,
        request: PatchTemplateVersionRequest,
    ) -> Result<TemplateVersion> {
        let tx = self.store().begin(who).await?;
        let row = tx.template_version_read(who, id).await?;
        who.may(Action::Update, &row.object())?;
        let mut after = row.api.clone();
        if !request.name.is_empty() {
            check_version_name("name", &request.name)?;
            after.name = request.name;
        }
        if let Some(message) = request.message {
            check_text("message", &message, MAX_MESSAGE)?;
            after.message = message;
        }
        let changed = tx
            .template_version_update(who, &row, &after.name, &after.message)
            .await;
        changed.map_err(|error| name_conflict(error, &after.name))?;
        tx.audit(
            AuditEntry::new(AuditAction::Write, "template_version", id, &after.name)
                .org(row.organization_id)
                .diff(AuditDiff::between(&row.api, &after, TRACKED, &[])),
        )
        .await?;
        tx.commit().await?;
        self.template_version_read(who, id).await
    }

    /// Archives a version or brings it back.
    pub async fn template_version_archive(
        &self,
        who: &Subject,
        id: Uuid,
        archive: bool,
    ) -> Result<()> {
        let verb = if archive { "archived" } else { "unarchived" };
        let tx = self.store().begin(who).await?;
        let row = tx.template_version_read(who, id).await?;
        if row.api.archived == archive {
            return Err(Error::invalid(format!("Template version already {verb}")));
        }
        let Some(template) = row.api.template_id else {
            return Err(Error::invalid(
                "Cannot archive template versions not associate with a template.",
            ));
        };
        // Nobody makes it the active version meanwhile.
        tx.hold(Held::Template, template).await?;
        let template = tx.template_read(who, template).await?;
        let ids = tx
            .template_version_archive(who, &template, Some(&[id]), archive, false)
            .await?;
        if ids.is_empty() {
            return Err(
                Error::invalid("This template version is in use and cannot be archived.")
                    .with_detail(
                        "It is the active version, workspaces use it, or its import has not ended.",
                    ),
            );
        }
        let mut after = row.api.clone();
        after.archived = archive;
        tx.audit(
            AuditEntry::new(AuditAction::Write, "template_version", id, &row.api.name)
                .org(row.organization_id)
                .diff(AuditDiff::between(&row.api, &after, TRACKED, &[])),
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Archives every unused version of a template, or only those whose import failed.
    /// Answers which.
    pub async fn template_versions_archive(
        &self,
        who: &Subject,
        template: Uuid,
        all: bool,
    ) -> Result<Vec<Uuid>> {
        let tx = self.store().begin(who).await?;
        tx.hold(Held::Template, template).await?;
        let row = tx.template_read(who, template).await?;
        let ids = tx
            .template_version_archive(who, &row, None, true, !all)
            .await?;
        for id in &ids {
            tx.audit(
                AuditEntry::new(AuditAction::Write, "template_version", *id, &row.api.name)
                    .org(row.api.organization_id),
            )
            .await?;
        }
        tx.commit().await?;
        Ok(ids)
    }

    /// Cancels the import of a version.
    pub async fn template_version_cancel(&self, who: &Subject, id: Uuid) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let row = tx.template_version_read(who, id).await?;
        who.may(Action::Update, &row.object())?;
        cancelled(tx.provisioner_job_cancel(row.api.job.id).await?)?;
        tx.audit(
            AuditEntry::new(AuditAction::Write, "template_version", id, &row.api.name)
                .org(row.organization_id),
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Refuses a cancellation that came too late, by how the job stood.
pub(crate) fn cancelled(before: Status) -> Result<()> {
    match before {
        Status::Pending | Status::Running => Ok(()),
        Status::Canceling | Status::Canceled => {
            Err(Error::invalid("Job has already been marked as canceled!"))
        }
        _ => Err(Error::invalid("Job has already completed!")),
    }
}

pub(crate) fn name_conflict(error: StoreError, name: &str) -> Error {
    if error.is_conflict("template_versions_name") {
        return Error::conflict(format!(
            "A template version with name {name:?} already exists for this template."
        ))
        .with_field("name", "This value is already in use and should be unique.");
    }
    error.into()
}

fn or_named(error: StoreError, name: &str) -> Error {
    match error {
        StoreError::NotFound => none_of_name(name),
        error => error.into(),
    }
}
