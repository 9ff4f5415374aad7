//! Dates. The present is unknown until a run, as it is to Terraform when it plans.

use chrono::{DateTime, Duration, FixedOffset, SecondsFormat};

use super::{Args, Result, Value};

pub(super) fn call(args: &Args<'_>) -> Option<Result> {
    Some(match args.name {
        "timestamp" | "plantimestamp" | "uuid" | "bcrypt" => Ok(Value::Unknown),
        "timeadd" => parse(args, 0).and_then(|at| {
            let sum = at
                .checked_add_signed(duration(args)?)
                .ok_or_else(|| args.error("the date is out of range"))?;
            Ok(Value::text(sum.to_rfc3339_opts(SecondsFormat::Secs, true)))
        }),
        "timecmp" => parse(args, 0).and_then(|a| {
            let order = a.cmp(&parse(args, 1)?);
            Ok(Value::Number(f64::from(order as i8)))
        }),
        "formatdate" => {
            parse(args, 1).and_then(|at| Ok(Value::String(format(&args.text(0)?, &at))))
        }
        _ => return None,
    })
}

fn parse(args: &Args<'_>, n: usize) -> Result<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(&args.text(n)?).map_err(|e| args.error(e))
}

/// A duration as Go writes it: `1h30m`.
fn duration(args: &Args<'_>) -> Result<Duration> {
    let text = args.text(1)?;
    let bad = || args.error(format!("{text:?} is not a duration"));
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.as_str()),
    };
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(bad)?;
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        let unit = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(&rest[digits..], |n| &rest[digits..digits + n]);
        seconds += number
            * match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                _ => return Err(bad()),
            };
        rest = &rest[digits + unit.len()..];
    }
    let milliseconds = (seconds * 1000.0) as i64;
    Ok(Duration::milliseconds(if negative {
        -milliseconds
    } else {
        milliseconds
    }))
}

/// Terraform's own date patterns.
fn format(pattern: &str, at: &DateTime<FixedOffset>) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            for quoted in chars.by_ref() {
                if quoted == '\'' {
                    break;
                }
                out.push(quoted);
            }
            continue;
        }
        let mut word = c.to_string();
        while let Some(same) = chars.next_if(|next| *next == c && c.is_ascii_alphabetic()) {
            word.push(same);
        }
        let code = match word.as_str() {
            "YYYY" => "%Y",
            "YY" => "%y",
            "MMMM" => "%B",
            "MMM" => "%b",
            "MM" => "%m",
            "M" => "%-m",
            "DD" => "%d",
            "D" => "%-d",
            "EEEE" => "%A",
            "EEE" => "%a",
            "hh" => "%H",
            "h" => "%-H",
            "HH" => "%I",
            "H" => "%-I",
            "AA" => "%p",
            "aa" => "%P",
            "mm" => "%M",
            "m" => "%-M",
            "ss" => "%S",
            "s" => "%-S",
            "ZZZZ" => "%z",
            "Z" if at.offset().local_minus_utc() == 0 => "Z",
            "Z" | "ZZZZZ" => "%:z",
            other => {
                out.push_str(other);
                continue;
            }
        };
        out.push_str(&at.format(code).to_string());
    }
    out
}
