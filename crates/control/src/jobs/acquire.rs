//! Taking a job, and writing down for its daemon everything that it needs.

use api_types::{TemplateVersionVariable, VariableValue, WorkspaceBuildParameter};
use provisioner::SourceError;
use rpc::proto::provisioner::{
    Metadata, RichParameterValue, Role, VariableValue as Variable, WorkspaceTransition,
};
use rpc::proto::provisionerd::AcquiredJob;
use rpc::proto::provisionerd::acquired_job::{
    TemplateDryRun, TemplateImport, Type, WorkspaceBuild,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use store::provisioner_job_facts::BuildFacts;
use store::provisioner_jobs::{AcquiredJob as Row, JobEnd, Offer};
use uuid::Uuid;

use super::{DatabaseJobs, from_store, untagged};
use crate::{Error, Result};

/// Input of an import.
#[derive(Debug, Deserialize)]
pub(super) struct ImportInput {
    pub template_version_id: Uuid,
    #[serde(default)]
    pub user_variable_values: Vec<VariableValue>,
}

/// Input of a dry run.
#[derive(Debug, Deserialize)]
pub(super) struct DryRunInput {
    pub template_version_id: Uuid,
    #[serde(default)]
    pub workspace_name: String,
    #[serde(default)]
    pub rich_parameter_values: Vec<WorkspaceBuildParameter>,
}

/// Input of a build.
#[derive(Debug, Deserialize)]
pub(super) struct BuildInput {
    pub workspace_build_id: Uuid,
    #[serde(default)]
    pub log_level: String,
}

/// Reads a job's input.
pub(super) fn input<T: serde::de::DeserializeOwned>(value: &serde_json::Value) -> Result<T> {
    T::deserialize(value)
        .map_err(|e| Error::internal(format!("a job's input is not as expected: {e}")))
}

impl DatabaseJobs {
    /// Takes a waiting job, if there is one. A job that cannot be described fails with the
    /// reason, and the next one is looked at.
    pub(super) async fn try_acquire(
        &self,
        worker: Uuid,
    ) -> std::result::Result<Option<AcquiredJob>, SourceError> {
        let offer = Offer {
            worker_id: worker,
            organization_id: self.inner.organization,
            provisioners: vec!["terraform".to_owned()],
            tags: untagged(),
        };
        loop {
            let conn = self.control().store().conn().await.map_err(from_store)?;
            let row = conn
                .provisioner_job_acquire(self.who(), &offer)
                .await
                .map_err(from_store)?;
            drop(conn);
            let Some(row) = row else { return Ok(None) };
            match self.describe(&row).await {
                Ok(job) => {
                    self.announce(&job).await;
                    return Ok(Some(job));
                }
                Err(error) if error.kind == crate::Kind::Unavailable => {
                    // Nothing has been begun: somebody else may take it when all is well.
                    if let Ok(conn) = self.control().store().conn().await {
                        let _ = conn
                            .provisioner_job_release(self.who(), row.id, worker)
                            .await;
                    }
                    return Err(SourceError::Temporary(error.to_string()));
                }
                Err(error) => self.refuse(row.id, &error).await?,
            }
        }
    }

    /// Tells those who watch the workspace that its build has begun.
    async fn announce(&self, job: &AcquiredJob) {
        let Some(Type::WorkspaceBuild(build)) = &job.r#type else {
            return;
        };
        let Some(metadata) = &build.metadata else {
            return;
        };
        let channel = store::workspaces::WORKSPACE_CHANGED;
        if let Err(error) = self
            .control()
            .store()
            .notify(channel, &metadata.workspace_id)
            .await
        {
            tracing::debug!(%error, "cannot announce that a build has begun");
        }
    }

    async fn refuse(&self, job: Uuid, error: &Error) -> std::result::Result<(), SourceError> {
        tracing::warn!(%job, %error, "a job cannot be begun");
        let tx = self
            .control()
            .store()
            .begin(self.who())
            .await
            .map_err(from_store)?;
        let end = JobEnd {
            error: Some(format!("prepare the job: {error}")),
            ..JobEnd::default()
        };
        tx.provisioner_job_end(self.who(), job, &end)
            .await
            .map_err(from_store)?;
        tx.commit().await.map_err(from_store)
    }

    async fn describe(&self, row: &Row) -> Result<AcquiredJob> {
        let conn = self.control().store().conn().await?;
        let who = self.who();
        let archive = conn.provisioner_job_file(who, row.file_id).await?;
        let (user_name, _) = conn.provisioner_job_user(who, row.initiator_id).await?;
        drop(conn);
        let kind = match row.kind.as_str() {
            "workspace_build" => Type::WorkspaceBuild(self.describe_build(row).await?),
            "template_version_import" => Type::TemplateImport(self.describe_import(row).await?),
            "template_version_dry_run" => Type::TemplateDryRun(self.describe_dry_run(row).await?),
            other => return Err(Error::internal(format!("unknown kind of job {other:?}"))),
        };
        Ok(AcquiredJob {
            job_id: row.id.to_string(),
            created_at: row.created_at.timestamp_millis(),
            provisioner: row.provisioner.clone(),
            user_name,
            template_source_archive: archive,
            r#type: Some(kind),
            trace_metadata: std::collections::BTreeMap::new(),
        })
    }

    async fn describe_build(&self, row: &Row) -> Result<WorkspaceBuild> {
        let input: BuildInput = input(&row.input)?;
        let who = self.who();
        let conn = self.control().store().conn().await?;
        let facts = conn
            .provisioner_job_build_facts(who, input.workspace_build_id)
            .await?;
        let values = conn.workspace_build_parameters(facts.build_id).await?;
        let previous = match facts.previous_build_id {
            Some(id) => conn.workspace_build_parameters(id).await?,
            None => Vec::new(),
        };
        let variables = conn.template_version_variables(facts.version_id).await?;
        let state = conn
            .provisioner_job_build_state(who, facts.build_id)
            .await?;
        drop(conn);
        let token = self.owner_token(&facts).await?;
        Ok(WorkspaceBuild {
            workspace_build_id: facts.build_id.to_string(),
            workspace_name: facts.workspace_name.clone(),
            rich_parameter_values: rich(values),
            variable_values: given(variables),
            external_auth_providers: Vec::new(),
            metadata: Some(self.metadata(&facts, token)),
            state,
            log_level: input.log_level,
            previous_parameter_values: rich(previous),
        })
    }

    /// A token for the template to act as the workspace's owner while the workspace runs.
    async fn owner_token(&self, facts: &BuildFacts) -> Result<String> {
        let tx = self.control().store().begin(self.who()).await?;
        let (owner, workspace) = (facts.owner_id, facts.workspace_id);
        let mut token = String::new();
        if facts.transition == "start" {
            let (id, secret) = (random(10), random(22));
            let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
            let life = self.control().settings().max_token_lifetime.as_secs() as i64;
            let new = Some((id.as_str(), &hash[..], life));
            tx.workspace_token_replace(self.who(), owner, workspace, new)
                .await?;
            token = format!("{id}-{secret}");
        } else {
            tx.workspace_token_replace(self.who(), owner, workspace, None)
                .await?;
        }
        tx.commit().await?;
        // The token of the build before is void from now on.
        self.control().sessions_forget(Some(owner));
        Ok(token)
    }

    fn metadata(&self, facts: &BuildFacts, token: String) -> Metadata {
        let site = facts
            .owner_site_roles
            .iter()
            .map(|name| (name, String::new()));
        let org = facts.organization_id.to_string();
        let in_org = facts.owner_org_roles.iter().map(|name| (name, org.clone()));
        let roles = site.chain(in_org).map(|(name, org_id)| Role {
            name: name.clone(),
            org_id,
        });
        let no_cache = self.control().settings().provisioner_disable_module_cache;
        let modules = facts
            .module_files
            .filter(|_| !facts.disable_module_cache && !no_cache);
        Metadata {
            coder_url: self.access_url(),
            workspace_transition: match facts.transition.as_str() {
                "start" => WorkspaceTransition::Start,
                "stop" => WorkspaceTransition::Stop,
                _ => WorkspaceTransition::Destroy,
            }
            .into(),
            workspace_name: facts.workspace_name.clone(),
            workspace_owner: facts.owner_username.clone(),
            workspace_id: facts.workspace_id.to_string(),
            workspace_owner_id: facts.owner_id.to_string(),
            workspace_owner_email: facts.owner_email.clone(),
            template_name: facts.template_name.clone(),
            template_version: facts.version_name.clone(),
            workspace_owner_oidc_access_token: facts.owner_oidc_token.expose().clone(),
            workspace_owner_session_token: token,
            template_id: facts.template_id.to_string(),
            workspace_owner_name: facts.owner_name.clone(),
            workspace_owner_groups: facts.owner_groups.clone(),
            workspace_owner_ssh_public_key: facts.owner_ssh_public_key.clone(),
            workspace_owner_ssh_private_key: facts.owner_ssh_private_key.expose().clone(),
            workspace_build_id: facts.build_id.to_string(),
            workspace_owner_login_type: facts.owner_login_type.clone(),
            workspace_owner_rbac_roles: roles.collect(),
            template_version_id: facts.version_id.to_string(),
            template_version_modules_file: modules.map(|id| id.to_string()).unwrap_or_default(),
            ..Metadata::default()
        }
    }

    fn access_url(&self) -> String {
        self.control().settings().access_url.to_string()
    }

    async fn describe_import(&self, row: &Row) -> Result<TemplateImport> {
        let input: ImportInput = input(&row.input)?;
        let conn = self.control().store().conn().await?;
        let version = input.template_version_id;
        let (version_name, template, template_name) =
            conn.provisioner_job_version(self.who(), version).await?;
        Ok(TemplateImport {
            metadata: Some(Metadata {
                coder_url: self.access_url(),
                workspace_owner_groups: vec!["Everyone".to_owned()],
                template_id: template.map(|id| id.to_string()).unwrap_or_default(),
                template_name,
                template_version: version_name,
                template_version_id: version.to_string(),
                ..Metadata::default()
            }),
            user_variable_values: input
                .user_variable_values
                .into_iter()
                .map(variable)
                .collect(),
        })
    }

    async fn describe_dry_run(&self, row: &Row) -> Result<TemplateDryRun> {
        let input: DryRunInput = input(&row.input)?;
        let conn = self.control().store().conn().await?;
        let who = self.who();
        let version = input.template_version_id;
        let (version_name, template, template_name) =
            conn.provisioner_job_version(who, version).await?;
        let (username, full_name) = conn.provisioner_job_user(who, row.initiator_id).await?;
        let variables = conn.template_version_variables(version).await?;
        let modules = conn
            .template_version_source(version)
            .await?
            .cached_module_files;
        Ok(TemplateDryRun {
            rich_parameter_values: rich(input.rich_parameter_values),
            variable_values: given(variables),
            metadata: Some(Metadata {
                coder_url: self.access_url(),
                workspace_name: input.workspace_name,
                workspace_owner: username,
                workspace_owner_name: full_name,
                workspace_owner_groups: vec!["Everyone".to_owned()],
                template_id: template.map(|id| id.to_string()).unwrap_or_default(),
                template_name,
                template_version: version_name,
                template_version_id: version.to_string(),
                template_version_modules_file: modules.map(|id| id.to_string()).unwrap_or_default(),
                ..Metadata::default()
            }),
        })
    }
}

