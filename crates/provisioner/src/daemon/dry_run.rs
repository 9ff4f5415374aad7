//! A dry run: what a workspace with these parameters would consist of.

use rpc::proto::provisioner::Metadata;
use rpc::proto::provisionerd::{acquired_job, completed_job};

use crate::job::JobSource;
use crate::tofu::Timings;
use crate::tofu::env::Inputs;

use super::context::Context;
use super::failure::Failure;
use super::modules;

const STAGE: &str = "Detecting persistent resources";

impl<S: JobSource> Context<'_, S> {
    /// Plans a start with the given values.
    pub(super) async fn dry_run(
        &self,
        archive: &[u8],
        job: &acquired_job::TemplateDryRun,
    ) -> Result<completed_job::TemplateDryRun, Failure> {
        let metadata: Metadata = job.metadata.clone().unwrap_or_default();
        let mut timings = Timings::default();
        let modules_file = metadata.template_version_modules_file.clone();
        let template = self.prepare(archive, &modules_file, &mut timings).await?;
        self.log.stage(STAGE);
        let inputs = Inputs {
            metadata: &metadata,
            parameters: &job.rich_parameter_values,
            previous: &[],
            external_auth: &[],
            debug: false,
        };
        let (_, converted) = self
            .plan_only(
                &template,
                &job.variable_values,
                &inputs,
                self.log,
                STAGE,
                "dry-run",
            )
            .await?;
        Ok(completed_job::TemplateDryRun {
            resources: converted.resources,
            modules: modules::list(&self.session.template()),
        })
    }
}
