//! When a workspace that has just been built must stop.

use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;

use super::Cron;

/// Weeks are counted from this Monday when a template asks for stops every n weeks.
const EPOCH: NaiveDate = match NaiveDate::from_ymd_opt(2023, 1, 2) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// A required stop is never sooner than this after the build.
const MIN_NOTICE: Duration = Duration::hours(2);

/// Quiet hours shortly before midnight still belong to the day they lead into.
const DAY_SLACK: Duration = Duration::minutes(15);

/// On which days a template wants its workspaces stopped.
#[derive(Debug, Clone, Copy)]
pub struct AutostopRequirement {
    /// Bit 0 is Monday; none means no requirement.
    pub days: i16,
    /// Every how many weeks; 0 counts as 1.
    pub weeks: i64,
}

/// What decides about the deadlines of a build.
#[derive(Debug, Clone)]
pub struct Autostop<'a> {
    /// Time to live of the workspace, if it has one.
    pub ttl: Option<Duration>,
    /// The workspace's autostart, if it has one and may start by itself.
    pub autostart: Option<&'a Cron>,
    /// What the template requires.
    pub requirement: AutostopRequirement,
    /// The owner's quiet hours.
    pub quiet_hours: Option<&'a Cron>,
}

/// When a workspace stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deadlines {
    /// The next stop; may be moved up to `max_deadline`.
    pub deadline: Option<DateTime<Utc>>,
    /// The latest stop that the template allows.
    pub max_deadline: Option<DateTime<Utc>>,
}

/// The deadlines of a start that completed at `now`.
pub fn deadlines(rules: &Autostop<'_>, now: DateTime<Utc>) -> Deadlines {
    let mut deadline = None;
    if let Some(ttl) = rules.ttl.filter(|t| *t > Duration::zero()) {
        let mut at = now + ttl;
        // A workspace that would start again before it stopped keeps running through.
        if let Some(next) = rules
            .autostart
            .and_then(|a| a.next(now))
            .filter(|next| *next < at)
        {
            at = next + ttl;
        }
        deadline = Some(at);
    }
    let max_deadline = rules
        .quiet_hours
        .filter(|_| rules.requirement.days != 0)
        .and_then(|quiet| required_stop(quiet, rules.requirement, now));
    if let Some(max) = max_deadline
        && deadline.is_none_or(|d| d > max)
    {
        deadline = Some(max);
    }
    Deadlines {
        deadline,
        max_deadline,
    }
}

fn required_stop(
    quiet: &Cron,
    requirement: AutostopRequirement,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let zone = quiet.zone();
    let soonest = now + MIN_NOTICE;
    let mut day = soonest.with_timezone(&zone).date_naive();
    let weeks = requirement.weeks.clamp(1, 16);
    let week = (day - EPOCH).num_days().div_euclid(7);
    let behind = week.rem_euclid(weeks);
    if behind != 0 {
        day = EPOCH.checked_add_days(Days::new(((week + weeks - behind) * 7).unsigned_abs()))?;
    }
    if quiet.next(midnight(zone, day)? - DAY_SLACK)? < soonest {
        day = day.succ_opt()?;
    }
    for _ in 0..7 {
        if requirement.days & (1 << day.weekday().num_days_from_monday()) != 0 {
            break;
        }
        day = day.succ_opt()?;
    }
    let start = midnight(zone, day)?;
    let from = if start < now + Duration::hours(1) {
        now + Duration::hours(1)
    } else {
        start - DAY_SLACK
    };
    quiet.next(from)
}

/// The first moment of a day; where clocks skip midnight, the first that exists.
fn midnight(zone: Tz, day: NaiveDate) -> Option<DateTime<Utc>> {
    (0..4).find_map(|hour| {
        let naive = day.and_hms_opt(hour, 0, 0)?;
        Some(
            zone.from_local_datetime(&naive)
                .earliest()?
                .with_timezone(&Utc),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: AutostopRequirement = AutostopRequirement { days: 0, weeks: 1 };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn rules() -> Autostop<'static> {
        Autostop {
            ttl: None,
            autostart: None,
            requirement: NONE,
            quiet_hours: None,
        }
    }

    #[test]
    fn without_ttl_nothing_is_due() {
        assert_eq!(
            deadlines(&rules(), at("2026-11-25T10:00:00Z")),
            Deadlines::default()
        );
    }

    #[test]
    fn ttl_counts_from_completion() {
        let r = Autostop {
            ttl: Some(Duration::hours(8)),
            ..rules()
        };
        let d = deadlines(&r, at("2026-11-25T10:00:00Z"));
        assert_eq!(d.deadline, Some(at("2026-11-25T18:00:00Z")));
        assert_eq!(d.max_deadline, None);
    }

    #[test]
    fn an_autostart_within_the_ttl_restarts_it() {
        let cron = Cron::weekly("0 9 * * *").unwrap();
        let r = Autostop {
            ttl: Some(Duration::hours(8)),
            autostart: Some(&cron),
            ..rules()
        };
        let d = deadlines(&r, at("2026-11-25T05:00:00Z"));
        assert_eq!(d.deadline, Some(at("2026-11-25T17:00:00Z")));
    }

    #[test]
    fn a_required_stop_caps_the_deadline() {
        let quiet = Cron::daily("CRON_TZ=UTC 0 0 * * *").unwrap();
        // Saturdays only; 2026-11-25 is a Wednesday.
        let requirement = AutostopRequirement {
            days: 1 << 5,
            weeks: 1,
        };
        let r = Autostop {
            ttl: Some(Duration::days(20)),
            requirement,
            quiet_hours: Some(&quiet),
            ..rules()
        };
        let d = deadlines(&r, at("2026-11-25T10:00:00Z"));
        assert_eq!(d.max_deadline, Some(at("2026-11-28T00:00:00Z")));
        assert_eq!(d.deadline, d.max_deadline);
    }

    #[test]
    fn every_second_week_skips_the_odd_one() {
        let quiet = Cron::daily("CRON_TZ=UTC 0 0 * * *").unwrap();
        let requirement = AutostopRequirement {
            days: 1 << 5,
            weeks: 2,
        };
        let r = Autostop {
            requirement,
            quiet_hours: Some(&quiet),
            ..rules()
        };
        // Week 203 since the epoch is odd: the Saturday of the week after it is taken.
        let d = deadlines(&r, at("2026-11-25T10:00:00Z"));
        assert_eq!(d.max_deadline, Some(at("2026-12-05T00:00:00Z")));
    }

    #[test]
    fn never_sooner_than_the_notice() {
        let quiet = Cron::daily("CRON_TZ=UTC 0 0 * * *").unwrap();
        let r = Autostop {
            requirement: AutostopRequirement {
                days: super::super::ALL_DAYS,
                weeks: 1,
            },
            quiet_hours: Some(&quiet),
            ..rules()
        };
        let now = at("2026-11-25T23:30:00Z");
        let max = deadlines(&r, now).max_deadline.unwrap();
        assert!(max >= now + MIN_NOTICE, "{max}");
    }
}
