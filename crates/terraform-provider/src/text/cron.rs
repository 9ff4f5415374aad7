//! Cron expressions in the dialect of robfig/cron, which agents and prebuild schedules follow.

use super::timezone;

/// Bounds of one field and the names that stand for its numbers, counted from the lower bound.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const SECOND: Field = Field {
    name: "second",
    least: 0,
    most: 59,
    names: &[],
};
const MINUTE: Field = Field {
    name: "minute",
    least: 0,
    most: 59,
    names: &[],
};
const HOUR: Field = Field {
    name: "hour",
    least: 0,
    most: 23,
    names: &[],
};
const DAY: Field = Field {
    name: "day of month",
    least: 1,
    most: 31,
    names: &[],
};
const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: MONTHS,
};
const WEEKDAY: Field = Field {
    name: "day of week",
    least: 0,
    most: 6,
    names: WEEKDAYS,
};

const WITH_SECONDS: &[Field] = &[SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY];
const CLASSIC: &[Field] = &[MINUTE, HOUR, DAY, MONTH, WEEKDAY];

/// Checks a script's schedule: seconds first, the day of the week may be left out, `@…` words are allowed.
///
/// # Errors
/// What is wrong with it.
pub fn check_with_seconds(expression: &str) -> Result<(), String> {
    check(expression, WITH_SECONDS, true, true)
}

/// Checks a schedule of the classic form without seconds, where the day of the week may be left out and `@…` words
/// are allowed.
///
/// # Errors
/// What is wrong with it.
pub fn check_classic(expression: &str) -> Result<(), String> {
    check(expression, CLASSIC, true, true)
}

/// Checks a prebuild schedule: exactly the five classic fields.
///
/// # Errors
/// What is wrong with it.
pub fn check_five_fields(expression: &str) -> Result<(), String> {
    check(expression, CLASSIC, false, false)
}

fn check(
    expression: &str,
    fields: &[Field],
    weekday_optional: bool,
    words: bool,
) -> Result<(), String> {
    if expression.is_empty() {
        return Err("the expression is empty".to_owned());
    }
    let mut rest = expression;
    if let Some(zone) = rest
        .strip_prefix("TZ=")
        .or_else(|| rest.strip_prefix("CRON_TZ="))
    {
        let Some((zone, after)) = zone.split_once(' ') else {
            return Err("there is nothing after the time zone".to_owned());
        };
        if !timezone::exists(zone) {
            return Err(format!("time zone {zone:?} is not known"));
        }
        rest = after.trim();
    }
    if rest.starts_with('@') {
        return if words {
            check_word(rest)
        } else {
            Err(format!("words such as {rest} are not accepted here"))
        };
    }
    let parts: Vec<&str> = rest.split_whitespace().collect();
    let least = fields.len() - usize::from(weekday_optional);
    if parts.len() < least || parts.len() > fields.len() {
        let expected = if weekday_optional {
            format!("{least} to {}", fields.len())
        } else {
            least.to_string()
        };
        return Err(format!(
            "expected {expected} fields, found {}: {rest}",
            parts.len()
        ));
    }
    parts
        .iter()
        .zip(fields)
        .try_for_each(|(part, field)| check_field(part, field))
}

fn check_word(word: &str) -> Result<(), String> {
    const WORDS: &[&str] = &[
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
    ];
    if WORDS.contains(&word) {
        return Ok(());
    }
    match word.strip_prefix("@every ") {
        Some(duration) if is_duration(duration) => Ok(()),
        Some(duration) => Err(format!("{duration:?} is not a duration such as 1h30m")),
        None => Err(format!(
            "{word} is not one of {}, @every <duration>",
            WORDS.join(", ")
        )),
    }
}

