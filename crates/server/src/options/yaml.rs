//! Options in a YAML file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_yaml_ng::{Mapping, Value};

use super::{Kind, OptionError, Options, Spec, Support, table};

/// What a YAML document says, by flag.
pub(super) fn read(path: &str, text: &str) -> Result<BTreeMap<&'static str, String>, OptionError> {
    let file = |problem: String| OptionError::File {
        path: path.to_owned(),
        problem,
    };
    let document: Value = serde_yaml_ng::from_str(text).map_err(|error| file(error.to_string()))?;
    let mut values = BTreeMap::new();
    match document {
        Value::Null => {}
        Value::Mapping(map) => walk(path, &map, "", &mut values)?,
        _ => return Err(file("the document is no mapping".to_owned())),
    }
    Ok(values)
}

fn walk(
    path: &str,
    map: &Mapping,
    above: &str,
    values: &mut BTreeMap<&'static str, String>,
) -> Result<(), OptionError> {
    for (key, value) in map {
        let Value::String(key) = key else {
            let problem = format!("a key below {above:?} is no text");
            return Err(OptionError::File {
                path: path.to_owned(),
                problem,
            });
        };
        let key = if above.is_empty() {
            key.clone()
        } else {
            format!("{above}.{key}")
        };
        match (find(&key), value) {
            (_, Value::Null) => {}
            (Some(spec), value) => {
                let text = scalar(spec.kind, value).map_err(|problem| OptionError::File {
                    path: path.to_owned(),
                    problem: format!("{key}: {problem}"),
                })?;
                values.insert(spec.flag, text);
            }
            (None, Value::Mapping(below)) => walk(path, below, &key, values)?,
            (None, _) => {
                return Err(OptionError::UnknownKey {
                    path: path.to_owned(),
                    key,
                });
            }
        }
    }
    Ok(())
}

fn find(key: &str) -> Option<&'static Spec> {
    table()
        .iter()
        .find(|spec| spec.yaml_path().is_some_and(|path| path.join(".") == key))
}

fn scalar(kind: Kind, value: &Value) -> Result<String, String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Sequence(items) if kind == Kind::List => items
            .iter()
            .map(|item| scalar(Kind::Text, item))
            .collect::<Result<Vec<_>, _>>()?
            .join(","),
        other if kind == Kind::Json => serde_json::to_string(other).map_err(|e| e.to_string())?,
        _ => return Err(format!("must be of type {}", kind.name())),
    })
}

/// All options that are honoured, with what they do. Secrets are left out.
pub(super) fn write(options: &Options) -> String {
    let mut specs: Vec<(Vec<String>, &Spec)> = table()
        .iter()
        .filter(|spec| !spec.secret && spec.support == Support::Full)
        .filter_map(|spec| Some((spec.yaml_path()?, spec)))
        .collect();
    // Those of the top come first: below a section they would belong to it.
    specs.sort_by_key(|(path, _)| (path.len() > 1, path[..path.len() - 1].to_vec()));
    let mut text = String::new();
    let mut open: Vec<String> = Vec::new();
    for (path, spec) in specs {
        let Some((key, sections)) = path.split_last() else {
            continue;
        };
        let shared = open
            .iter()
            .zip(sections)
            .take_while(|(a, b)| a == b)
            .count();
        open.truncate(shared);
        for section in &sections[shared..] {
            let _ = writeln!(text, "{}{section}:", "  ".repeat(open.len()));
            open.push(section.clone());
        }
        let indent = "  ".repeat(open.len());
        let _ = writeln!(text, "{indent}# {}", spec.help);
        let value = options.text(spec.flag);
        let value = match spec.kind {
            Kind::Bool | Kind::Int => value.to_owned(),
            Kind::List => serde_json::json!(options.list(spec.flag)).to_string(),
            Kind::Json if !value.is_empty() => value.to_owned(),
            _ => serde_json::json!(value).to_string(),
        };
        let _ = writeln!(text, "{indent}{key}: {value}");
    }
    text
}
