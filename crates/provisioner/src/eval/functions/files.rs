//! Functions on the template's own files.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hcl_edit::template::Template;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{Args, Result, Value};
use crate::eval::expression::Evaluator;
use crate::eval::scope::{Bound, Scope};
use crate::eval::{EvalError, template};

/// Stars in a pattern: each multiplies the ways in which a path can match.
const MAX_STARS: usize = 6;

/// Files of which a form knows nothing may exist when Terraform runs: unknown, not an error.
pub(super) fn call(evaluator: &Evaluator<'_>, args: &Args<'_>) -> Option<Result> {
    let path = |n: usize| -> Result<Option<String>> {
        Ok(crate::eval::convert::text(args.get(n)?)?.map(|p| normal(&p)))
    };
    let content = || -> Result<Option<Vec<u8>>> {
        let Some(path) = path(0)? else {
            return Ok(None);
        };
        Ok(evaluator.scope.file(&path))
    };
    let text = |f: fn(&[u8]) -> Option<String>| -> Result {
        Ok(content()?
            .and_then(|c| f(&c))
            .map_or(Value::Unknown, Value::String))
    };
    Some(match args.name {
        "file" => text(|c| String::from_utf8(c.to_vec()).ok()),
        "filebase64" => text(|c| Some(STANDARD.encode(c))),
        "filesha1" => text(|c| Some(hex::encode(Sha1::digest(c)))),
        "filesha256" => text(|c| Some(hex::encode(Sha256::digest(c)))),
        "fileexists" => path(0).map(|p| match p {
            Some(p) => Value::Bool(evaluator.scope.file(&p).is_some()),
            None => Value::Unknown,
        }),
        "fileset" => fileset(evaluator, args, path(0)),
        "abspath" | "pathexpand" => args.get(0).cloned(),
        "basename" => args
            .text(0)
            .map(|p| Value::text(p.rsplit('/').next().unwrap_or_default())),
        "dirname" => args
            .text(0)
            .map(|p| Value::text(p.rsplit_once('/').map_or(".", |(dir, _)| dir))),
        "templatefile" => content().and_then(|c| match c {
            Some(c) => render(evaluator, args, &String::from_utf8_lossy(&c)),
            None => Ok(Value::Unknown),
        }),
        "templatestring" => match args.get(0) {
            Ok(Value::String(text)) => render(evaluator, args, text),
            Ok(_) => Ok(Value::Unknown),
            Err(e) => Err(e),
        },
        _ => return None,
    })
}

/// A path from the template's root, as `path.module` and `path.root` make them.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn render(evaluator: &Evaluator<'_>, args: &Args<'_>, text: &str) -> Result {
    let variables = match args.get(1)? {
        Value::Map(map) => map.clone(),
        Value::Unknown => return Ok(Value::Unknown),
        other => {
            return Err(args.error(format!("variables must be an object, not {}", other.kind())));
        }
    };
    let parsed: Template = text.parse().map_err(|e: hcl_edit::parser::Error| {
        args.error(format!("line {}: {}", e.location().line(), e.message()))
    })?;
    let scope = Only { variables };
    let bound = Bound::default();
    let inner = Evaluator {
        scope: &scope,
        bound: &bound,
        budget: evaluator.budget,
    };
    template::string(&inner, parsed.iter())
}

/// A template file sees its variables and nothing else.
struct Only {
    variables: BTreeMap<String, Value>,
}

impl Scope for Only {
    fn lookup(&self, words: &[&str]) -> Result<(Value, usize)> {
        let name = words.first().copied().unwrap_or_default();
        match self.variables.get(name) {
            Some(value) => Ok((value.clone(), 1)),
            None => Err(EvalError::new(format!(
                "the template file has no variable {name:?}"
            ))),
        }
    }

    fn file(&self, _path: &str) -> Option<Vec<u8>> {
        None
    }

    fn files_below(&self, _directory: &str) -> Vec<String> {
        Vec::new()
    }
}

fn fileset(
    evaluator: &Evaluator<'_>,
    args: &Args<'_>,
    directory: Result<Option<String>>,
) -> Result {
    let Some(directory) = directory? else {
        return Ok(Value::Unknown);
    };
    let pattern = args.text(1)?;
    if pattern.matches('*').count() > MAX_STARS {
        return Err(args.error("the pattern has too many stars"));
    }
    let found = evaluator
        .scope
        .files_below(&directory)
        .into_iter()
        .filter(|path| matches(pattern.as_bytes(), path.as_bytes()))
        .map(Value::String);
    Ok(Value::set(found.collect()))
}

/// `*` within a name, `**` across directories, `?` one character.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*', b'/', rest @ ..] => {
            matches(rest, path)
                || path
                    .iter()
                    .enumerate()
                    .filter(|(_, b)| **b == b'/')
                    .any(|(n, _)| matches(rest, &path[n + 1..]))
        }
        [b'*', b'*', rest @ ..] => (0..=path.len()).any(|n| matches(rest, &path[n..])),
        [b'*', rest @ ..] => {
            let end = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
            (0..=end).any(|n| matches(rest, &path[n..]))
        }
        [b'?', rest @ ..] => path.first().is_some_and(|b| *b != b'/') && matches(rest, &path[1..]),
        [c, rest @ ..] => path.first() == Some(c) && matches(rest, &path[1..]),
    }
}