/// Whether a text is a duration in Go's form: numbers with units, such as `1h30m` or `1.5s`.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let number = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
            .count();
        let digits = &rest[..number];
        if !digits.bytes().any(|byte| byte.is_ascii_digit()) || digits.matches('.').count() > 1 {
            return false;
        }
        let after = &rest[number..];
        let Some(unit) = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"]
            .iter()
            .find(|unit| {
                let unit: &str = unit;
                after
                    .strip_prefix(unit)
                    .is_some_and(|left| !left.starts_with(|c: char| c.is_alphabetic()))
            })
        else {
            return false;
        };
        rest = &after[unit.len()..];
    }
    true
}

fn check_field(text: &str, field: &Field) -> Result<(), String> {
    // Empty parts of a list are skipped, as they always were.
    text.split(',')
        .filter(|part| !part.is_empty())
        .try_for_each(|part| {
            check_range(part, field).map_err(|reason| format!("{} {part:?}: {reason}", field.name))
        })
}

fn check_range(text: &str, field: &Field) -> Result<(), String> {
    let mut halves = text.split('/');
    let range = halves.next().unwrap_or_default();
    let step = halves.next();
    if halves.next().is_some() {
        return Err("there are too many slashes".to_owned());
    }
    let mut ends = range.split('-');
    let first = ends.next().unwrap_or_default();
    let (start, end) = if first == "*" || first == "?" {
        (field.least, field.most)
    } else {
        let start = number(first, field)?;
        let end = match ends.next() {
            Some(end) => number(end, field)?,
            None if step.is_some() => field.most,
            None => start,
        };
        (start, end)
    };
    if ends.next().is_some() && first != "*" && first != "?" {
        return Err("there are too many hyphens".to_owned());
    }
    if let Some(step) = step {
        match step.parse::<u32>() {
            Ok(0) => return Err("the step must be positive".to_owned()),
            Ok(_) => {}
            Err(_) => return Err(format!("the step {step:?} is not a number")),
        }
    }
    if start < field.least || end > field.most {
        return Err(format!(
            "values lie between {} and {}",
            field.least, field.most
        ));
    }
    if start > end {
        return Err("the range begins after its end".to_owned());
    }
    Ok(())
}

fn number(text: &str, field: &Field) -> Result<u32, String> {
    if let Some(index) = field
        .names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text))
    {
        return Ok(field.least + index as u32);
    }
    text.parse()
        .map_err(|_| format!("{text:?} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::{check_classic, check_five_fields, check_with_seconds};

    #[test]
    fn good_expressions_pass() {
        for text in [
            "0 0 22 * * *",
            "0 */5 * * * *",
            "30 0 9 * * 1-5",
            "0 0 0 1 JAN mon-fri",
            "0 0 0 ? * ?",
            "0 5/15 * * * *",
            "0 0 * * *",
            "TZ=UTC 0 0 22 * * *",
            "@daily",
            "@every 1h30m",
            "@every 1.5s",
        ] {
            assert_eq!(check_with_seconds(text), Ok(()), "{text}");
        }
        assert_eq!(check_classic("0 22 * * 0"), Ok(()));
        assert_eq!(check_five_fields("* 9-18 * * 1-5"), Ok(()));
    }

    #[test]
    fn bad_expressions_say_what_is_wrong() {
        for text in [
            "",
            "x",
            "* * *",
            "60 * * * * *",
            "* * * 0 * *",
            "* * * * 13 *",
            "* * * * * 7",
            "0 22 * * 0 0 0",
            "5-1 * * * * *",
            "1-2-3 * * * * *",
            "*/0 * * * * *",
            "1/2/3 * * * * *",
            "TZ=Nowhere/Land 0 0 * * * *",
            "TZ=UTC",
            "@never",
            "@every",
            "@every 5",
            "@every h",
            "99999999999 * * * * *",
            "-1 * * * * *",
            "é * * * * *",
        ] {
            assert!(check_with_seconds(text).is_err(), "{text}");
        }
        assert!(check_five_fields("@daily").is_err());
        assert!(check_five_fields("* * * *").is_err());
    }
}
