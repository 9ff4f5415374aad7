//! What a workspace's next step by itself is. Pure: the time is passed in.

use chrono::{DateTime, TimeDelta, Utc};
use store::workspaces::LifecycleFacts;

use crate::workspaces::next_start;

/// How long a deletion that failed is left alone.
const DELETE_RETRY: TimeDelta = TimeDelta::hours(24);

/// A step that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its schedule says so.
    Autostart,
    /// Its time is over, or its owner is suspended.
    Autostop,
    /// A build failed, and what it left costs money.
    StopFailed,
    /// Nobody uses it: it is stopped and put to rest.
    StopToRest,
    /// The same for one that is stopped already.
    Rest,
    /// It has been at rest for long enough.
    Delete,
}

impl Step {
    /// Why, as the build tells.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Step::Autostart => "autostart",
            Step::Autostop | Step::StopFailed => "autostop",
            Step::StopToRest | Step::Rest => "dormancy",
            Step::Delete => "autodelete",
        }
    }
}

/// The step that is due, if any; the first that fits.
pub(super) fn next_step(w: &LifecycleFacts, now: DateTime<Utc>) -> Option<Step> {
    // While something is built nothing else can be.
    let ended = w.ended_at?;
    let failed = w.job_status == "failed";
    let after = |from: DateTime<Utc>, ms: i64| ms > 0 && now - from >= TimeDelta::milliseconds(ms);
    if w.dormant_at.is_none() {
        let running = w.transition == "start" && !failed;
        let over = w.deadline.is_some_and(|deadline| now >= deadline);
        if running && (over || w.owner_status == "suspended") {
            return Some(Step::Autostop);
        }
        if !failed && w.owner_status == "active" && starts(w, now) {
            return Some(Step::Autostart);
        }
        if failed && w.transition != "delete" && after(ended, w.failure_ttl_ms) {
            return Some(Step::StopFailed);
        }
        if after(w.last_used_at, w.time_til_dormant_ms) {
            let stopped = w.transition == "stop" && !failed;
            return Some(if stopped {
                Step::Rest
            } else {
                Step::StopToRest
            });
        }
        return None;
    }
    let due = w.deleting_at.is_some_and(|at| now >= at);
    let waits = w.transition == "delete" && failed && now - ended < DELETE_RETRY;
    (due && !waits).then_some(Step::Delete)
}

