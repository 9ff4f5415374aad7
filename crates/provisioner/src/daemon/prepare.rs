//! From a job's archive to a directory in which Terraform can run.

use rpc::proto::provisioner::LogLevel;

use crate::archive::{self, Limits};
use crate::convert::Template;
use crate::hcl::{Configuration, Files};
use crate::job::{FileKind, JobSource};
use crate::session::configuration_files;
use crate::tofu::{InitJob, Initialised, Report, Stage, Timings, undeclared_provider};

use super::context::Context;
use super::failure::Failure;

/// The stage's name in the log.
pub(super) const INIT: &str = "Initializing Terraform Directory";

impl<S: JobSource> Context<'_, S> {
    /// Unpacks the template and makes it ready to run, by what an earlier job kept if possible.
    /// `modules` names an archive of the template's modules, if the control plane has one.
    pub(super) async fn prepare(
        &self,
        archive: &[u8],
        modules: &str,
        timings: &mut Timings,
    ) -> Result<Template, Failure> {
        self.log.stage(INIT);
        let directory = self.session.template();
        archive::extract(archive, &directory, Limits::TEMPLATE)?;
        self.session
            .forget_earlier_states()
            .map_err(|e| Failure::io("cannot clear the template's directory", &e))?;
        let read = || -> Result<Configuration, Failure> {
            let files = Files::new(configuration_files(&directory));
            Ok(Configuration::read(&files)?)
        };
        let configuration = read()?;
        if configuration
            .root()
            .is_none_or(|r| r.resources.is_empty() && r.calls.is_empty())
        {
            return Err(Failure::new(
                "the template declares no resources: there are none in the .tf files at its top",
            ));
        }
        if let Some(resource) = undeclared_provider(&configuration) {
            return Err(Failure::new(format!(
                "{} line {}: {} needs the coder provider, but its module does not say where that comes from; add `coder = {{ source = \"coder/coder\" }}` to `required_providers` in a `terraform` block",
                resource.file,
                resource.line,
                resource.address()
            )));
        }
        let env = self.basic_env();
        let job = InitJob {
            binary: self.binary,
            config: &self.config.tools.config,
            env: &env,
            archive,
            directory: &directory,
            output: self.session.root(),
            limits: self.config.limits,
        };
        let init = &self.config.tools.init;
        if !modules.is_empty() && init.is_missing(&job, &configuration) {
            let tar = self.source.download(FileKind::Modules, modules).await?;
            archive::extract(&tar, &directory, Limits::MODULES)?;
        }
        let mut report = Report::new(self.log, timings, INIT, Stage::Init);
        let outcome = init
            .prepare(&job, &configuration, self.stop, |line| report.line(line))
            .await;
        let done = report.finish(outcome)?;
        match done {
            Initialised::NotNeeded => return Ok(Template::new(configuration)),
            Initialised::FromCache => self.log.line(
                LogLevel::Info,
                INIT,
                "Providers and modules are those of an earlier run of this template version.",
            ),
            Initialised::Ran => {}
        }
        // Now with the modules.
        Ok(Template::new(read()?))
    }
}
