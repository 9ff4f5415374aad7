//! Times and durations as people read and type them.

use anyhow::{Result, bail};
use chrono::{DateTime, Local, TimeDelta, Utc};

/// `Nov 25 17:57:44` in local time.
pub fn stamp(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local)
        .format("%b %e %H:%M:%S")
        .to_string()
        .replace("  ", " ")
}

/// Local time as RFC 3339 without fractions.
pub fn rfc3339(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local)
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// `1d3h`, `5m`, `<1m`: at most two units, always positive.
pub fn coarse(duration: TimeDelta) -> String {
    let minutes = duration.num_minutes().abs();
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if duration.is_zero() => "0s".to_owned(),
        (0, 0, 0) => "<1m".to_owned(),
        (0, 0, m) => format!("{m}m"),
        (0, h, 0) => format!("{h}h"),
        (0, h, m) => format!("{h}h{m}m"),
        (d, 0, _) => format!("{d}d"),
        (d, h, _) => format!("{d}d{h}h"),
    }
}

/// `in 3h`, `5m ago`, `now`.
pub fn relative(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let distance = time - now;
    match distance.num_seconds() {
        0 => "now".to_owned(),
        s if s > 0 => format!("in {}", coarse(distance)),
        _ => format!("{} ago", coarse(distance)),
    }
}

/// `12ms`, `1.234s`, `2m3s`: how long something took.
pub fn took(duration: std::time::Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..60_000 => format!("{}.{:03}s", ms / 1000, ms % 1000),
        _ => format!("{}m{}s", ms / 60_000, ms / 1000 % 60),
    }
}

/// Reads durations such as `1h30m`, `90s`, `1.5h`, `30d`, `1y`; a bare number
/// is in `bare`, which is a unit of this list.
pub fn parse_duration(text: &str, bare: Option<&str>) -> Result<TimeDelta> {
    const UNITS: &[(&str, f64)] = &[
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
        ("d", 86_400.0),
        ("y", 31_536_000.0),
    ];
    /// Far beyond any lifetime, and safe to add to any date of this century.
    const MAX_SECONDS: f64 = 200.0 * 31_536_000.0;
    let invalid =
        || anyhow::anyhow!("invalid duration {text:?}: use forms like 8h, 1h30m, 45s or 30d");
    let trimmed = text.trim();
    let (negative, mut rest) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed),
    };
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().map_err(|_| invalid())?;
        rest = &rest[end..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "" if number == 0.0 => "s",
            "" => bare.ok_or_else(invalid)?,
            unit => unit,
        };
        let (_, factor) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(invalid)?;
        seconds += number * factor;
        rest = &rest[end..];
    }
    if seconds > MAX_SECONDS {
        bail!("invalid duration {text:?}: longer than two hundred years");
    }
    let exact = TimeDelta::nanoseconds((seconds * 1e9) as i64);
    Ok(if negative { -exact } else { exact })
}

/// For flags: a duration that may not be negative.
pub fn duration_flag(text: &str) -> Result<std::time::Duration> {
    Ok(parse_duration(text, None)?.to_std()?)
}

/// Go's `0001-01-01T00:00:00Z` stands for "never".
pub fn is_zero(time: DateTime<Utc>) -> bool {
    time.timestamp() <= -62_135_596_800
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_parse() {
        let secs = |t: &str| parse_duration(t, None).unwrap().num_seconds();
        assert_eq!(secs("1h30m"), 5400);
        assert_eq!(secs("1.5h"), 5400);
        assert_eq!(secs("1d12h30m"), 131_400);
        assert_eq!(secs("1y"), 31_536_000);
        assert_eq!(secs("-90s"), -90);
        assert_eq!(secs("0"), 0);
        assert_eq!(
            parse_duration("250ms", None).unwrap().num_milliseconds(),
            250
        );
        assert_eq!(parse_duration("2", Some("m")).unwrap().num_minutes(), 2);
    }

    #[test]
    fn nonsense_durations_are_refused() {
        for text in [
            "",
            "-",
            "5",
            "h",
            "1x",
            "1h2",
            "1..2h",
            "9999999999999y",
            "1e5s",
            "日",
            "h1",
        ] {
            assert!(parse_duration(text, None).is_err(), "{text:?}");
        }
        assert!(duration_flag("-1s").is_err());
    }

    #[test]
    fn distances_read_well() {
        let now = Utc::now();
        assert_eq!(relative(now + TimeDelta::minutes(185), now), "in 3h5m");
        assert_eq!(relative(now - TimeDelta::days(2), now), "2d ago");
        assert_eq!(relative(now - TimeDelta::seconds(5), now), "<1m ago");
        assert_eq!(relative(now, now), "now");
        assert_eq!(coarse(TimeDelta::minutes(24 * 60 + 61)), "1d1h");
    }

    #[test]
    fn zero_time_of_go_is_known() {
        assert!(is_zero("0001-01-01T00:00:00Z".parse().unwrap()));
        assert!(!is_zero("1970-01-01T00:00:00Z".parse().unwrap()));
    }
}
