//! Ending jobs whose daemon died.
//!
//! A daemon beats at least every few seconds. Its silence is measured on this process's own
//! clock, between two looks that both succeeded: while the database was away nobody could
//! beat, and nobody is blamed for it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use store::provisioner_job_logs::NewLog;
use store::provisioner_jobs::{JobEnd, JobPulse};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::DatabaseJobs;
use crate::Result;
use crate::templates::ended;

/// Silence after which a built-in daemon counts as gone. They beat each second; one that has not
/// within this time belonged to a process that is gone.
const BUILT_IN_SILENCE: Duration = Duration::from_secs(10);

/// Shortest time between two looks, whatever the options say.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Silence after which a daemon of another machine counts as gone.
const SILENCE: Duration = Duration::from_mins(5);

/// How long a job may wait for a daemon.
const MAX_PENDING: TimeDelta = TimeDelta::minutes(30);

/// Most jobs that one look ends; the next look takes the rest.
const MAX_ENDED: usize = 10;

/// Jobs as last seen, each with when its last beat was first seen.
#[derive(Debug, Default)]
struct Watch(HashMap<Uuid, (DateTime<Utc>, Instant)>);

/// Why a job is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Silent,
    Unwanted,
}

impl Watch {
    /// Takes in a look; answers the jobs to end.
    fn look(
        &mut self,
        jobs: &[JobPulse],
        now: Instant,
        clock: DateTime<Utc>,
    ) -> Vec<(Uuid, Verdict)> {
        let mut before = std::mem::take(&mut self.0);
        let mut verdicts = Vec::new();
        for job in jobs {
            if !job.started {
                if clock - job.created_at > MAX_PENDING {
                    verdicts.push((job.id, Verdict::Unwanted));
                }
                continue;
            }
            let since = match before.remove(&job.id) {
                Some((beat, since)) if beat == job.updated_at => since,
                _ => now,
            };
            let patience = if job.built_in {
                BUILT_IN_SILENCE
            } else {
                SILENCE
            };
            if now.duration_since(since) >= patience {
                verdicts.push((job.id, Verdict::Silent));
            }
            self.0.insert(job.id, (job.updated_at, since));
        }
        verdicts.truncate(MAX_ENDED);
        verdicts
    }
}

impl DatabaseJobs {
    /// Looks for jobs whose daemon died, until cancelled. Also starts what shall follow builds
    /// that another replica ended.
    pub async fn reap(&self, cancel: CancellationToken) {
        let mut watch = Watch::default();
        let every = self.control().settings().job_hang_detector_interval;
        let every = every.max(MIN_INTERVAL);
        loop {
            if let Err(error) = self.reap_once(&mut watch).await {
                // Whatever was silent may have been kept from beating as well.
                watch = Watch::default();
                tracing::warn!(%error, "cannot look for jobs whose daemon died");
            }
            if let Err(error) = self.control().workspace_build_followups_run().await {
                tracing::warn!(%error, "cannot look for builds that follow others");
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = cancel.cancelled() => return,
            }
        }
    }

    async fn reap_once(&self, watch: &mut Watch) -> Result<()> {
        let jobs = self
            .control()
            .store()
            .conn()
            .await?
            .provisioner_jobs_open(self.who())
            .await?;
        let verdicts = watch.look(&jobs, Instant::now(), Utc::now());
        for (id, verdict) in verdicts {
            let seen = jobs.iter().find(|job| job.id == id);
            if let Some(seen) = seen {
                self.reap_job(seen, verdict).await?;
            }
        }
        Ok(())
    }

    async fn reap_job(&self, seen: &JobPulse, verdict: Verdict) -> Result<()> {
        let who = self.who();
        let id = seen.id;
        let tx = self.control().store().begin(who).await?;
        let job = tx.provisioner_job_lock(who, id).await?;
        let taken = job.worker_id.is_some();
        // Its daemon may have found back since it was looked at.
        let moved = job.updated_at != seen.updated_at;
        if moved || ended(&job.status) || taken != (verdict == Verdict::Silent) {
            return Ok(());
        }
        let error = match verdict {
            Verdict::Silent => {
                "The provisioner daemon that ran this job is gone: its process ended or lost the \
                 database. What it had written by then is kept; run the build again."
            }
            Verdict::Unwanted => {
                "No provisioner daemon took this job within 30 minutes. Check that a daemon with \
                 its tags is running, then try again."
            }
        };
        tracing::warn!(job = %id, ?verdict, "ending a job that nobody works on");
        let lines = ["", "====================", error, "===================="];
        let line = |output: &&str| NewLog {
            created_at: Utc::now(),
            source: "provisioner_daemon",
            level: "error",
            stage: "Job reaper".to_owned(),
            output: (*output).to_owned(),
        };
        let lines: Vec<NewLog> = lines.iter().map(line).collect();
        tx.provisioner_job_logs_note(who, id, &lines).await?;
        let canceling = job.status.as_str() == "canceling";
        let end = JobEnd {
            error: (!canceling).then(|| error.to_owned()),
            ..JobEnd::default()
        };
        self.end_failed(&tx, &job, &end).await?;
        tx.commit().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(id: u128, beat: i64, built_in: bool) -> JobPulse {
        let at = DateTime::from_timestamp(beat, 0).unwrap();
        JobPulse {
            id: Uuid::from_u128(id),
            updated_at: at,
            created_at: at,
            started: true,
            built_in,
        }
    }

    #[test]
    fn a_job_that_beats_lives() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let clock = DateTime::from_timestamp(0, 0).unwrap();
        for n in 0..10u32 {
            let jobs = [pulse(1, n.into(), true)];
            assert!(
                watch
                    .look(&jobs, start + BUILT_IN_SILENCE * n, clock)
                    .is_empty()
            );
        }
    }

    #[test]
    fn the_first_look_never_condemns() {
        // However old the last beat: the database may have been away.
        let (mut watch, start) = (Watch::default(), Instant::now());
        let clock = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let jobs = [pulse(1, 0, true), pulse(2, 0, false)];
        assert!(watch.look(&jobs, start, clock).is_empty());
        let later = watch.look(&jobs, start + BUILT_IN_SILENCE, clock);
        assert_eq!(later, [(Uuid::from_u128(1), Verdict::Silent)]);
        let later = watch.look(&jobs, start + SILENCE, clock);
        assert!(later.contains(&(Uuid::from_u128(2), Verdict::Silent)));
    }

    #[test]
    fn a_job_may_not_wait_for_ever() {
        let mut watch = Watch::default();
        let waiting = JobPulse {
            started: false,
            ..pulse(1, 0, false)
        };
        let clock = DateTime::from_timestamp(30 * 60, 0).unwrap();
        assert!(
            watch
                .look(std::slice::from_ref(&waiting), Instant::now(), clock)
                .is_empty()
        );
        let clock = clock + TimeDelta::seconds(1);
        let got = watch.look(&[waiting], Instant::now(), clock);
        assert_eq!(got, [(Uuid::from_u128(1), Verdict::Unwanted)]);
    }
}