fn rich(values: Vec<WorkspaceBuildParameter>) -> Vec<RichParameterValue> {
    values
        .into_iter()
        .map(|v| RichParameterValue {
            name: v.name,
            value: v.value,
        })
        .collect()
}

fn variable(value: VariableValue) -> Variable {
    Variable {
        name: value.name,
        value: value.value,
        sensitive: false,
    }
}

/// Variables that Terraform is given; those without a value take Terraform's own default.
fn given(variables: Vec<TemplateVersionVariable>) -> Vec<Variable> {
    variables
        .into_iter()
        .filter(|v| v.required || !v.value.is_empty() || !v.default_value.is_empty())
        .map(|v| Variable {
            name: v.name,
            value: v.value,
            sensitive: v.sensitive,
        })
        .collect()
}

/// Letters and digits that cannot be guessed.
fn random(length: usize) -> String {
    use rand::Rng as _;
    let rng = rand::rng();
    rng.sample_iter(rand::distr::Alphanumeric)
        .take(length)
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_variables_are_left_to_terraform() {
        let v = |name: &str, value: &str, required| TemplateVersionVariable {
            name: name.into(),
            value: value.into(),
            required,
            ..Default::default()
        };
        let got = given(vec![
            v("a", "", false),
            v("b", "1", false),
            v("c", "", true),
        ]);
        let names: Vec<_> = got.iter().map(|v| v.name.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
    }

    #[test]
    fn tokens_have_the_form_of_keys() {
        let (id, secret) = (random(10), random(22));
        assert!(crate::sessions::split_token(&format!("{id}-{secret}")).is_some());
    }
}
