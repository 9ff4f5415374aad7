//! Building a workspace: start, stop or destroy.
//!
//! Usually this is one run that plans and applies. A plan is made and read first only where
//! somebody must know it before it is carried out: what a build will cost, and what a claimed
//! prebuilt workspace loses.

use std::ffi::OsString;

use rpc::proto::provisioner::{
    LogLevel, Metadata, PrebuiltWorkspaceBuildStage, ResourceReplacement, WorkspaceTransition,
};
use rpc::proto::provisionerd::{CommitQuotaRequest, acquired_job, completed_job};

use crate::convert::{self, Template};
use crate::job::JobSource;
use crate::tofu::env::Inputs;
use crate::tofu::{Report, Stage, Timings, needs_init};

use super::context::{Context, PlanInput, var_file};
use super::failure::{Failure, INSUFFICIENT_QUOTA};
use super::modules;
use super::reporter::deliver;

const PLAN: &str = "Planning Infrastructure";
const QUOTA: &str = "Commit quota";
const GRAPH: &str = "Graphing Infrastructure";

impl<S: JobSource> Context<'_, S> {
    /// Builds a workspace. Whatever happens, the state as Terraform left it is handed back.
    pub(super) async fn build(
        &self,
        archive: &[u8],
        job: &acquired_job::WorkspaceBuild,
    ) -> Result<completed_job::WorkspaceBuild, Failure> {
        let mut timings = Timings::default();
        let outcome = self.build_steps(archive, job, &mut timings).await;
        let timings = timings.finish();
        match outcome {
            Ok(done) => Ok(completed_job::WorkspaceBuild { timings, ..done }),
            Err(failure) => {
                let (state, error, state_unread) = match self.session.state_left() {
                    Ok(state) => (state, failure.error, false),
                    Err(e) => {
                        let error = format!(
                            "{}; and the state that Terraform left cannot be read: {e}",
                            failure.error
                        );
                        tracing::error!(
                            job_id = self.job_id,
                            "{error}; it stays in {}",
                            self.session.root().display()
                        );
                        (Vec::new(), error, true)
                    }
                };
                Err(Failure {
                    error,
                    state,
                    state_unread,
                    timings,
                    ..failure
                })
            }
        }
    }

    async fn build_steps(
        &self,
        archive: &[u8],
        job: &acquired_job::WorkspaceBuild,
        timings: &mut Timings,
    ) -> Result<completed_job::WorkspaceBuild, Failure> {
        let metadata = job.metadata.clone().unwrap_or_default();
        let transition = metadata.workspace_transition();
        if transition == WorkspaceTransition::Destroy && is_empty(&job.state) {
            self.log.line(
                LogLevel::Info,
                PLAN,
                "The workspace has no state, so there is nothing to destroy.",
            );
            return Ok(completed_job::WorkspaceBuild {
                state: job.state.clone(),
                ..completed_job::WorkspaceBuild::default()
            });
        }
        self.session
            .write_state(&job.state)
            .map_err(|e| Failure::io("cannot write the workspace's state", &e))?;
        let modules_file = metadata.template_version_modules_file.clone();
        let template = self.prepare(archive, &modules_file, timings).await?;
        let replacements = self.carry_out(job, &metadata, &template, timings).await?;
        self.result(&template, transition, replacements, timings)
    }

    /// Plans and applies.
    async fn carry_out(
        &self,
        job: &acquired_job::WorkspaceBuild,
        metadata: &Metadata,
        template: &Template,
        timings: &mut Timings,
    ) -> Result<Vec<ResourceReplacement>, Failure> {
        let transition = metadata.workspace_transition();
        let debug = !job.log_level.is_empty();
        let inputs = Inputs {
            metadata,
            parameters: &job.rich_parameter_values,
            previous: &job.previous_parameter_values,
            external_auth: &job.external_auth_providers,
            debug,
        };
        let env = self.full_env(&inputs);
        let variables = match template.configuration.root() {
            Some(root) => self.variables(root, &job.variable_values)?,
            None => None,
        };
        let destroy = transition == WorkspaceTransition::Destroy;
        let apply = match transition {
            WorkspaceTransition::Start => "Starting workspace",
            WorkspaceTransition::Stop => "Stopping workspace",
            WorkspaceTransition::Destroy => "Destroying workspace",
        };
        let mut args: Vec<OsString> = [
            "apply",
            "-auto-approve",
            "-no-color",
            "-input=false",
            "-json",
        ]
        .iter()
        .map(Into::into)
        .collect();
        self.log.stage(PLAN);
        let claim = metadata.prebuilt_workspace_build_stage() == PrebuiltWorkspaceBuildStage::Claim;
        let costs = !destroy && has_cost(template);
        if !(claim || costs) {
            if destroy {
                args.push("-destroy".into());
                // Looking first whether things still exist costs a plan of its own, and our own
                // and the built-in providers have nothing to look at.
                if !needs_init(&template.configuration) {
                    args.push("-refresh=false".into());
                }
            }
            args.extend(var_file(variables.as_deref()));
            let report = Report::new(self.log, timings, PLAN, Stage::Plan)
                .with_debug(debug)
                .then_apply(apply);
            self.run(args, &env, "apply", report).await?;
            return Ok(Vec::new());
        }
        let input = PlanInput {
            env,
            variables,
            destroy,
            unlocked: false,
            label: "plan",
            debug,
        };
        let planned = self.plan(&input, self.log, timings, PLAN).await?;
        if costs {
            let cost = convert::daily_cost(&convert::from_plan(&planned.json)?);
            self.commit_quota(cost).await?;
        }
        let replacements = if claim {
            convert::replacements(&planned.json)
        } else {
            Vec::new()
        };
        for replaced in &replacements {
            self.log.line(
                LogLevel::Warn,
                PLAN,
                &format!(
                    "{} is replaced because of {}: what was prebuilt is lost.",
                    replaced.resource,
                    replaced.paths.join(", ")
                ),
            );
        }
        self.log.stage(apply);
        args.push(planned.file.into());
        let report = Report::new(self.log, timings, apply, Stage::Apply).with_debug(debug);
        self.run(args, &input.env, "apply", report).await?;
        Ok(replacements)
    }

    async fn commit_quota(&self, cost: i32) -> Result<(), Failure> {
        self.log.stage(QUOTA);
        let request = CommitQuotaRequest {
            job_id: self.job_id.to_owned(),
            daily_cost: cost,
        };
        let answer = deliver(|| self.source.commit_quota(request.clone())).await?;
        for line in [
            format!("Build cost       —   {cost}"),
            format!("Budget           —   {}", answer.budget),
            format!("Credits consumed —   {}", answer.credits_consumed),
        ] {
            self.log.line(LogLevel::Info, QUOTA, &line);
        }
        if answer.ok {
            return Ok(());
        }
        self.log.line(
            LogLevel::Warn,
            QUOTA,
            "This build would exceed your quota. Failing.",
        );
        Err(Failure::with_code(
            format!(
                "insufficient quota: the build costs {cost} a day, and {} of {} are in use",
                answer.credits_consumed, answer.budget
            ),
            INSUFFICIENT_QUOTA,
        ))
    }

    /// Reads what Terraform made from its state.
    fn result(
        &self,
        template: &Template,
        transition: WorkspaceTransition,
        resource_replacements: Vec<ResourceReplacement>,
        timings: &mut Timings,
    ) -> Result<completed_job::WorkspaceBuild, Failure> {
        let begin = chrono::Utc::now();
        self.log.stage(GRAPH);
        let state = self
            .session
            .read_state()
            .map_err(|e| Failure::io("cannot read the state that Terraform left", &e))?;
        let instances = convert::from_state(&state)?;
        let converted = convert::convert(template, &instances)?;
        if transition == WorkspaceTransition::Start {
            self.warn(GRAPH, &converted.warnings);
        }
        timings.stage(Stage::Graph, begin, chrono::Utc::now(), true);
        Ok(completed_job::WorkspaceBuild {
            state,
            resources: converted.resources,
            modules: modules::list(&self.session.template()),
            resource_replacements,
            ..completed_job::WorkspaceBuild::default()
        })
    }
}

/// Whether a state says that nothing exists.
fn is_empty(state: &[u8]) -> bool {
    state.iter().all(u8::is_ascii_whitespace)
}

/// Whether anything in the template may cost something.
fn has_cost(template: &Template) -> bool {
    let unknown = !template.configuration.missing.is_empty();
    unknown
        || template
            .configuration
            .resources()
            .any(|(_, r)| r.kind == "coder_metadata" && r.attribute("daily_cost").is_some())
}
