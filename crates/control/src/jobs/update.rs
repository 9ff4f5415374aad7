//! Reports of running jobs: heartbeats, logs, and what an import finds on its way.

use api_types::{TemplateVersionVariable, VariableValue};
use chrono::{DateTime, Utc};
use provisioner::SourceError;
use rpc::proto::provisioner::{LogLevel, VariableValue as Variable};
use rpc::proto::provisionerd::{
    CommitQuotaRequest, CommitQuotaResponse, Log, LogSource, UpdateJobRequest, UpdateJobResponse,
};
use store::Tx;
use store::provisioner_job_logs::NewLog;
use uuid::Uuid;

use super::acquire::{BuildInput, ImportInput, input};
use super::{DatabaseJobs, from_store, gone, job_id, source_error};

/// Longest name of a stage.
const MAX_STAGE: usize = 128;
/// Longest line; longer ones are cut and say so.
const MAX_LINE: usize = 64 << 10;
/// Longest readme that is kept.
const MAX_README: usize = 1 << 20;
/// Most lines in one report.
const MAX_LINES: usize = 20_000;

/// Words by which a job's error tells that variables lack values.
pub(super) const REQUIRED_VARIABLES: &str = "required template variables";

type Result<T> = std::result::Result<T, SourceError>;

impl DatabaseJobs {
    pub(super) async fn update_job(&self, request: UpdateJobRequest) -> Result<UpdateJobResponse> {
        let job = job_id(&request.job_id)?;
        let workers = self.workers();
        let nothing_found = request.template_variables.is_empty()
            && request.readme.is_empty()
            && request.workspace_tags.is_empty();
        if request.logs.is_empty() && nothing_found {
            let conn = self.control().store().conn().await.map_err(from_store)?;
            let alive = conn
                .provisioner_job_heartbeat(self.who(), job, &workers)
                .await;
            let canceled = alive.map_err(from_store)?.ok_or_else(|| gone(job))?;
            return Ok(UpdateJobResponse {
                canceled,
                variable_values: Vec::new(),
            });
        }
        let logs: Vec<NewLog> = request.logs.iter().take(MAX_LINES).map(line).collect();
        let tx = self
            .control()
            .store()
            .begin(self.who())
            .await
            .map_err(from_store)?;
        let alive = tx
            .provisioner_job_logs_append(self.who(), job, &workers, &logs)
            .await;
        let canceled = alive.map_err(from_store)?.ok_or_else(|| gone(job))?;
        let mut variable_values = Vec::new();
        if !nothing_found {
            variable_values = self.import_found(&tx, job, request).await?;
        }
        // Committed even if values are missing: clients read there what to ask for.
        tx.commit().await.map_err(from_store)?;
        let missing: Vec<&str> = variable_values
            .iter()
            .filter(|v| v.value.is_empty())
            .map(|v| v.name.as_str())
            .collect();
        if !missing.is_empty() {
            return Err(SourceError::Refused(format!(
                "{REQUIRED_VARIABLES} need values: {}",
                missing.join(", ")
            )));
        }
        Ok(UpdateJobResponse {
            canceled,
            variable_values,
        })
    }

    /// Writes what an import found before it plans; answers the variables to plan with.
    async fn import_found(
        &self,
        tx: &Tx,
        job: Uuid,
        request: UpdateJobRequest,
    ) -> Result<Vec<Variable>> {
        let who = self.who();
        let row = tx
            .provisioner_job_lock(who, job)
            .await
            .map_err(from_store)?;
        if row.kind != "template_version_import" {
            return Err(SourceError::Refused(
                "only the import of a template version reports variables, readme and tags".into(),
            ));
        }
        let import: ImportInput = input(&row.input).map_err(source_error)?;
        let version = import.template_version_id;
        if !request.readme.is_empty() {
            let readme = String::from_utf8_lossy(&request.readme).replace('\0', "");
            let readme: String = cut(&readme, MAX_README).to_owned();
            tx.template_version_set_readme(who, version, &readme)
                .await
                .map_err(from_store)?;
        }
        if !request.workspace_tags.is_empty() {
            let tags = serde_json::to_value(&request.workspace_tags).unwrap_or_default();
            tx.template_version_set_tags(who, version, &tags)
                .await
                .map_err(from_store)?;
        }
        if request.template_variables.is_empty() {
            return Ok(Vec::new());
        }
        let mut given = import.user_variable_values;
        let also = request.user_variable_values.into_iter();
        given.extend(also.map(|v| VariableValue {
            name: v.name,
            value: v.value,
        }));
        let variables: Vec<TemplateVersionVariable> = request
            .template_variables
            .into_iter()
            .map(|v| {
                let own = given.iter().rev().find(|g| g.name == v.name);
                TemplateVersionVariable {
                    value: own.map_or_else(|| v.default_value.clone(), |g| g.value.clone()),
                    name: v.name,
                    description: v.description,
                    r#type: v.r#type,
                    default_value: v.default_value,
                    required: v.required,
                    sensitive: v.sensitive,
                }
            })
            .collect();
        let set = tx
            .template_version_set_variables(who, version, &variables)
            .await;
        set.map_err(from_store)?;
        Ok(variables
            .into_iter()
            .filter(|v| v.required || !v.value.is_empty())
            .map(|v| Variable {
                name: v.name,
                value: v.value,
                sensitive: v.sensitive,
            })
            .collect())
    }

