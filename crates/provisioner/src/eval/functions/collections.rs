//! Functions on lists, sets and maps, and conversions.

use std::collections::BTreeMap;

use super::{Args, EvalError, Result, Value};
use crate::eval::{convert, value::order};

/// Items that `range` makes at most.
const MAX_RANGE: usize = 1024;

/// Functions for which a value that is known in part is enough.
pub(super) fn tolerant(args: &Args<'_>) -> Option<Result> {
    Some(match args.name {
        "length" => args.get(0).and_then(|v| length(args, v)),
        "coalesce" => coalesce(args),
        "lookup" => lookup(args),
        "merge" => merge(args),
        "concat" => concat(args),
        "nonsensitive" | "sensitive" | "ephemeralasnull" => args.get(0).cloned(),
        "issensitive" => Ok(Value::Bool(false)),
        "keys" => args.get(0).and_then(|v| match v {
            Value::Map(map) => Ok(Value::List(map.keys().map(Value::text).collect())),
            Value::Unknown => Ok(Value::Unknown),
            other => Err(args.error(format!("a map is needed, not {}", other.kind()))),
        }),
        "values" => args.get(0).and_then(|v| match v {
            Value::Map(map) => Ok(Value::List(map.values().cloned().collect())),
            Value::Unknown => Ok(Value::Unknown),
            other => Err(args.error(format!("a map is needed, not {}", other.kind()))),
        }),
        "tolist" => args.get(0).and_then(|v| match v {
            Value::List(items) | Value::Set(items) => Ok(Value::List(items.clone())),
            Value::Unknown | Value::Null => Ok(v.clone()),
            other => Err(args.error(format!("a list is needed, not {}", other.kind()))),
        }),
        "tomap" => args.get(0).and_then(|v| match v {
            Value::Map(_) | Value::Unknown | Value::Null => Ok(v.clone()),
            other => Err(args.error(format!("a map is needed, not {}", other.kind()))),
        }),
        "element" => args.get(0).and_then(|v| match (v, args.get(1)?) {
            (Value::Unknown, _) | (_, Value::Unknown) => Ok(Value::Unknown),
            (Value::List(items), index) if !items.is_empty() => {
                let n = convert::number(index)?.unwrap_or_default() as i64;
                Ok(items[n.rem_euclid(items.len() as i64) as usize].clone())
            }
            _ => Err(args.error("a list with elements is needed")),
        }),
        _ => return None,
    })
}

pub(super) fn call(args: &Args<'_>) -> Option<Result> {
    Some(match args.name {
        "tostring" => args.get(0).and_then(|v| match v {
            Value::Null => Ok(Value::Null),
            v => Ok(convert::text(v)?.map_or(Value::Unknown, Value::String)),
        }),
        "tonumber" => args.get(0).and_then(|v| match v {
            Value::Null => Ok(Value::Null),
            v => Ok(convert::number(v)?.map_or(Value::Unknown, Value::Number)),
        }),
        "tobool" => args.get(0).and_then(|v| match v {
            Value::Null => Ok(Value::Null),
            Value::String(s) if s != "true" && s != "false" => {
                Err(args.error(format!("{s:?} is not a bool")))
            }
            v => Ok(convert::bool(v)?.map_or(Value::Unknown, Value::Bool)),
        }),
        "toset" => args.items(0).map(Value::set),
        "contains" => args
            .items(0)
            .and_then(|items| Ok(Value::Bool(items.contains(args.get(1)?)))),
        "index" => args.items(0).and_then(|items| {
            let wanted = args.get(1)?;
            let at = items.iter().position(|i| i == wanted);
            at.map(|n| Value::Number(n as f64))
                .ok_or_else(|| args.error("the item is not in the list"))
        }),
        "distinct" => args.items(0).map(|items| {
            let mut kept: Vec<Value> = Vec::new();
            for item in items {
                if !kept.contains(&item) {
                    kept.push(item);
                }
            }
            Value::List(kept)
        }),
        "flatten" => args.items(0).map(|items| Value::List(flatten(items))),
        "reverse" => args.items(0).map(|mut items| {
            items.reverse();
            Value::List(items)
        }),
        "sort" => args.items(0).map(|mut items| {
            items.sort_by(order);
            Value::List(items)
        }),
        "compact" => args.items(0).map(|items| {
            let empty = |i: &Value| matches!(i, Value::Null) || *i == Value::text("");
            Value::List(items.into_iter().filter(|i| !empty(i)).collect())
        }),
        "slice" => slice(args),
        "chunklist" => args.items(0).and_then(|items| {
            let size = (args.number(1)? as usize).max(1);
            Ok(Value::List(
                items
                    .chunks(size)
                    .map(|c| Value::List(c.to_vec()))
                    .collect(),
            ))
        }),
        "one" => args.items(0).and_then(|items| match items.as_slice() {
            [] => Ok(Value::Null),
            [one] => Ok(one.clone()),
            _ => Err(args.error("the list has more than one item")),
        }),
        "alltrue" => bools(args).map(|b| Value::Bool(b.into_iter().all(|b| b))),
        "anytrue" => bools(args).map(|b| Value::Bool(b.into_iter().any(|b| b))),
        "coalescelist" => {
            let full = args.values.iter().find(|v| match v {
                Value::List(items) | Value::Set(items) => !items.is_empty(),
                _ => false,
            });
            full.cloned()
                .ok_or_else(|| args.error("all lists are empty"))
        }
        "setunion" | "setintersection" | "setsubtract" => sets(args),
        "zipmap" => zipmap(args),
        "range" => range(args),
        "sum" => args.items(0).and_then(|items| {
            let mut sum = 0.0;
            for item in items {
                sum += convert::number(&item)?.unwrap_or_default();
            }
            Ok(Value::Number(sum))
        }),
        _ => return None,
    })
}

