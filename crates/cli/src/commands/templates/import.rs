//! Turning files into a template version: upload, import job, and questions
//! about variables that the template requires.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use api_types::{
    CreateTemplateVersionRequest, JobErrorCode, ProvisionerJobStatus, ProvisionerStorageMethod,
    ProvisionerType, Template, TemplateVersion, VariableValue,
};
use uuid::Uuid;

use super::super::resources;
use crate::failure::Advice;
use crate::follow::job::{self, JobOf};
use crate::say;
use crate::session::Session;
use crate::ui::prompt::Question;

/// What to import.
pub struct Import<'a> {
    /// Organization of the template.
    pub organization: Uuid,
    /// The template that the version is for, if it exists.
    pub template: Option<&'a Template>,
    /// Packed files.
    pub archive: Vec<u8>,
    /// Name of the version; made up when empty.
    pub name: String,
    /// What changed.
    pub message: String,
    /// Which daemons may import and build.
    pub tags: BTreeMap<String, String>,
    /// Values of Terraform variables.
    pub variables: Vec<VariableValue>,
    /// Ask for every variable instead of keeping its value.
    pub always_prompt: bool,
}

/// Imports and gives the version, whose job has succeeded.
pub async fn run(session: &Session, import: Import<'_>) -> Result<TemplateVersion> {
    let client = session.client()?;
    let mut variables = import.variables;
    let file = client
        .file_upload(import.archive)
        .await
        .context("upload the template")?;
    let mut asked = false;
    loop {
        let request = CreateTemplateVersionRequest {
            name: import.name.clone(),
            message: import.message.clone(),
            template_id: import.template.map(|t| t.id),
            storage_method: ProvisionerStorageMethod::File,
            file_id: Some(file.hash),
            provisioner: ProvisionerType::Terraform,
            tags: import.tags.clone(),
            user_variable_values: variables.clone(),
            ..CreateTemplateVersionRequest::default()
        };
        let version = client
            .template_version_create(import.organization, &request)
            .await?;
        warn_without_provisioner(session, &version);
        let ended =
            job::to_the_end(session, JobOf::TemplateVersion(version.id), &version.job).await?;
        match ended.status {
            ProvisionerJobStatus::Succeeded => {
                let found = client
                    .template_version_resources(version.id)
                    .await
                    .context("read the resources")?;
                let starting: Vec<_> = found
                    .into_iter()
                    .filter(|r| r.workspace_transition == api_types::WorkspaceTransition::Start)
                    .collect();
                resources::print(session, &starting)?;
                return Ok(version);
            }
            ProvisionerJobStatus::Failed
                if ended.error_code == JobErrorCode::REQUIREDTEMPLATEVARIABLES && !asked =>
            {
                asked = true;
                ask(
                    session,
                    version.id,
                    import.template,
                    import.always_prompt,
                    &mut variables,
                )
                .await?;
                say!("Trying again with these values.")?;
            }
            ProvisionerJobStatus::Canceled => bail!("the import was canceled"),
            _ => bail!("{}", ended.error),
        }
    }
}

/// Says so when nobody is there to import `version`.
fn warn_without_provisioner(session: &Session, version: &TemplateVersion) {
    let Some(matched) = &version.matched_provisioners else {
        return;
    };
    if version.job.status == ProvisionerJobStatus::Pending && matched.available == 0 {
        let tags: Vec<String> = version
            .job
            .tags
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        session.note(&session.style_err.warn(&format!(
            "No provisioner daemon is available for the tags of this import ({}). It waits until one comes.",
            tags.join(", ")
        )));
    }
}

/// Fills `variables` with the values that the template requires: those of its
/// active version, else by asking.
async fn ask(
    session: &Session,
    version: Uuid,
    template: Option<&Template>,
    always_prompt: bool,
    variables: &mut Vec<VariableValue>,
) -> Result<()> {
    let client = session.client()?;
    let wanted = client
        .template_version_variables(version)
        .await
        .context("read the template's variables")?;
    let old = match template.filter(|_| !always_prompt) {
        Some(template) => client
            .template_version_variables(template.active_version_id)
            .await
            .unwrap_or_default(),
        None => Vec::new(),
    };
    let missing = wanted
        .iter()
        .filter(|w| w.required && !variables.iter().any(|v| v.name == w.name))
        .collect::<Vec<_>>();
    if missing.is_empty() {
        bail!("the template refuses the given values of its variables");
    }
    for variable in missing {
        // The server never gives sensitive values back.
        let kept = old
            .iter()
            .find(|o| o.name == variable.name && !o.sensitive && !o.value.is_empty());
        let value = if let Some(kept) = kept {
            say!(
                "Keeping the value of variable {}.",
                session.style.keyword(&variable.name)
            )?;
            kept.value.clone()
        } else if session.interactive() {
            say!(
                "\n{}\n  {}",
                session.style.bold(&format!("var.{}", variable.name)),
                session.style.dim(variable.description.trim())
            )?;
            let default = Some(variable.default_value.as_str()).filter(|d| !d.is_empty());
            Question {
                text: "Enter a value:",
                default,
                secret: variable.sensitive,
            }
            .ask(|_| Ok(()))?
        } else {
            return Err(Advice::error(
                format!(
                    "the template requires a value for its variable {:?}",
                    variable.name
                ),
                format!(
                    "Give it by --variable {}=<value> or --variables-file.",
                    variable.name
                ),
            ));
        };
        variables.push(VariableValue {
            name: variable.name.clone(),
            value,
        });
    }
    Ok(())
}
