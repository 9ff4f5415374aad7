//! How far use moves a deadline.

use chrono::{DateTime, TimeDelta, Utc};
use store::workspaces::BumpFacts;

use crate::workspaces::next_start;

/// The deadline after use at `now`, if it is to be moved. Less than a twentieth of the interval is
/// not worth a write, and a deadline is never moved to be sooner.
pub(super) fn bumped(of: &BumpFacts, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut interval = TimeDelta::try_milliseconds(of.activity_bump_ms)?;
    let start = of.autostart_schedule.as_deref();
    if let Some(next) = start.and_then(|text| next_start(text, of.autostart_block_days, now))
        && next < now.checked_add_signed(interval)?
    {
        // As if it had stopped before, and started by itself.
        interval = (next - now).checked_add(&TimeDelta::try_milliseconds(of.ttl_ms)?)?;
    }
    let settled = of.deadline.checked_sub_signed(interval / 20 * 19)?;
    if interval <= TimeDelta::zero() || settled >= now {
        return None;
    }
    let wanted = of.deadline.max(now.checked_add_signed(interval)?);
    let wanted = of.max_deadline.map_or(wanted, |max| wanted.min(max));
    Some(wanted).filter(|deadline| *deadline > of.deadline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    fn facts(deadline: &str) -> BumpFacts {
        BumpFacts {
            workspace_id: Uuid::nil(),
            build_id: Uuid::nil(),
            held: true,
            deadline: at(deadline),
            max_deadline: None,
            activity_bump_ms: 3_600_000,
            ttl_ms: 8 * 3_600_000,
            autostart_schedule: None,
            autostart_block_days: 0,
        }
    }

    #[test]
    fn an_hour_from_now_if_that_is_later() {
        let now = at("25T10:00");
        assert_eq!(bumped(&facts("25T10:30"), now), Some(at("25T11:00")));
        // Nearly an hour is left already.
        assert_eq!(bumped(&facts("25T10:58"), now), None);
        assert_eq!(bumped(&facts("25T18:00"), now), None);
        let never = BumpFacts {
            activity_bump_ms: 0,
            ..facts("25T10:30")
        };
        assert_eq!(bumped(&never, now), None);
        let huge = BumpFacts {
            activity_bump_ms: i64::MAX,
            ..facts("25T10:30")
        };
        assert_eq!(bumped(&huge, now), None);
    }

    #[test]
    fn never_beyond_what_the_template_allows_nor_back() {
        let now = at("25T10:00");
        let mut it = facts("25T10:30");
        it.max_deadline = Some(at("25T10:40"));
        assert_eq!(bumped(&it, now), Some(at("25T10:40")));
        it.max_deadline = Some(at("25T10:20"));
        assert_eq!(bumped(&it, now), None);
    }

    #[test]
    fn over_an_automatic_start_it_lasts_as_if_it_had_started_then() {
        let mut it = facts("25T08:50");
        it.autostart_schedule = Some("CRON_TZ=UTC 0 9 * * *".to_owned());
        // The start at nine is within the hour: nine and eight hours.
        assert_eq!(bumped(&it, at("25T08:30")), Some(at("25T17:00")));
        // It is not: an hour.
        assert_eq!(bumped(&it, at("25T07:55")), Some(at("25T08:55")));
        it.ttl_ms = i64::MAX;
        assert_eq!(bumped(&it, at("25T08:30")), None);
    }
}
