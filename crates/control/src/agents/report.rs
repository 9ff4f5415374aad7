//! Presence, lifecycle, start-up and scripts, as agents report them.

use api_types::WorkspaceAgentLifecycle as State;
use chrono::{DateTime, Utc};
use rpc::proto::agent::{Lifecycle, Startup, Timing, lifecycle, startup, timing};
use store::StoreError;
use store::workspace_agents::{LifecycleReport, ScriptRun};
use uuid::Uuid;

use super::convert::{id, text, time, timestamp};
use super::{AgentPulse, AgentSession, Presence, agent_subject, invalid};
use crate::{Control, Result};

/// Longest version or directory that an agent may report.
const MAX_TEXT: usize = 4096;

impl Control {
    /// Notes that an agent is (or is no longer) connected to the server `replica`.
    pub async fn agent_presence(
        &self,
        agent: Uuid,
        replica: Uuid,
        presence: Presence,
        now: DateTime<Utc>,
    ) -> Result<AgentPulse> {
        let conn = self.store().conn().await?;
        Ok(conn
            .agent_presence(&agent_subject(), agent, replica, presence, now)
            .await?)
    }

    /// Whether an agent belongs to the current build of its workspace.
    pub async fn agent_is_current(&self, agent: Uuid) -> Result<bool> {
        let conn = self.store().conn().await?;
        Ok(conn.agent_is_current(&agent_subject(), agent).await?)
    }

    /// Notes a lifecycle state.
    pub async fn agent_lifecycle_update(
        &self,
        agent: &AgentSession,
        lifecycle: Lifecycle,
    ) -> Result<Lifecycle> {
        let state = match lifecycle.state() {
            lifecycle::State::Created => State::Created,
            lifecycle::State::Starting => State::Starting,
            lifecycle::State::StartTimeout => State::StartTimeout,
            lifecycle::State::StartError => State::StartError,
            lifecycle::State::Ready => State::Ready,
            lifecycle::State::ShuttingDown => State::ShuttingDown,
            lifecycle::State::ShutdownTimeout => State::ShutdownTimeout,
            lifecycle::State::ShutdownError => State::ShutdownError,
            lifecycle::State::Off => State::Off,
            lifecycle::State::Unspecified => {
                return Err(invalid(format!(
                    "unknown lifecycle state {}",
                    lifecycle.state
                )));
            }
        };
        let changed_at = time(lifecycle.changed_at.as_ref()).unwrap_or_else(Utc::now);
        let report = LifecycleReport { state, changed_at };
        let conn = self.store().conn().await?;
        conn.agent_lifecycle_update(&agent_subject(), agent.agent_id, &report)
            .await?;
        Ok(Lifecycle {
            changed_at: Some(timestamp(changed_at)),
            ..lifecycle
        })
    }

    /// Notes what an agent says of itself when it starts.
    pub async fn agent_startup_update(
        &self,
        agent: &AgentSession,
        api_version: &str,
        startup: Startup,
    ) -> Result<Startup> {
        if !is_semver(&startup.version) {
            return Err(invalid(format!(
                "invalid agent semver version {:?}",
                startup.version
            )));
        }
        if startup.expanded_directory.len() > MAX_TEXT {
            return Err(invalid("the expanded directory is too long"));
        }
        let mut subsystems = Vec::new();
        for subsystem in startup.subsystems() {
            let name = match subsystem {
                startup::Subsystem::Envbox => "envbox",
                startup::Subsystem::Envbuilder => "envbuilder",
                startup::Subsystem::Exectrace => "exectrace",
                startup::Subsystem::Unspecified => {
                    return Err(invalid("invalid agent subsystem"));
                }
            };
            if !subsystems.contains(&name) {
                subsystems.push(name);
            }
        }
        subsystems.sort_unstable();
        let conn = self.store().conn().await?;
        conn.agent_startup_update(
            &agent_subject(),
            agent.agent_id,
            &startup.version,
            api_version,
            &text(&startup.expanded_directory),
            &subsystems,
        )
        .await?;
        Ok(startup)
    }

    /// Notes how a script went.
    pub async fn agent_script_completed(
        &self,
        agent: &AgentSession,
        timing: Option<Timing>,
    ) -> Result<()> {
        let timing = timing.ok_or_else(|| invalid("the timing is missing"))?;
        let run = ScriptRun {
            script_id: id(&timing.script_id, "the script's id")?,
            started_at: time(timing.start.as_ref())
                .ok_or_else(|| invalid("the start time is required and cannot be zero"))?,
            ended_at: time(timing.end.as_ref())
                .ok_or_else(|| invalid("the end time is required and cannot be zero"))?,
            exit_code: timing.exit_code,
            stage: match timing.stage() {
                timing::Stage::Start => "start",
                timing::Stage::Stop => "stop",
                timing::Stage::Cron => "cron",
            },
            status: match timing.status() {
                timing::Status::Ok => "ok",
                timing::Status::ExitFailure => "exit_failure",
                timing::Status::TimedOut => "timed_out",
                timing::Status::PipesLeftOpen => "pipes_left_open",
            },
        };
        if run.ended_at < run.started_at {
            return Err(invalid("the end time cannot be before the start time"));
        }
        let conn = self.store().conn().await?;
        match conn
            .agent_script_completed(&agent_subject(), agent.agent_id, &run)
            .await
        {
            Err(StoreError::NotFound) => Err(invalid("this agent has no such script")),
            other => Ok(other?),
        }
    }
}

/// A version with a leading `v`, of which minor and patch may be left out.
fn is_semver(version: &str) -> bool {
    let Some(rest) = version.strip_prefix('v') else {
        return false;
    };
    if version.len() > MAX_TEXT {
        return false;
    }
    let core_end = rest.find(['-', '+']).unwrap_or(rest.len());
    let (core, suffix) = rest.split_at(core_end);
    let padded = match core.matches('.').count() {
        0 if suffix.is_empty() => format!("{core}.0.0"),
        1 if suffix.is_empty() => format!("{core}.0"),
        _ => rest.to_owned(),
    };
    semver::Version::parse(&padded).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_semver;

    #[test]
    fn versions_need_a_leading_v() {
        for good in ["v1", "v2.3", "v2.38.0", "v2.38.0-devel+abc", "v0.0.0-devel"] {
            assert!(is_semver(good), "{good}");
        }
        for bad in ["", "v", "2.3.4", "v1.2.3.4", "v1.x", "v1-pre", "vv1.2.3"] {
            assert!(!is_semver(bad), "{bad}");
        }
    }
}
