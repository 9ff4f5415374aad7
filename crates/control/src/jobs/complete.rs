//! Ending jobs that succeeded: all that a job made becomes visible in one transaction.

use chrono::{DateTime, TimeDelta, Utc};
use provisioner::SourceError;
use rpc::proto::provisionerd::CompletedJob;
use rpc::proto::provisionerd::completed_job::{TemplateDryRun, Type, WorkspaceBuild};
use serde_json::json;
use store::provisioner_job_facts::BuildFacts;
use store::provisioner_jobs::{JobEnd, OpenJob};
use store::{AuditAction, AuditEntry, Tx};
use uuid::Uuid;

use super::acquire::{BuildInput, input};
use super::convert::{resource, timings};
use super::{DatabaseJobs, from_store, gone, job_id, source_error};
use crate::schedule::{Autostop, AutostopRequirement, Cron, Deadlines, deadlines};
use crate::templates::ended;
use crate::workspaces::next_start;
use crate::{Error, Result};

impl DatabaseJobs {
    pub(super) async fn complete_job(
        &self,
        done: CompletedJob,
    ) -> std::result::Result<(), SourceError> {
        let id = job_id(&done.job_id)?;
        let tx = self
            .control()
            .store()
            .begin(self.who())
            .await
            .map_err(from_store)?;
        let job = self.lock_own(&tx, id).await?;
        let now = Utc::now();
        let outcome = match (done.r#type, job.kind.as_str()) {
            (Some(Type::WorkspaceBuild(build)), "workspace_build") => {
                self.complete_build(&tx, &job, build, now).await
            }
            (Some(Type::TemplateImport(import)), "template_version_import") => {
                self.complete_import(&tx, &job, import, now).await
            }
            (Some(Type::TemplateDryRun(run)), "template_version_dry_run") => {
                self.complete_dry_run(&tx, &job, run, now).await
            }
            _ => Err(Error::invalid("the result is of another kind than the job")),
        };
        outcome.map_err(source_error)?;
        // What has run to its end has succeeded, even if somebody asked to cancel meanwhile.
        let end = JobEnd {
            clear_cancel: true,
            ..JobEnd::default()
        };
        tx.provisioner_job_end(self.who(), id, &end)
            .await
            .map_err(from_store)?;
        tx.commit().await.map_err(from_store)?;
        if job.kind == "workspace_build" {
            self.followups_soon();
        }
        Ok(())
    }

    /// Locks a job that one of this process's daemons still holds.
    pub(super) async fn lock_own(
        &self,
        tx: &Tx,
        id: Uuid,
    ) -> std::result::Result<OpenJob, SourceError> {
        let job = tx
            .provisioner_job_lock(self.who(), id)
            .await
            .map_err(from_store)?;
        let own = job
            .worker_id
            .is_some_and(|worker| self.workers().contains(&worker));
        if !own || ended(&job.status) {
            Err(gone(id))
        } else {
            Ok(job)
        }
    }

    /// Starts what shall follow builds that have just ended, without letting their daemon wait.
    fn followups_soon(&self) {
        let control = self.control().clone();
        tokio::spawn(async move {
            if let Err(error) = control.workspace_build_followups_run().await {
                tracing::warn!(%error, "cannot look for builds that follow others");
            }
        });
    }