/// Whether a stopped workspace should have started by now.
fn starts(w: &LifecycleFacts, now: DateTime<Utc>) -> bool {
    let schedule = w
        .autostart_schedule
        .as_deref()
        .filter(|_| w.transition == "stop" && w.allow_user_autostart);
    schedule
        .and_then(|text| next_start(text, w.autostart_block_days, w.built_at))
        .is_some_and(|next| now >= next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    /// Stopped on Wednesday the 25th at ten, used until then.
    fn stopped() -> LifecycleFacts {
        LifecycleFacts {
            id: uuid::Uuid::nil(),
            owner_status: "active".to_owned(),
            transition: "stop".to_owned(),
            built_at: at("25T10:00"),
            job_status: "succeeded".to_owned(),
            ended_at: Some(at("25T10:01")),
            deadline: None,
            autostart_schedule: None,
            last_used_at: at("25T10:00"),
            dormant_at: None,
            deleting_at: None,
            allow_user_autostart: true,
            autostart_block_days: 0,
            failure_ttl_ms: 0,
            time_til_dormant_ms: 0,
            time_til_dormant_autodelete_ms: 0,
        }
    }

    fn started() -> LifecycleFacts {
        LifecycleFacts {
            transition: "start".to_owned(),
            deadline: Some(at("25T18:00")),
            ..stopped()
        }
    }

    #[test]
    fn a_workspace_stops_at_its_deadline_and_not_before() {
        assert_eq!(next_step(&started(), at("25T17:59")), None);
        assert_eq!(next_step(&started(), at("25T18:00")), Some(Step::Autostop));
        let endless = LifecycleFacts {
            deadline: None,
            ..started()
        };
        assert_eq!(next_step(&endless, at("30T18:00")), None);
    }

    #[test]
    fn a_suspended_owner_ends_it_at_once() {
        let w = LifecycleFacts {
            owner_status: "suspended".to_owned(),
            ..started()
        };
        assert_eq!(next_step(&w, at("25T10:02")), Some(Step::Autostop));
        let scheduled = LifecycleFacts {
            transition: "stop".to_owned(),
            autostart_schedule: Some("0 9 * * *".to_owned()),
            ..w
        };
        assert_eq!(next_step(&scheduled, at("26T09:00")), None);
    }

    #[test]
    fn a_schedule_starts_what_is_stopped_on_allowed_days() {
        let w = LifecycleFacts {
            autostart_schedule: Some("0 9 * * *".to_owned()),
            ..stopped()
        };
        assert_eq!(next_step(&w, at("26T08:59")), None);
        assert_eq!(next_step(&w, at("26T09:00")), Some(Step::Autostart));
        // After a night without server it is late, not lost.
        assert_eq!(next_step(&w, at("26T11:30")), Some(Step::Autostart));
        let blocked = LifecycleFacts {
            autostart_block_days: 1 << 3,
            ..w.clone()
        };
        assert_eq!(next_step(&blocked, at("26T09:00")), None);
        assert_eq!(next_step(&blocked, at("27T09:00")), Some(Step::Autostart));
        for no in [
            LifecycleFacts {
                allow_user_autostart: false,
                ..w.clone()
            },
            LifecycleFacts {
                job_status: "failed".to_owned(),
                ..w.clone()
            },
            LifecycleFacts {
                owner_status: "dormant".to_owned(),
                ..w.clone()
            },
            LifecycleFacts {
                transition: "start".to_owned(),
                ..w
            },
        ] {
            assert_eq!(next_step(&no, at("26T09:00")), None);
        }
    }

    #[test]
    fn what_is_being_built_is_left_alone() {
        let w = LifecycleFacts {
            ended_at: None,
            job_status: "running".to_owned(),
            ..started()
        };
        assert_eq!(next_step(&w, at("25T18:00")), None);
    }

    #[test]
    fn a_failed_build_is_stopped_after_its_time() {
        let w = LifecycleFacts {
            job_status: "failed".to_owned(),
            failure_ttl_ms: HOUR,
            deadline: None,
            ..started()
        };
        assert_eq!(next_step(&w, at("25T11:00")), None);
        assert_eq!(next_step(&w, at("25T11:01")), Some(Step::StopFailed));
        let delete = LifecycleFacts {
            transition: "delete".to_owned(),
            ..w
        };
        assert_eq!(next_step(&delete, at("25T12:00")), None);
    }

    #[test]
    fn unused_ones_rest_and_then_go() {
        let idle = LifecycleFacts {
            time_til_dormant_ms: 24 * HOUR,
            ..stopped()
        };
        assert_eq!(next_step(&idle, at("26T09:59")), None);
        assert_eq!(next_step(&idle, at("26T10:00")), Some(Step::Rest));
        let running = LifecycleFacts {
            deadline: None,
            ..started()
        };
        let idle = LifecycleFacts {
            time_til_dormant_ms: 24 * HOUR,
            ..running
        };
        assert_eq!(next_step(&idle, at("26T10:00")), Some(Step::StopToRest));
        let resting = LifecycleFacts {
            dormant_at: Some(at("26T10:00")),
            deleting_at: Some(at("27T10:00")),
            ..stopped()
        };
        assert_eq!(next_step(&resting, at("27T09:59")), None);
        assert_eq!(next_step(&resting, at("27T10:00")), Some(Step::Delete));
        let tried = LifecycleFacts {
            transition: "delete".to_owned(),
            job_status: "failed".to_owned(),
            ended_at: Some(at("27T10:05")),
            ..resting
        };
        assert_eq!(next_step(&tried, at("28T10:04")), None);
        assert_eq!(next_step(&tried, at("28T10:05")), Some(Step::Delete));
    }
}
