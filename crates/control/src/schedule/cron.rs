//! Five-field cron expressions with a time zone: `CRON_TZ=Europe/Berlin 30 9 * * 1-5`.

use chrono::{DateTime, SubsecRound as _, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};

/// Longest expression that is parsed.
const MAX_LENGTH: usize = 512;

/// Why an expression cannot be used; the text says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CronError(String);

/// A parsed expression.
#[derive(Debug, Clone)]
pub struct Cron {
    cron: croner::Cron,
    zone: Tz,
}

impl Cron {
    /// An autostart schedule: a time on days of the week.
    pub fn weekly(text: &str) -> Result<Self, CronError> {
        let (zone, fields) = fields(text)?;
        if fields[2] != "*" || fields[3] != "*" {
            return Err(CronError(
                "a schedule may name days of the week only: its day-of-month and month must be *"
                    .into(),
            ));
        }
        parse(zone, &fields)
    }

    /// Quiet hours: exactly one time of every day.
    pub fn daily(text: &str) -> Result<Self, CronError> {
        let (zone, fields) = fields(text)?;
        if fields[2..].iter().any(|f| *f != "*") {
            return Err(CronError(
                "quiet hours hold every day: day-of-month, month and day-of-week must be *".into(),
            ));
        }
        if fields[..2].iter().any(|f| f.parse::<u8>().is_err()) {
            return Err(CronError(
                "quiet hours must name exactly one hour and minute".into(),
            ));
        }
        parse(zone, &fields)
    }

    /// The first time strictly after `after`; `None` if there is none.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // A fraction of a second would be carried over into the answer, and two who ask at different
        // moments would get different times.
        let local = after.trunc_subsecs(0).with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&local, false).ok()?;
        Some(next.with_timezone(&Utc))
    }

    /// The zone in which the expression is read.
    pub fn zone(&self) -> Tz {
        self.zone
    }
}

fn fields(text: &str) -> Result<(Tz, Vec<&str>), CronError> {
    if text.len() > MAX_LENGTH {
        return Err(CronError(format!(
            "a schedule may be {MAX_LENGTH} characters long at most"
        )));
    }
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let mut zone = Tz::UTC;
    if let Some(name) = words
        .first()
        .and_then(|w| w.strip_prefix("CRON_TZ=").or(w.strip_prefix("TZ=")))
    {
        zone = name.parse().map_err(|_| {
            CronError(format!(
                "unknown time zone {name:?}: use an IANA name such as Europe/Berlin"
            ))
        })?;
        words.remove(0);
    }
    if words.len() != 5 {
        return Err(CronError(
            "expected schedule to consist of 5 fields with an optional CRON_TZ=<timezone> prefix"
                .into(),
        ));
    }
    Ok((zone, words))
}

fn parse(zone: Tz, fields: &[&str]) -> Result<Cron, CronError> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    let cron = parser
        .parse(&fields.join(" "))
        .map_err(|e| CronError(e.to_string()))?;
    Ok(Cron { cron, zone })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_a_whole_minute_whenever_it_is_asked_for() {
        let cron = Cron::weekly("30 9 * * *").unwrap();
        for (after, next) in [
            ("2026-11-27T04:34:19.950Z", "2026-11-27T09:30:00Z"),
            ("2026-11-27T09:29:59.999999Z", "2026-11-27T09:30:00Z"),
            ("2026-11-27T09:30:00.000001Z", "2026-11-28T09:30:00Z"),
        ] {
            assert_eq!(cron.next(at(after)), Some(at(next)), "{after}");
        }
    }

    #[test]
    fn next_is_in_the_zone_of_the_schedule() {
        let cron = Cron::weekly("CRON_TZ=Europe/Berlin 30 9 * * 1-5").unwrap();
        // 2026-11-27 is a Friday; Berlin is one hour ahead of UTC in winter.
        assert_eq!(
            cron.next(at("2026-11-27T08:30:00Z")),
            Some(at("2026-11-30T08:30:00Z"))
        );
        assert_eq!(
            cron.next(at("2026-11-27T08:29:59Z")),
            Some(at("2026-11-27T08:30:00Z"))
        );
    }

    #[test]
    fn refuses_what_is_not_weekly() {
        for bad in [
            "",
            "* * * *",
            "0 0 0 1 1 *",
            "30 9 1 * *",
            "30 9 * 2 *",
            "61 9 * * *",
            "CRON_TZ=Nowhere/City 30 9 * * *",
            "CRON_TZ=Local 30 9 * * *",
            "@daily",
        ] {
            assert!(Cron::weekly(bad).is_err(), "{bad}");
        }
        assert!(Cron::weekly(&"1 ".repeat(4000)).is_err());
    }

    #[test]
    fn quiet_hours_are_one_time_of_day() {
        assert!(Cron::daily("CRON_TZ=UTC 0 0 * * *").is_ok());
        for bad in ["0 0 * * 1", "0 1,2 * * *", "*/5 1 * * *"] {
            assert!(Cron::daily(bad).is_err(), "{bad}");
        }
    }
}
