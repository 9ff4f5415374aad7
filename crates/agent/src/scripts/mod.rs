//! Scripts of the workspace: at start, at stop and on schedule.

mod cron;
mod lines;
mod run;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use futures::future::join_all;
use rpc::proto::agent::{Timing, timing};
use tokio_util::sync::CancellationToken;

pub use run::Outcome;

use crate::logs::Logs;
use crate::manifest::Script;
use crate::outbox::Outbox;
use crate::workspace::Workspace;

/// Timings that may wait for the server.
const MAX_TIMINGS: usize = 1024;

/// Runs scripts and notes how they went.
#[derive(Debug)]
pub struct Scripts {
    workspace: Arc<Workspace>,
    logs: Arc<Logs>,
    timings: Outbox<Timing>,
}

/// When a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The workspace starts.
    Start,
    /// The workspace stops.
    Stop,
    /// Its time has come.
    Cron,
}

impl Scripts {
    /// A runner whose output goes to `logs`.
    pub fn new(workspace: Arc<Workspace>, logs: Arc<Logs>) -> Self {
        Self {
            workspace,
            logs,
            timings: Outbox::new("script timings", MAX_TIMINGS),
        }
    }

    /// How scripts went, for the server.
    pub fn timings(&self) -> &Outbox<Timing> {
        &self.timings
    }

    /// Makes the directories that scripts expect.
    pub fn prepare(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(self.workspace.config.script_bin())
    }

    /// Runs all scripts of a stage at once, and waits for all. The worst outcome counts.
    pub async fn run_all(&self, stage: Stage) -> Outcome {
        let Some(manifest) = self.workspace.manifest() else {
            return Outcome::Ok;
        };
        let wanted = manifest.scripts.iter().filter(|script| match stage {
            Stage::Start => script.run_on_start,
            Stage::Stop => script.run_on_stop,
            Stage::Cron => false,
        });
        let outcomes = join_all(wanted.map(|script| self.run(script, stage))).await;
        outcomes.into_iter().max().unwrap_or(Outcome::Ok)
    }

    /// Runs one script to its end.
    async fn run(&self, script: &Script, stage: Stage) -> Outcome {
        // The time of day may be set back meanwhile, and no script ends before it starts.
        let (start, began) = (SystemTime::now(), Instant::now());
        let (outcome, code) = run::run(script, &self.workspace, &self.logs).await;
        tracing::info!(
            script = script.display_name,
            ?stage,
            ?outcome,
            code,
            "a script has ended"
        );
        if !script.id.is_nil() {
            self.timings.push(Timing {
                script_id: script.id.as_bytes().to_vec(),
                start: Some(start.into()),
                end: Some((start + began.elapsed()).into()),
                exit_code: code,
                stage: match stage {
                    Stage::Start => timing::Stage::Start,
                    Stage::Stop => timing::Stage::Stop,
                    Stage::Cron => timing::Stage::Cron,
                }
                .into(),
                status: match outcome {
                    Outcome::Ok => timing::Status::Ok,
                    Outcome::PipesLeftOpen => timing::Status::PipesLeftOpen,
                    Outcome::Failed => timing::Status::ExitFailure,
                    Outcome::TimedOut => timing::Status::TimedOut,
                }
                .into(),
            });
        }
        outcome
    }

    /// Runs the scheduled scripts at their times until `stop`.
    pub async fn run_scheduled(&self, stop: CancellationToken) {
        let Some(manifest) = self.workspace.manifest() else {
            return;
        };
        let scheduled = manifest
            .scripts
            .iter()
            .filter(|script| !script.cron.is_empty());
        let loops = scheduled.map(|script| async {
            let schedule = match cron::Schedule::parse(&script.cron) {
                Ok(schedule) => schedule,
                Err(error) => {
                    tracing::error!(script = script.display_name, %error, "a script has no usable schedule");
                    return;
                }
            };
            while let Some(wait) = schedule.until_next(chrono::Local::now()) {
                tokio::time::sleep(wait).await;
                self.run(script, Stage::Cron).await;
            }
        });
        tokio::select! {
            _ = join_all(loops) => {}
            () = stop.cancelled() => {}
        }
    }
}
