//! What a running job has at hand, and the Terraform commands in these terms.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rpc::proto::provisioner::{LogLevel, Metadata, VariableValue};
use tokio_util::sync::CancellationToken;

use crate::hcl::Module;
use crate::job::JobSource;
use crate::log::JobLog;
use crate::session::{Session, is_full};
use crate::tofu::env::{self, Environment, Inputs};
use crate::tofu::{Binary, Report, Run, RunError, Stage, Timings, run, variable_file};

use super::Config;
use super::failure::Failure;

/// A plan's JSON form that is read; a template whose plan is larger cannot be imported.
const MAX_PLAN_BYTES: u64 = 256 << 20;

/// What a running job has at hand.
pub(super) struct Context<'a, S> {
    pub source: &'a S,
    pub config: &'a Config,
    pub job_id: &'a str,
    pub log: &'a JobLog,
    pub stop: &'a CancellationToken,
    pub binary: &'a Binary,
    pub session: Arc<Session>,
}

/// A plan that was made.
#[derive(Debug)]
pub(super) struct Planned {
    /// Terraform's own file.
    pub file: PathBuf,
    /// Its JSON form.
    pub json: Vec<u8>,
}

/// What a plan is made from.
pub(super) struct PlanInput<'a> {
    pub env: Environment,
    pub variables: Option<PathBuf>,
    pub destroy: bool,
    /// No other run works on this state, so it need not be locked.
    pub unlocked: bool,
    /// Tells plans of one session apart.
    pub label: &'a str,
    pub debug: bool,
}

impl<S: JobSource> Context<'_, S> {
    /// The environment of commands that evaluate the template.
    pub(super) fn full_env(&self, inputs: &Inputs<'_>) -> Environment {
        let tools = &self.config.tools;
        env::full(tools.env(), &tools.config, tools.agent_scripts(), inputs)
    }

    /// The environment of commands that do not.
    pub(super) fn basic_env(&self) -> Environment {
        env::basic(self.config.tools.env(), &self.config.tools.config)
    }

    /// Puts the template's variables into a file for Terraform, if there are any.
    pub(super) fn variables(
        &self,
        root: &Module,
        values: &[VariableValue],
    ) -> Result<Option<PathBuf>, Failure> {
        let text = variable_file(root, values);
        if text.is_empty() {
            return Ok(None);
        }
        self.session
            .write_private("values.tfvars", text.as_bytes())
            .map(Some)
            .map_err(|e| Failure::io("cannot write the template's variables", &e))
    }

    /// Runs one command and follows what it prints.
    pub(super) async fn run(
        &self,
        args: Vec<OsString>,
        env: &Environment,
        label: &str,
        mut report: Report<'_>,
    ) -> Result<PathBuf, RunError> {
        let outcome = run(
            self.command(&args, env, label, &self.session.template()),
            self.stop,
            |line| report.line(line),
        )
        .await;
        let outcome = report.finish(outcome.map(|finished| finished.stdout));
        match outcome {
            // On a full disk it cannot even say so.
            Err(RunError::Failed {
                command,
                status,
                errors,
                stderr,
            }) if errors.is_empty() && is_full(self.session.root()) => {
                let place = self.session.root().display();
                let status = format!("{status}; the disk that holds {place} is full");
                Err(RunError::Failed {
                    command,
                    status,
                    errors,
                    stderr,
                })
            }
            other => other,
        }
    }

    fn command<'r>(
        &'r self,
        args: &[OsString],
        env: &'r Environment,
        label: &'r str,
        directory: &'r Path,
    ) -> Run<'r> {
        Run {
            program: &self.binary.path,
            args: args.to_vec(),
            env,
            directory,
            output: self.session.root(),
            label,
            limits: self.config.limits,
        }
    }

    /// Makes a plan and reads it.
    pub(super) async fn plan(
        &self,
        input: &PlanInput<'_>,
        log: &JobLog,
        timings: &mut Timings,
        stage: &str,
    ) -> Result<Planned, Failure> {
        let file = self.session.root().join(format!("{}.plan", input.label));
        let mut args: Vec<OsString> = [
            "plan",
            "-no-color",
            "-input=false",
            "-json",
            "-refresh=true",
        ]
        .iter()
        .map(Into::into)
        .collect();
        let mut out = OsString::from("-out=");
        out.push(&file);
        args.push(out);
        if input.destroy {
            args.push("-destroy".into());
        }
        if input.unlocked {
            args.push("-lock=false".into());
        }
        args.extend(var_file(input.variables.as_deref()));
        let report = Report::new(log, timings, stage, Stage::Plan).with_debug(input.debug);
        self.run(args, &input.env, input.label, report).await?;
        let json = self.show(&file, input.label).await?;
        Ok(Planned { file, json })
    }

    /// The JSON form of a plan.
    async fn show(&self, plan: &Path, label: &str) -> Result<Vec<u8>, Failure> {
        let args: Vec<OsString> = vec![
            "show".into(),
            "-json".into(),
            "-no-color".into(),
            plan.into(),
        ];
        let env = self.basic_env();
        let label = format!("{label}-show");
        let directory = self.session.template();
        let mut command = self.command(&args, &env, &label, &directory);
        // It prints the plan on one line, which says nothing to people.
        command.limits.output_bytes = MAX_PLAN_BYTES;
        let finished = run(command, self.stop, |_| {}).await?;
        std::fs::read(&finished.stdout).map_err(|e| Failure::io("cannot read the plan", &e))
    }

    /// Logs what the template's author should know.
    pub(super) fn warn(&self, stage: &str, warnings: &[String]) {
        for warning in warnings {
            self.log.line(LogLevel::Warn, stage, warning);
        }
    }
}

/// The argument that names the file of variables.
pub(super) fn var_file(path: Option<&Path>) -> Option<OsString> {
    path.map(|path| {
        let mut arg = OsString::from("-var-file=");
        arg.push(path);
        arg
    })
}

/// Metadata for planning a template that no workspace uses yet.
pub(super) fn anonymous(metadata: &Metadata, transition: i32) -> Metadata {
    Metadata {
        coder_url: metadata.coder_url.clone(),
        workspace_owner_groups: metadata.workspace_owner_groups.clone(),
        workspace_transition: transition,
        ..Metadata::default()
    }
}