    async fn complete_build(
        &self,
        tx: &Tx,
        job: &OpenJob,
        done: WorkspaceBuild,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let who = self.who();
        let input: BuildInput = input(&job.input)?;
        let facts = tx
            .provisioner_job_build_facts(who, input.workspace_build_id)
            .await?;
        let start = facts.transition == "start";
        tx.workspace_build_keep_state(who, facts.build_id, &done.state)
            .await?;
        tx.workspace_agents_retire(who, facts.workspace_id, facts.build_number)
            .await?;
        let mut by_hand = false;
        for found in done.resources {
            by_hand |= found.r#type == "coder_external_agent";
            let mut new = resource(found, start).map_err(Error::invalid)?;
            for agent in &mut new.agents {
                if agent.troubleshooting_url.is_empty() {
                    let fallback = &self.control().settings().agent_fallback_troubleshooting_url;
                    agent.troubleshooting_url.clone_from(fallback);
                }
            }
            tx.workspace_resource_insert(who, job.id, &facts.transition, &new, now)
                .await?;
        }
        for m in &done.modules {
            let module = (m.source.as_str(), m.version.as_str(), m.key.as_str());
            tx.workspace_module_insert(job.id, &facts.transition, module, now)
                .await?;
        }
        tx.provisioner_job_timings_insert(job.id, &timings(done.timings))
            .await?;
        let due = if start {
            self.due(&facts, now)
        } else {
            Deadlines::default()
        };
        tx.workspace_build_finish(who, facts.build_id, due.deadline, due.max_deadline, by_hand)
            .await?;
        if facts.transition == "delete" {
            tx.workspace_delete(who, facts.workspace_id).await?;
        } else {
            let next = facts
                .autostart_schedule
                .as_deref()
                .filter(|_| facts.allow_user_autostart);
            let next = next.and_then(|text| next_start(text, facts.autostart_block_days, now));
            tx.workspace_set_next_start(who, facts.workspace_id, next)
                .await?;
        }
        self.audit_build(tx, job, &facts, 200).await?;
        Ok(tx.workspace_changed(facts.workspace_id).await?)
    }

    /// When a workspace that has just started must stop.
    fn due(&self, facts: &BuildFacts, now: DateTime<Utc>) -> Deadlines {
        let own = facts.ttl_ms.filter(|_| facts.allow_user_autostop);
        let inherited = (!facts.allow_user_autostop).then_some(facts.template_ttl_ms);
        let autostart = facts
            .autostart_schedule
            .as_deref()
            .filter(|_| facts.allow_user_autostart);
        let autostart = autostart.and_then(|text| Cron::weekly(text).ok());
        let quiet = match facts.owner_quiet_hours.as_str() {
            "" => self
                .control()
                .settings()
                .default_quiet_hours_schedule
                .as_str(),
            own => own,
        };
        let quiet = Cron::daily(quiet).ok();
        let rules = Autostop {
            ttl: own.or(inherited).map(TimeDelta::milliseconds),
            autostart: autostart.as_ref(),
            requirement: AutostopRequirement {
                days: facts.autostop_days,
                weeks: facts.autostop_weeks,
            },
            quiet_hours: quiet.as_ref(),
        };
        deadlines(&rules, now)
    }

    /// The entry that tells how a build ended.
    pub(super) async fn audit_build(
        &self,
        tx: &Tx,
        job: &OpenJob,
        facts: &BuildFacts,
        status: u16,
    ) -> Result<()> {
        let action = match facts.transition.as_str() {
            "start" => AuditAction::Start,
            "stop" => AuditAction::Stop,
            _ => AuditAction::Delete,
        };
        let mut entry = AuditEntry::new(action, "workspace_build", facts.build_id, "")
            .org(facts.organization_id)
            .by(job.initiator_id)
            .status(status)
            .additional(json!({
                "workspace_name": facts.workspace_name,
                "workspace_id": facts.workspace_id,
                "workspace_owner": facts.owner_username,
                "build_number": facts.build_number.to_string(),
                "build_reason": facts.reason,
            }));
        entry.request_id = Some(job.id);
        Ok(tx.audit(entry).await?)
    }

    async fn complete_dry_run(
        &self,
        tx: &Tx,
        job: &OpenJob,
        done: TemplateDryRun,
        now: DateTime<Utc>,
    ) -> Result<()> {
        for found in done.resources {
            let new = resource(found, true).map_err(Error::invalid)?;
            tx.workspace_resource_insert(self.who(), job.id, "start", &new, now)
                .await?;
        }
        for m in &done.modules {
            let module = (m.source.as_str(), m.version.as_str(), m.key.as_str());
            tx.workspace_module_insert(job.id, "start", module, now)
                .await?;
        }
        Ok(())
    }
}
