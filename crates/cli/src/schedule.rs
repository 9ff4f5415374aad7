//! Schedules as people type them: `9:30AM Mon-Fri Europe/Dublin`, and the
//! weekly cron text that the API keeps.

use anyhow::{Result, bail};
use chrono_tz::Tz;

use crate::failure::Advice;

/// Turns `<time> [days] [location]` into `CRON_TZ=… m h * * days`.
pub fn parse(parts: &[String]) -> Result<String> {
    let words: Vec<&str> = parts.iter().flat_map(|p| p.split_whitespace()).collect();
    let (time, rest) = words.split_first().ok_or_else(malformed)?;
    let (hour, minute) = parse_time(time)?;
    let (days, zone) = match rest {
        [] => ("*", local_zone()),
        [one] => match location(one) {
            Ok(zone) => ("*", zone),
            Err(_) => (*one, local_zone()),
        },
        [days, zone] => (*days, location(zone)?),
        _ => return Err(malformed()),
    };
    check_days(days)?;
    Ok(format!("CRON_TZ={zone} {minute} {hour} * * {days}"))
}

fn malformed() -> anyhow::Error {
    Advice::error(
        "a schedule is a time, then perhaps days and a location",
        "For example: 9:30AM Mon-Fri Europe/Dublin.",
    )
}

/// Reads `9AM`, `9:30am`, `09:30`, `21:05`.
fn parse_time(text: &str) -> Result<(u32, u32)> {
    let invalid = || {
        Advice::error(
            format!("invalid time {text:?}"),
            "Give hh:mm[am|pm] or HH:MM.",
        )
    };
    let lower = text.to_ascii_lowercase();
    let (clock, half) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(clock), _) => (clock, Some(0)),
        (_, Some(clock)) => (clock, Some(12)),
        _ => (lower.as_str(), None),
    };
    let (hour, minute) = match clock.split_once(':') {
        Some((h, m)) if m.len() == 2 => (h, m),
        None if half.is_some() => (clock, "0"),
        _ => return Err(invalid()),
    };
    let number = |t: &str| {
        Some(t)
            .filter(|t| !t.is_empty() && t.len() <= 2 && t.bytes().all(|b| b.is_ascii_digit()))?
            .parse::<u32>()
            .ok()
    };
    let (hour, minute) = number(hour).zip(number(minute)).ok_or_else(invalid)?;
    let hour = match half {
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        None if hour < 24 => hour,
        _ => return Err(invalid()),
    };
    if minute < 60 {
        Ok((hour, minute))
    } else {
        Err(invalid())
    }
}

/// Reads the name of a location; abbreviations such as `CST` are ambiguous.
fn location(text: &str) -> Result<Tz> {
    if text.len() <= 5 && text != "UTC" && text.chars().all(|c| c.is_ascii_uppercase()) {
        return Err(Advice::error(
            format!("{text:?} looks like a time zone, which does not say where summer time holds"),
            "Give a location, such as America/Chicago.",
        ));
    }
    text.parse().map_err(|_| {
        Advice::error(
            format!("unknown location {text:?}"),
            "Give a name of the IANA database, such as America/Chicago.",
        )
    })
}

/// Days of the week in cron form: `*`, `1,3,5`, `Mon-Fri`.
fn check_days(text: &str) -> Result<()> {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let day = |t: &str| {
        NAMES.contains(&t.to_ascii_lowercase().as_str())
            || matches!(t, "0" | "1" | "2" | "3" | "4" | "5" | "6")
    };
    let item = |t: &str| {
        t.split_once('-')
            .map_or_else(|| day(t), |(a, b)| day(a) && day(b))
    };
    if text == "*" || text.split(',').all(item) {
        return Ok(());
    }
    bail!("invalid days {text:?}: use forms like Mon-Fri or 1,3,5")
}

/// Where this machine is: `TZ`, else the system's setting, else UTC.
fn local_zone() -> Tz {
    let named = std::env::var("TZ")
        .ok()
        .or_else(|| iana_time_zone::get_timezone().ok());
    named
        .and_then(|name| name.trim_start_matches(':').parse().ok())
        .unwrap_or(Tz::UTC)
}

/// The schedule for people: `9:30AM Mon-Fri (Europe/Dublin)`.
pub fn display(cron: &str) -> String {
    let (zone, fields) = match cron
        .strip_prefix("CRON_TZ=")
        .and_then(|rest| rest.split_once(' '))
    {
        Some((zone, fields)) => (zone, fields),
        None => ("UTC", cron),
    };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let [minute, hour, _, _, days] = fields[..] else {
        return cron.to_owned();
    };
    let (Ok(minute), Ok(hour)) = (minute.parse::<u32>(), hour.parse::<u32>()) else {
        return cron.to_owned();
    };
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    let days = match days {
        "*" => "daily".to_owned(),
        days => days
            .split(',')
            .map(|item| item.split('-').map(day_name).collect::<Vec<_>>().join("-"))
            .collect::<Vec<_>>()
            .join(","),
    };
    format!("{hour}:{minute:02}{half} {days} ({zone})")
}

fn day_name(day: &str) -> String {
    const NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    match day.parse::<usize>().ok().and_then(|n| NAMES.get(n)) {
        Some(name) => (*name).to_owned(),
        None => day.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String> {
        parse(&[text.to_owned()])
    }

    #[test]
    fn schedules_parse() {
        for (text, cron) in [
            (
                "9:30AM Mon-Fri Europe/Dublin",
                "CRON_TZ=Europe/Dublin 30 9 * * Mon-Fri",
            ),
            ("12am 1,3,5 UTC", "CRON_TZ=UTC 0 0 * * 1,3,5"),
            (
                "12:15pm * America/Chicago",
                "CRON_TZ=America/Chicago 15 12 * * *",
            ),
            ("21:05 Asia/Tokyo", "CRON_TZ=Asia/Tokyo 5 21 * * *"),
        ] {
            assert_eq!(parsed(text).unwrap(), cron);
        }
        let words = ["9AM".to_owned(), "Sun".to_owned(), "UTC".to_owned()];
        assert_eq!(parse(&words).unwrap(), "CRON_TZ=UTC 0 9 * * Sun");
    }

    #[test]
    fn bad_schedules_are_refused() {
        for text in [
            "",
            "9",
            "25:00",
            "9:60AM",
            "13pm",
            "0am",
            "9:3AM",
            "9AM Mon-Fri CST",
            "9AM Noday UTC",
            "9AM Mon UTC more",
            "9AM * Mars/Base",
            "-9:30",
            "9:30AM Mon;Fri UTC",
            "9:00:00",
            "99999999999999:00",
        ] {
            assert!(parsed(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn schedules_read_well() {
        assert_eq!(
            display("CRON_TZ=Europe/Dublin 30 9 * * 1-5"),
            "9:30AM Mon-Fri (Europe/Dublin)"
        );
        assert_eq!(display("0 0 * * *"), "12:00AM daily (UTC)");
        assert_eq!(display("nonsense"), "nonsense");
    }
}