    /// Reserves what a build will cost a day within the owner's budget.
    pub(super) async fn reserve_cost(
        &self,
        request: &CommitQuotaRequest,
    ) -> Result<CommitQuotaResponse> {
        let job = job_id(&request.job_id)?;
        let who = self.who();
        let tx = self
            .control()
            .store()
            .begin(who)
            .await
            .map_err(from_store)?;
        let row = tx
            .provisioner_job_lock(who, job)
            .await
            .map_err(from_store)?;
        let build: BuildInput = input(&row.input).map_err(source_error)?;
        let facts = tx
            .provisioner_job_build_facts(who, build.workspace_build_id)
            .await;
        let facts = facts.map_err(from_store)?;
        // Two builds of one owner must not both take the last of the budget.
        tx.lock(&format!("quota:{}", facts.owner_id))
            .await
            .map_err(from_store)?;
        let quota = tx
            .workspace_quota(who, facts.organization_id, facts.owner_id)
            .await;
        let quota = quota.map_err(from_store)?;
        let previous = match facts.previous_build_id {
            Some(id) => tx.workspace_build_cost(id).await.map_err(from_store)?,
            None => 0,
        };
        // The latest build's own cost, still 0, is part of what is consumed.
        let cost = i64::from(request.daily_cost);
        let total = quota.credits_consumed + cost;
        let fits = quota.budget < 0 || cost == 0 || total <= quota.budget;
        let ok = fits || request.daily_cost < previous;
        if ok {
            let set = tx
                .workspace_build_set_cost(who, facts.build_id, request.daily_cost)
                .await;
            set.map_err(from_store)?;
            tx.commit().await.map_err(from_store)?;
        }
        let consumed = if ok { total } else { quota.credits_consumed };
        Ok(CommitQuotaResponse {
            ok,
            credits_consumed: consumed.clamp(0, i32::MAX.into()) as i32,
            budget: quota.budget.clamp(-1, i32::MAX.into()) as i32,
        })
    }
}

/// A reported line as it is stored.
fn line(log: &Log) -> NewLog {
    let output = log.output.replace('\0', "");
    let shown = cut(&output, MAX_LINE);
    let output = if shown.len() < output.len() {
        format!("{shown} […]")
    } else {
        output
    };
    NewLog {
        created_at: DateTime::from_timestamp_millis(log.created_at).unwrap_or_else(Utc::now),
        source: match log.source() {
            LogSource::ProvisionerDaemon => "provisioner_daemon",
            LogSource::Provisioner => "provisioner",
        },
        level: match log.level() {
            LogLevel::Trace => "trace",
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        },
        stage: cut(&log.stage.replace('\0', ""), MAX_STAGE).to_owned(),
        output,
    }
}

/// The first bytes of a text, up to a whole character.
fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_made_storable() {
        let log = Log {
            output: format!("a\0{}", "é".repeat(MAX_LINE)),
            ..Default::default()
        };
        let got = line(&log).output;
        assert!(got.starts_with('a') && !got.contains('\0'));
        assert!(got.ends_with(" […]") && got.len() <= MAX_LINE + 8);
        assert_eq!(cut("éé", 3), "é");
    }
}