fn length(args: &Args<'_>, value: &Value) -> Result {
    Ok(Value::Number(match value {
        Value::Unknown => return Ok(Value::Unknown),
        Value::String(s) => s.chars().count(),
        Value::List(items) | Value::Set(items) => items.len(),
        Value::Map(map) => map.len(),
        other => return Err(args.error(format!("{} has no length", other.kind()))),
    } as f64))
}

fn coalesce(args: &Args<'_>) -> Result {
    for value in &args.values {
        match value {
            Value::Null => {}
            Value::String(s) if s.is_empty() => {}
            other => return Ok(other.clone()),
        }
    }
    Err(args.error("no argument has a value"))
}

fn lookup(args: &Args<'_>) -> Result {
    let Some(key) = convert::text(args.get(1)?)? else {
        return Ok(Value::Unknown);
    };
    match (args.get(0)?, args.values.get(2)) {
        (Value::Unknown, _) => Ok(Value::Unknown),
        (Value::Map(map), default) => match (map.get(&key), default) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(args.error(format!("there is no key {key:?}"))),
        },
        (other, _) => Err(args.error(format!("a map is needed, not {}", other.kind()))),
    }
}

fn merge(args: &Args<'_>) -> Result {
    let mut merged = BTreeMap::new();
    for value in &args.values {
        match value {
            Value::Map(map) => merged.extend(map.clone()),
            Value::Null => {}
            Value::Unknown => return Ok(Value::Unknown),
            other => return Err(args.error(format!("maps are needed, not {}", other.kind()))),
        }
    }
    Ok(Value::Map(merged))
}

fn concat(args: &Args<'_>) -> Result {
    let mut all = Vec::new();
    for n in 0..args.values.len() {
        match convert::items(args.get(n)?)? {
            Some(items) => all.extend(items),
            None => return Ok(Value::Unknown),
        }
    }
    Ok(Value::List(all))
}

fn flatten(items: Vec<Value>) -> Vec<Value> {
    items
        .into_iter()
        .flat_map(|item| match item {
            Value::List(inner) | Value::Set(inner) => flatten(inner),
            other => vec![other],
        })
        .collect()
}

fn bools(args: &Args<'_>) -> Result<Vec<bool>> {
    args.items(0)?
        .iter()
        .map(|item| match item {
            Value::Null => Ok(false),
            other => Ok(convert::bool(other)?.unwrap_or_default()),
        })
        .collect()
}

fn slice(args: &Args<'_>) -> Result {
    let items = args.items(0)?;
    let (start, end) = (args.number(1)?, args.number(2)?);
    if start < 0.0 || end < start || end > items.len() as f64 {
        return Err(args.error(format!(
            "{start} to {end} is not within a list of {}",
            items.len()
        )));
    }
    Ok(Value::List(items[start as usize..end as usize].to_vec()))
}

fn sets(args: &Args<'_>) -> Result {
    let mut result = args.items(0)?;
    for n in 1..args.values.len() {
        let other = args.items(n)?;
        match args.name {
            "setunion" => result.extend(other),
            "setintersection" => result.retain(|i| other.contains(i)),
            _ => result.retain(|i| !other.contains(i)),
        }
    }
    Ok(Value::set(result))
}

fn zipmap(args: &Args<'_>) -> Result {
    let (keys, values) = (args.items(0)?, args.items(1)?);
    if keys.len() != values.len() {
        return Err(args.error("there are not as many keys as values"));
    }
    let mut map = BTreeMap::new();
    for (key, value) in keys.iter().zip(values) {
        let key = convert::text(key)?.ok_or_else(|| EvalError::new("a key is unknown"))?;
        map.insert(key, value);
    }
    Ok(Value::Map(map))
}

fn range(args: &Args<'_>) -> Result {
    let (start, end) = match args.values.len() {
        1 => (0.0, args.number(0)?),
        _ => (args.number(0)?, args.number(1)?),
    };
    let step = match args.values.len() {
        3 => args.number(2)?,
        _ if end < start => -1.0,
        _ => 1.0,
    };
    if step == 0.0 {
        return Err(args.error("the step must not be 0"));
    }
    let mut items = Vec::new();
    let mut n = start;
    while (step > 0.0 && n < end) || (step < 0.0 && n > end) {
        // Counted, not computed: a small step does not change a large number at all.
        if items.len() >= MAX_RANGE {
            return Err(args.error("the range is too long"));
        }
        items.push(Value::Number(n));
        n += step;
    }
    Ok(Value::List(items))
}
