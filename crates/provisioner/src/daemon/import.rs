//! Importing a template version: reads it, and plans a start and a stop of a workspace that does
//! not exist. Nothing else of the template is run.

use rpc::proto::provisioner::{LogLevel, Metadata, VariableValue, WorkspaceTransition};
use rpc::proto::provisionerd::acquired_job;
use rpc::proto::provisionerd::completed_job;
use rpc::proto::provisionerd::{UpdateJobRequest, UpdateJobResponse};

use crate::convert::{self, Converted, Template};
use crate::hcl::variables;
use crate::job::JobSource;
use crate::log::JobLog;
use crate::tofu::Timings;
use crate::tofu::env::Inputs;

use super::context::{Context, PlanInput, Planned, anonymous};
use super::failure::{Failure, REQUIRED_VARIABLES};
use super::modules;
use super::reporter::deliver;

const PARSE: &str = "Parsing template parameters";
const START: &str = "Detecting persistent resources";
const STOP: &str = "Detecting ephemeral resources";

impl<S: JobSource> Context<'_, S> {
    /// Imports a template version.
    pub(super) async fn import(
        &self,
        archive: &[u8],
        import: &acquired_job::TemplateImport,
    ) -> Result<completed_job::TemplateImport, Failure> {
        let mut timings = Timings::default();
        let template = self.prepare(archive, "", &mut timings).await?;
        self.log.stage(PARSE);
        let values = self.declare(&template, import).await?;
        let metadata = import.metadata.clone().unwrap_or_default();
        self.log.stage(START);
        // Both at once: they share nothing but the files that they read. What the second one
        // prints is kept back until the first has ended.
        let stop_log = JobLog::new();
        let (start, stop) = tokio::join!(
            self.plan_import(
                &template,
                &values,
                &metadata,
                WorkspaceTransition::Start,
                self.log
            ),
            self.plan_import(
                &template,
                &values,
                &metadata,
                WorkspaceTransition::Stop,
                &stop_log
            ),
        );
        let (plan, start) = start?;
        self.warn(START, &start.warnings);
        self.log.stage(STOP);
        self.log.append(&stop_log);
        let (_, stop) = stop?;
        let directory = self.session.template();
        let modules = modules::list(&directory);
        let packed = modules::archive(&directory, &modules)
            .map_err(|e| Failure::io("cannot pack the template's modules", &e))?;
        for key in &packed.left_out {
            self.log.line(
                LogLevel::Warn,
                STOP,
                &format!("The module {key:?} is too large to be kept with the template version. Forms cannot show its parameters, and builds may fetch it again."),
            );
        }
        let names = start.external_auth.iter().map(|e| e.id.clone()).collect();
        Ok(completed_job::TemplateImport {
            start_resources: start.resources,
            stop_resources: stop.resources,
            rich_parameters: start.parameters,
            external_auth_providers_names: names,
            external_auth_providers: start.external_auth,
            start_modules: modules,
            presets: start.presets,
            plan: plan.json,
            module_files: packed.tar,
            module_files_hash: Vec::new(),
            has_external_agents: start.has_external_agents,
        })
    }

    /// Tells the control plane what the template declares, and gets the values of its variables.
    async fn declare(
        &self,
        template: &Template,
        import: &acquired_job::TemplateImport,
    ) -> Result<Vec<VariableValue>, Failure> {
        let root = template.configuration.root();
        let declared = match root {
            Some(root) => variables::template_variables(root)?,
            None => Vec::new(),
        };
        let readme = std::fs::read(self.session.template().join("README.md")).unwrap_or_default();
        let request = UpdateJobRequest {
            job_id: self.job_id.to_owned(),
            template_variables: declared.clone(),
            user_variable_values: import.user_variable_values.clone(),
            readme,
            workspace_tags: root.map(variables::constant_tags).unwrap_or_default(),
            ..UpdateJobRequest::default()
        };
        let answer: UpdateJobResponse = deliver(|| self.source.update(request.clone())).await?;
        let mut values = answer.variable_values;
        for user in &import.user_variable_values {
            if !values.iter().any(|v| v.name == user.name) {
                values.push(user.clone());
            }
        }
        let missing: Vec<_> = declared
            .iter()
            .filter(|d| d.required)
            .filter(|d| {
                !values
                    .iter()
                    .any(|v| v.name == d.name && !v.value.is_empty())
            })
            .map(|d| d.name.as_str())
            .collect();
        if missing.is_empty() {
            return Ok(values);
        }
        Err(Failure::new(format!(
            "{REQUIRED_VARIABLES} need values: {}",
            missing.join(", ")
        )))
    }

    async fn plan_import(
        &self,
        template: &Template,
        values: &[VariableValue],
        metadata: &Metadata,
        transition: WorkspaceTransition,
        log: &JobLog,
    ) -> Result<(Planned, Converted), Failure> {
        let metadata = anonymous(metadata, transition.into());
        let (stage, label) = match transition {
            WorkspaceTransition::Start => (START, "start"),
            _ => (STOP, "stop"),
        };
        self.plan_only(
            template,
            values,
            &Inputs {
                metadata: &metadata,
                parameters: &[],
                previous: &[],
                external_auth: &[],
                debug: false,
            },
            log,
            stage,
            label,
        )
        .await
    }

    /// Plans without a state and converts what comes out.
    pub(super) async fn plan_only(
        &self,
        template: &Template,
        values: &[VariableValue],
        inputs: &Inputs<'_>,
        log: &JobLog,
        stage: &str,
        label: &str,
    ) -> Result<(Planned, Converted), Failure> {
        let variables = match template.configuration.root() {
            Some(root) => self.variables(root, values)?,
            None => None,
        };
        let input = PlanInput {
            env: self.full_env(inputs),
            variables,
            destroy: false,
            unlocked: true,
            label,
            debug: inputs.debug,
        };
        let mut timings = Timings::default();
        let planned = self.plan(&input, log, &mut timings, stage).await?;
        let instances = convert::from_plan(&planned.json)?;
        let converted = convert::convert(template, &instances)?;
        Ok((planned, converted))
    }
}
