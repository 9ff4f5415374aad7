//! Dry runs: what a version would make with given parameters.

use api_types::{
    CreateTemplateVersionDryRunRequest, MatchedProvisioners, ProvisionerJob, WorkspaceResource,
};
use authz::{Action, Object, ResourceType, Subject};
use serde_json::json;
use store::provisioner_jobs::NewJob;
use uuid::Uuid;

use super::version_contents::{ended, unfinished};
use super::versions::cancelled;
use crate::builds::parameters::check_values;
use crate::workspaces::names::{check_name, random_name};
use crate::{Control, Error, Kind, Result};

/// A dry run with its version, both of which the caller may see.
#[derive(Debug, Clone)]
pub struct DryRun {
    /// The job.
    pub job: ProvisionerJob,
}

impl Control {
    /// Starts a dry run. Who may create workspaces may do so.
    pub async fn template_version_dry_run_create(
        &self,
        who: &Subject,
        version: Uuid,
        request: CreateTemplateVersionDryRunRequest,
    ) -> Result<ProvisionerJob> {
        let user = who
            .user_id()
            .ok_or_else(|| Error::forbidden("Only users start dry runs."))?;
        check_values(&request.rich_parameter_values)?;
        let tx = self.store().begin(who).await?;
        let row = tx.template_version_read(who, version).await?;
        let workspace = Object::new(ResourceType::Workspace)
            .org(row.organization_id)
            .owner(user);
        who.may(Action::Create, &workspace)
            .map_err(|_| Error::not_found())?;
        if !ended(&row.api.job.status) {
            return Err(unfinished());
        }
        let name = match request.workspace_name {
            name if name.is_empty() => random_name(),
            name => name,
        };
        check_name("workspace_name", "workspace_name", &name)?;
        let source = tx.template_version_source(version).await?;
        let job = NewJob {
            id: Uuid::new_v4(),
            organization_id: row.organization_id,
            initiator_id: user,
            provisioner: "terraform".to_owned(),
            kind: "template_version_dry_run",
            file_id: source.file_id,
            tags: row.api.job.tags.clone(),
            input: json!({
                "template_version_id": version,
                "workspace_name": name,
                "rich_parameter_values": request.rich_parameter_values,
            }),
        };
        tx.provisioner_job_insert(&job).await?;
        let made = tx.template_version_dry_run_read(version, job.id).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// A dry run of a version: its initiator's own, or any for those who may edit templates.
    pub async fn template_version_dry_run_read(
        &self,
        who: &Subject,
        version: Uuid,
        job: Uuid,
    ) -> Result<DryRun> {
        let conn = self.store().conn().await?;
        let row = conn.template_version_read(who, version).await?;
        let missing = || {
            Error::new(
                Kind::NotFound,
                format!("Provisioner job \"{job}\" not found."),
            )
        };
        let job = conn
            .template_version_dry_run_read(version, job)
            .await
            .map_err(|_| missing())?;
        let workspace = Object::new(ResourceType::Workspace)
            .org(row.organization_id)
            .owner(job.initiator_id);
        if who.may(Action::Create, &workspace).is_err() {
            return Err(missing());
        }
        Ok(DryRun { job })
    }

    /// What a dry run would have made.
    pub async fn template_version_dry_run_resources(
        &self,
        who: &Subject,
        version: Uuid,
        job: Uuid,
    ) -> Result<Vec<WorkspaceResource>> {
        let run = self
            .template_version_dry_run_read(who, version, job)
            .await?;
        if !ended(&run.job.status) {
            return Err(Error::invalid("Job hasn't completed!"));
        }
        self.job_resources(job).await
    }

    /// Which daemons could take a dry run.
    pub async fn template_version_dry_run_matched(
        &self,
        who: &Subject,
        version: Uuid,
        job: Uuid,
    ) -> Result<MatchedProvisioners> {
        let run = self
            .template_version_dry_run_read(who, version, job)
            .await?;
        if run.job.status.as_str() != "pending" {
            return Ok(MatchedProvisioners::default());
        }
        let conn = self.store().conn().await?;
        let (org, tags) = (run.job.organization_id, &run.job.tags);
        Ok(conn
            .provisioner_daemons_matching(org, "terraform", tags)
            .await?)
    }

    /// Cancels a dry run.
    pub async fn template_version_dry_run_cancel(
        &self,
        who: &Subject,
        version: Uuid,
        job: Uuid,
    ) -> Result<()> {
        self.template_version_dry_run_read(who, version, job)
            .await?;
        let tx = self.store().begin(who).await?;
        cancelled(tx.provisioner_job_cancel(job).await?)?;
        tx.commit().await?;
        Ok(())
    }
}
