//! What an import found in a version, as clients see it.

use api_types::{
    Preset, ProvisionerJobStatus as Status, TemplateVersionExternalAuth, TemplateVersionParameter,
    TemplateVersionVariable, WorkspaceResource,
};
use authz::Subject;
use chrono::Utc;
use store::provisioner_job_logs::LogRange;
use store::template_versions::VersionRow;
use uuid::Uuid;

use crate::workspaces::agents::complete_resources;
use crate::{Control, Error, Kind, Result};

/// What clients see instead of a sensitive value.
const REDACTED: &str = "*redacted*";

/// Whether a job has ended.
pub(crate) fn ended(status: &Status) -> bool {
    !matches!(
        status,
        Status::Pending | Status::Running | Status::Canceling
    )
}

pub(super) fn unfinished() -> Error {
    Error::new(Kind::TooEarly, "Template version job has not finished")
        .with_detail("Ask again when the import of this version has ended.")
}

impl Control {
    async fn finished_version(&self, who: &Subject, id: Uuid) -> Result<VersionRow> {
        let row = self
            .store()
            .conn()
            .await?
            .template_version_read(who, id)
            .await?;
        if ended(&row.api.job.status) {
            Ok(row)
        } else {
            Err(unfinished())
        }
    }

    /// Parameters, once the import has ended.
    pub async fn template_version_parameters(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<Vec<TemplateVersionParameter>> {
        self.finished_version(who, id).await?;
        let mut list = self
            .store()
            .conn()
            .await?
            .template_version_parameters(id)
            .await?;
        for parameter in &mut list {
            parameter.description_plaintext = plain(&parameter.description);
        }
        Ok(list)
    }

    /// Variables, sensitive values hidden.
    pub async fn template_version_variables(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<Vec<TemplateVersionVariable>> {
        let row = self
            .store()
            .conn()
            .await?
            .template_version_read(who, id)
            .await?;
        if !ended(&row.api.job.status) {
            return Err(Error::forbidden("Template version job has not finished"));
        }
        let mut list = self
            .store()
            .conn()
            .await?
            .template_version_variables(id)
            .await?;
        for variable in list.iter_mut().filter(|v| v.sensitive) {
            REDACTED.clone_into(&mut variable.value);
            REDACTED.clone_into(&mut variable.default_value);
        }
        Ok(list)
    }

    /// Presets.
    pub async fn template_version_presets(&self, who: &Subject, id: Uuid) -> Result<Vec<Preset>> {
        let conn = self.store().conn().await?;
        conn.template_version_read(who, id).await?;
        Ok(conn.template_version_presets(id).await?)
    }

    /// Resources of the start and stop plans, once the import has ended.
    pub async fn template_version_resources(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<Vec<WorkspaceResource>> {
        let row = self
            .store()
            .conn()
            .await?
            .template_version_read(who, id)
            .await?;
        if !ended(&row.api.job.status) {
            return Err(Error::invalid("Job hasn't completed!"));
        }
        self.job_resources(row.api.job.id).await
    }

    /// Resources of a job that has been allowed to be seen.
    pub(crate) async fn job_resources(&self, job: Uuid) -> Result<Vec<WorkspaceResource>> {
        let mut list = self.store().conn().await?.workspace_resources(job).await?;
        complete_resources(&mut list, "", "", Utc::now());
        Ok(list)
    }

    /// External authentication that the version asks for. An import that names a provider
    /// which is not configured fails, so there is none to show while none can be configured.
    pub async fn template_version_external_auth(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<Vec<TemplateVersionExternalAuth>> {
        self.store()
            .conn()
            .await?
            .template_version_read(who, id)
            .await?;
        Ok(Vec::new())
    }

    /// The job of a version's import, for its log.
    pub async fn template_version_job(&self, who: &Subject, id: Uuid) -> Result<Uuid> {
        Ok(self
            .store()
            .conn()
            .await?
            .template_version_read(who, id)
            .await?
            .api
            .job
            .id)
    }

    /// How a job stands that has been allowed to be seen.
    pub async fn job_status(&self, job: Uuid) -> Result<Status> {
        Ok(self
            .store()
            .conn()
            .await?
            .provisioner_job_status(job)
            .await?)
    }

    /// Lines of a job's log that has been allowed to be seen.
    pub async fn job_logs(
        &self,
        job: Uuid,
        range: LogRange,
    ) -> Result<Vec<api_types::ProvisionerJobLog>> {
        let conn = self.store().conn().await?;
        let mut all = Vec::new();
        let mut range = range;
        loop {
            let part = conn.provisioner_job_logs(job, range).await?;
            let full = part.len() as i64 == store::provisioner_job_logs::MAX_LOG_ROWS;
            range.after = part.last().map(|l| l.id).or(range.after);
            all.extend(part);
            if !full {
                return Ok(all);
            }
        }
    }
}

/// Markdown without its marks, for places that show plain text.
fn plain(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some(c) = rest.chars().next() {
        if c == '['
            && let Some((label, after)) = rest[1..].split_once("](")
            && let Some((_, after)) = after.split_once(')')
            && !label.contains(['[', ']', '\n'])
        {
            text.push_str(label);
            rest = after;
            continue;
        }
        if !matches!(c, '*' | '`' | '#') {
            text.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_loses_its_marks() {
        assert_eq!(plain("# A **bold** [link](https://x) `x`"), "A bold link x");
        assert_eq!(plain("[open"), "[open");
        assert_eq!(plain("a [b](c"), "a [b](c");
        assert_eq!(plain("é[ü](x)"), "éü");
    }
}
