//! Ending imports that succeeded: what a template holds becomes part of its version.

use chrono::{DateTime, Utc};
use rpc::proto::provisionerd::completed_job::TemplateImport;
use serde_json::json;
use store::Tx;
use store::provisioner_jobs::OpenJob;
use store::template_version_contents::ImportResult;

use super::DatabaseJobs;
use super::acquire::{ImportInput, input};
use super::convert::{parameter, preset, resource};
use crate::{Error, Result};

impl DatabaseJobs {
    pub(super) async fn complete_import(
        &self,
        tx: &Tx,
        job: &OpenJob,
        done: TemplateImport,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let who = self.who();
        let input: ImportInput = input(&job.input)?;
        let version = input.template_version_id;
        if let Some(provider) = done.external_auth_providers.first() {
            return Err(Error::invalid(format!(
                "external auth provider {:?} is not configured on this server: remove it from \
                 the template, or have it configured",
                provider.id
            )));
        }
        for (transition, resources) in [
            ("start", done.start_resources),
            ("stop", done.stop_resources),
        ] {
            for found in resources {
                let new = resource(found, transition == "start").map_err(Error::invalid)?;
                tx.workspace_resource_insert(who, job.id, transition, &new, now)
                    .await?;
            }
        }
        for m in &done.start_modules {
            let module = (m.source.as_str(), m.version.as_str(), m.key.as_str());
            tx.workspace_module_insert(job.id, "start", module, now)
                .await?;
        }
        let parameters: Vec<_> = done.rich_parameters.into_iter().map(parameter).collect();
        tx.template_version_set_parameters(who, version, &parameters)
            .await
            .map_err(|error| {
                if error.is_conflict("template_version_parameters_pkey") {
                    return Error::invalid("two parameters of the template have the same name");
                }
                error.into()
            })?;
        let presets: Vec<_> = done.presets.into_iter().map(preset).collect();
        tx.template_version_set_presets(who, version, &presets)
            .await
            .map_err(|error| {
                if error.is_conflict("template_version_presets_template_version_id_name_key") {
                    return Error::invalid("two presets of the template have the same name");
                }
                error.into()
            })?;
        let modules = self
            .import_modules(tx, &done.module_files, &done.module_files_hash)
            .await?;
        let result = ImportResult {
            external_auth_providers: json!([]),
            has_external_agent: done.has_external_agents,
            cached_plan: Some(done.plan.clone()).filter(|plan| !plan.is_empty()),
            cached_module_files: modules,
        };
        Ok(tx
            .template_version_set_result(who, version, &result)
            .await?)
    }

    /// The archive of modules: sent along, or uploaded before and named by its hash.
    async fn import_modules(
        &self,
        tx: &Tx,
        data: &[u8],
        hash: &[u8],
    ) -> Result<Option<uuid::Uuid>> {
        use sha2::{Digest as _, Sha256};
        if !data.is_empty() {
            let hash = hex::encode(Sha256::digest(data));
            return Ok(Some(
                tx.provisioner_job_file_insert(self.who(), &hash, data)
                    .await?,
            ));
        }
        if hash.is_empty() {
            return Ok(None);
        }
        Ok(tx
            .provisioner_job_file_by_hash(self.who(), &hex::encode(hash))
            .await?)
    }
}
