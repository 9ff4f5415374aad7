//! Functions on text.

use regex::Regex;

use super::{Args, EvalError, Result, Value};
use crate::eval::convert;

/// Compiled size of an expression, against patterns made to exhaust memory.
const MAX_REGEX: usize = 1 << 20;
/// Bytes that a function that multiplies text may make.
const MAX_TEXT: usize = 4 << 20;

pub(super) fn call(args: &Args<'_>) -> Option<Result> {
    Some(match args.name {
        "lower" => args.text(0).map(|s| Value::text(s.to_lowercase())),
        "upper" => args.text(0).map(|s| Value::text(s.to_uppercase())),
        "title" => args.text(0).map(|s| Value::text(title(&s))),
        "trimspace" => args.text(0).map(|s| Value::text(s.trim())),
        "chomp" => args
            .text(0)
            .map(|s| Value::text(s.trim_end_matches(['\n', '\r']))),
        "strrev" => args
            .text(0)
            .map(|s| Value::text(s.chars().rev().collect::<String>())),
        "trim" => two(args, |s, cut| {
            Value::text(s.trim_matches(|c| cut.contains(c)))
        }),
        "trimprefix" => two(args, |s, p| Value::text(s.strip_prefix(p).unwrap_or(s))),
        "trimsuffix" => two(args, |s, p| Value::text(s.strip_suffix(p).unwrap_or(s))),
        "startswith" => two(args, |s, p| Value::Bool(s.starts_with(p))),
        "endswith" => two(args, |s, p| Value::Bool(s.ends_with(p))),
        "strcontains" => two(args, |s, p| Value::Bool(s.contains(p))),
        "split" => two(args, |separator, s| Value::List(split(separator, s))),
        "join" => join(args),
        "replace" => replace(args),
        "regex" => regex(args),
        "regexall" => regex_all(args),
        "substr" => substr(args),
        "format" => format(args, &args.values).map(Value::String),
        "formatlist" => format_list(args),
        "indent" => indent(args),
        _ => return None,
    })
}

fn two(args: &Args<'_>, f: impl Fn(&str, &str) -> Value) -> Result {
    Ok(f(&args.text(0)?, &args.text(1)?))
}

fn title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .flat_map(|c| {
            let upper = start && c.is_alphabetic();
            start = c.is_whitespace();
            if upper {
                c.to_uppercase().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

fn split(separator: &str, text: &str) -> Vec<Value> {
    if separator.is_empty() {
        return text.chars().map(Value::text).collect();
    }
    text.split(separator).map(Value::text).collect()
}

fn join(args: &Args<'_>) -> Result {
    let separator = args.text(0)?;
    let mut out = String::new();
    let mut first = true;
    for n in 1..args.values.len().max(2) {
        for item in args.items(n)? {
            let part = convert::text(&item)?.unwrap_or_default();
            let between = if first { "" } else { separator.as_str() };
            fits(args, out.len() + between.len() + part.len())?;
            out.push_str(between);
            out.push_str(&part);
            first = false;
        }
    }
    Ok(Value::String(out))
}

fn compile(args: &Args<'_>, pattern: &str) -> Result<Regex> {
    regex::RegexBuilder::new(pattern)
        .size_limit(MAX_REGEX)
        .build()
        .map_err(|e| args.error(e))
}

fn replace(args: &Args<'_>) -> Result {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    let pattern = from.strip_prefix('/').and_then(|p| p.strip_suffix('/'));
    // `/` alone has no second slash and is plain text.
    if let Some(pattern) = pattern.filter(|_| from.len() > 1) {
        return replace_matches(args, &compile(args, pattern)?, &text, &to);
    }
    let count = text.matches(&from).count();
    let kept = text.len() - count * from.len();
    fits(args, kept.saturating_add(count.saturating_mul(to.len())))?;
    Ok(Value::String(text.replace(&from, &to)))
}

fn replace_matches(args: &Args<'_>, regex: &Regex, text: &str, to: &str) -> Result {
    let references = to.matches('$').count();
    let mut out = String::new();
    let mut end = 0;
    for found in regex.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&text[end..whole.start()]);
        // No group is longer than the whole match.
        let most = to.len() + references.saturating_mul(whole.len());
        fits(args, out.len().saturating_add(most))?;
        found.expand(to, &mut out);
        end = whole.end();
    }
    out.push_str(&text[end..]);
    fits(args, out.len())?;
    Ok(Value::String(out))
}

/// Refuses a result of so many bytes before it is made, if they are too many.
fn fits(args: &Args<'_>, bytes: usize) -> Result<()> {
    if bytes > MAX_TEXT {
        return Err(args.error("the result is too long"));
    }
    Ok(())
}

/// What one match gives: the text, a list of groups, or an object of named groups.
fn groups(regex: &Regex, found: &regex::Captures<'_>) -> Value {
    let group = |m: Option<regex::Match<'_>>| m.map_or(Value::Null, |m| Value::text(m.as_str()));
    let names: Vec<&str> = regex.capture_names().flatten().collect();
    if !names.is_empty() {
        return Value::Map(
            names
                .iter()
                .map(|n| ((*n).to_owned(), group(found.name(n))))
                .collect(),
        );
    }
    if found.len() > 1 {
        return Value::List((1..found.len()).map(|n| group(found.get(n))).collect());
    }
    group(found.get(0))
}

fn regex(args: &Args<'_>) -> Result {
    let regex = compile(args, &args.text(0)?)?;
    let text = args.text(1)?;
    match regex.captures(&text) {
        Some(found) => Ok(groups(&regex, &found)),
        None => Err(args.error("the pattern does not match")),
    }
}

fn regex_all(args: &Args<'_>) -> Result {
    let regex = compile(args, &args.text(0)?)?;
    let text = args.text(1)?;
    let all = regex
        .captures_iter(&text)
        .map(|found| groups(&regex, &found));
    Ok(Value::List(all.collect()))
}

fn substr(args: &Args<'_>) -> Result {
    let text: Vec<char> = args.text(0)?.chars().collect();
    let (offset, length) = (args.number(1)? as i64, args.number(2)? as i64);
    let count = text.len() as i64;
    let start = if offset < 0 { count + offset } else { offset }.clamp(0, count);
    let end = if length < 0 {
        count
    } else {
        start.saturating_add(length).min(count)
    };
    Ok(Value::text(
        text[start as usize..end as usize]
            .iter()
            .collect::<String>(),
    ))
}

fn indent(args: &Args<'_>) -> Result {
    let spaces = " ".repeat((args.number(0)?.max(0.0) as usize).min(1000));
    let text = args.text(1)?;
    let lines = text.matches('\n').count();
    fits(args, text.len() + lines * spaces.len())?;
    Ok(Value::text(text.replace('\n', &format!("\n{spaces}"))))
}

fn format(args: &Args<'_>, values: &[Value]) -> Result<String> {
    let pattern = match values.first() {
        Some(first) => convert::text(first)?.unwrap_or_default(),
        None => return Err(args.error("a pattern is needed")),
    };
    let mut rest = values[1..].iter();
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = String::new();
        while let Some(f) = chars.next_if(|c| "+-# 0123456789.".contains(*c)) {
            flags.push(f);
        }
        let verb = chars
            .next()
            .ok_or_else(|| args.error("the pattern ends in '%'"))?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let value = rest
            .next()
            .ok_or_else(|| args.error("there are too few values"))?;
        out.push_str(&verb_text(args, verb, &flags, value)?);
        fits(args, out.len())?;
    }
    if rest.next().is_some() {
        return Err(args.error("there are too many values"));
    }
    Ok(out)
}

