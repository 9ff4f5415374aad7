//! Schedules of scripts: second, minute, hour, day, month and, optionally,
//! weekday. A line of five fields lacks the weekday, not the seconds.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeZone};
use croner::Cron;
use croner::parser::{CronParser, Seconds};

/// A schedule that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{line:?} is no schedule of \"second minute hour day month [weekday]\": {reason}")]
pub struct BadSchedule {
    line: String,
    reason: String,
}

/// When a script runs.
#[derive(Debug)]
pub enum Schedule {
    /// At these times.
    Times(Box<Cron>),
    /// After each such pause.
    Every(Duration),
}

impl Schedule {
    /// Reads a schedule. Knows `@hourly` and its kind, and `@every 1h30m`.
    pub fn parse(line: &str) -> Result<Self, BadSchedule> {
        let bad = |reason: String| BadSchedule {
            line: line.to_owned(),
            reason,
        };
        let trimmed = line.trim();
        if let Some(pause) = trimmed.strip_prefix("@every ") {
            return pause_of(pause.trim())
                .filter(|pause| !pause.is_zero())
                .map(Self::Every)
                .ok_or_else(|| bad("not a duration such as 1h30m".into()));
        }
        let fields = match trimmed {
            "@yearly" | "@annually" => "0 0 0 1 1 *".to_owned(),
            "@monthly" => "0 0 0 1 * *".to_owned(),
            "@weekly" => "0 0 0 * * 0".to_owned(),
            "@daily" | "@midnight" => "0 0 0 * * *".to_owned(),
            "@hourly" => "0 0 * * * *".to_owned(),
            fields if fields.split_whitespace().count() == 5 => format!("{fields} *"),
            fields => fields.to_owned(),
        };
        let parser = CronParser::builder().seconds(Seconds::Required).build();
        let cron = parser
            .parse(&fields)
            .map_err(|error| bad(error.to_string()))?;
        Ok(Self::Times(Box::new(cron)))
    }

    /// How long from `now` to the next run; `None` if there is none.
    pub fn until_next<Z: TimeZone>(&self, now: DateTime<Z>) -> Option<Duration> {
        match self {
            Self::Every(pause) => Some(*pause),
            Self::Times(cron) => {
                // A fraction of a second would be carried over into the answer.
                let whole = now.clone().trunc_subsecs(0);
                let next = cron.find_next_occurrence(&whole, false).ok()?;
                (next - now).to_std().ok()
            }
        }
    }
}

/// A duration such as `1h30m` or `90s`.
fn pause_of(text: &str) -> Option<Duration> {
    let mut total = 0u64;
    let mut number = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' => number.push(c),
            'h' | 'm' | 's' => {
                let factor = match c {
                    'h' => 3600,
                    'm' => 60,
                    _ => 1,
                };
                let value = std::mem::take(&mut number).parse::<u64>().ok()?;
                total = total.checked_add(value.checked_mul(factor)?)?;
            }
            _ => return None,
        }
    }
    number.is_empty().then_some(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(line: &str) -> Option<u64> {
        let now = chrono::Utc
            .with_ymd_and_hms(2026, 11, 25, 12, 0, 30)
            .unwrap();
        Schedule::parse(line)
            .ok()?
            .until_next(now)
            .map(|d| d.as_secs())
    }

    #[test]
    fn five_fields_lack_the_weekday() {
        assert_eq!(seconds("0 * * * *"), Some(30), "each full minute");
        assert_eq!(seconds("45 * * * * *"), Some(15));
        assert_eq!(seconds("0 0 13 * * *"), Some(3570));
    }

    #[test]
    fn names_and_pauses_are_known() {
        assert_eq!(seconds("@hourly"), Some(3570));
        assert_eq!(seconds("@every 1m30s"), Some(90));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "",
            "* * *",
            "99 * * * * *",
            "@every",
            "@every 5",
            "@every 0s",
            "a b c d e f",
        ] {
            assert!(Schedule::parse(line).is_err(), "{line:?}");
        }
    }
}