fn verb_text(args: &Args<'_>, verb: char, flags: &str, value: &Value) -> Result<String> {
    let number = || {
        convert::number(value)?.ok_or_else(|| EvalError::new("an unknown value was not expected"))
    };
    let (width, precision) = match flags
        .trim_start_matches(['+', '-', '#', ' '])
        .split_once('.')
    {
        Some((w, p)) => (w.to_owned(), p.parse::<usize>().ok()),
        None => (
            flags.trim_start_matches(['+', '-', '#', ' ']).to_owned(),
            None,
        ),
    };
    let text = match verb {
        's' => match (convert::text(value), value) {
            (Ok(Some(text)), _) => text,
            _ => value.to_json().to_string(),
        },
        'v' => match value {
            Value::List(_) | Value::Set(_) | Value::Map(_) | Value::Null => {
                value.to_json().to_string()
            }
            other => convert::text(other)?.unwrap_or_default(),
        },
        'q' => Value::text(convert::text(value)?.unwrap_or_default())
            .to_json()
            .to_string(),
        'd' => format!("{}", number()?.trunc() as i64),
        'f' => format!("{:.*}", precision.unwrap_or(6).min(100), number()?),
        'g' | 'e' => crate::eval::value::number_text(number()?),
        'x' => format!("{:x}", number()? as i64),
        'X' => format!("{:X}", number()? as i64),
        'o' => format!("{:o}", number()? as i64),
        'b' => format!("{:b}", number()? as i64),
        't' => convert::bool(value)?.unwrap_or_default().to_string(),
        other => return Err(args.error(format!("the verb %{other} is not known"))),
    };
    let zero = width.starts_with('0');
    let width = width.parse::<usize>().unwrap_or(0).min(10_000);
    let missing = width.saturating_sub(text.chars().count());
    Ok(if missing == 0 {
        text
    } else if flags.contains('-') {
        text + &" ".repeat(missing)
    } else if zero {
        match text.strip_prefix('-') {
            Some(digits) => format!("-{}{digits}", "0".repeat(missing)),
            None => "0".repeat(missing) + &text,
        }
    } else {
        " ".repeat(missing) + &text
    })
}

fn format_list(args: &Args<'_>) -> Result {
    let lengths = args.values.iter().filter_map(|v| match v {
        Value::List(items) | Value::Set(items) => Some(items.len()),
        _ => None,
    });
    let count = lengths.max().unwrap_or(1);
    let mut out = Vec::new();
    for n in 0..count {
        let row: Vec<Value> = args
            .values
            .iter()
            .map(|v| match v {
                Value::List(items) | Value::Set(items) => items.get(n).cloned(),
                other => Some(other.clone()),
            })
            .collect::<Option<_>>()
            .ok_or_else(|| args.error("the lists have different lengths"))?;
        out.push(Value::String(format(args, &row)?));
    }
    Ok(Value::List(out))
}
