//! What a resource will look like: configuration, defaults, and what only applying can tell. No resource changes in
//! place, so whatever differs from the prior state asks for a replacement.

use crate::diagnostics::{Path, Step};
use crate::schema::{Block, Nested, Nesting};
use crate::value::{Object, Value, field};

/// A planned state.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The state that applying will lead to; what it decides is unknown.
    pub state: Object,
    /// The places whose change makes a new resource necessary; empty where nothing changes.
    pub requires_replace: Vec<Path>,
}

/// Plans a resource. Without a prior state it is created; with one, attributes that only the provider sets keep their
/// values.
pub fn plan(prior: Option<&Object>, config: &Object, block: &Block) -> Planned {
    let mut state = fresh(config, block);
    let mut requires_replace = Vec::new();
    if let Some(prior) = prior {
        keep(
            &mut state,
            prior,
            config,
            block,
            &Path::new(),
            &mut requires_replace,
        );
    }
    Planned {
        state,
        requires_replace,
    }
}

/// The plan of a resource that does not exist yet.
fn fresh(config: &Object, block: &Block) -> Object {
    let mut state = Object::new();
    for attribute in block.attributes {
        let value = match field(config, attribute.name) {
            Value::Null => match attribute.default {
                Some(default) => default.value(),
                None if attribute.is_computed() => Value::Unknown,
                None => Value::Null,
            },
            // An empty map was stored as none by the older kit.
            Value::Map(entries) if entries.is_empty() => Value::Null,
            given => given.clone(),
        };
        state.insert(attribute.name.to_owned(), value);
    }
    for nested in block.blocks {
        let value = match field(config, nested.name) {
            Value::Sequence(elements) if !elements.is_empty() => Value::Sequence(
                elements
                    .iter()
                    .map(|element| match element {
                        Value::Map(element) => Value::Map(fresh(element, nested.block)),
                        other => other.clone(),
                    })
                    .collect(),
            ),
            Value::Unknown => Value::Unknown,
            _ if nested.computed => Value::Unknown,
            _ => Value::Sequence(Vec::new()),
        };
        state.insert(nested.name.to_owned(), value);
    }
    state
}

/// Puts the prior values back where nothing changed, and notes the places where something did.
fn keep(
    state: &mut Object,
    prior: &Object,
    config: &Object,
    block: &Block,
    path: &Path,
    changes: &mut Vec<Path>,
) {
    for attribute in block.attributes {
        let planned = field(state, attribute.name);
        let before = field(prior, attribute.name);
        let left_to_us = attribute.is_computed() && field(config, attribute.name).is_null();
        if left_to_us || same(planned, before) {
            state.insert(attribute.name.to_owned(), before.clone());
        } else {
            changes.push(step(path, Step::Attribute(attribute.name.to_owned())));
        }
    }
    for nested in block.blocks {
        keep_nested(state, prior, config, nested, path, changes);
    }
}

fn keep_nested(
    state: &mut Object,
    prior: &Object,
    config: &Object,
    nested: &Nested,
    path: &Path,
    changes: &mut Vec<Path>,
) {
    let at = step(path, Step::Attribute(nested.name.to_owned()));
    let before = field(prior, nested.name);
    let wanted = field(config, nested.name);
    if nested.computed && !wanted.is_unknown() && wanted.elements().is_empty() {
        state.insert(nested.name.to_owned(), before.clone());
        return;
    }
    let Some(Value::Sequence(planned)) = state.get_mut(nested.name) else {
        changes.push(at);
        return;
    };
    match nested.nesting {
        Nesting::List if planned.len() == before.elements().len() => {
            let pairs = planned
                .iter_mut()
                .zip(before.elements())
                .zip(wanted.elements());
            for (index, ((planned, before), wanted)) in pairs.enumerate() {
                let at = step(&at, Step::Index(index as i64));
                match (planned, before, wanted) {
                    (Value::Map(planned), Value::Map(before), Value::Map(wanted)) => {
                        keep(planned, before, wanted, nested.block, &at, changes);
                    }
                    _ => changes.push(at),
                }
            }
        }
        Nesting::Set if same_set(planned, before.elements()) => {
            state.insert(nested.name.to_owned(), before.clone());
        }
        _ => changes.push(at),
    }
}

/// Whether two values are the same to the older provider kit, which could not tell null from zero.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Map(a), Value::Map(b)) => a
            .keys()
            .chain(b.keys())
            .all(|key| same(field(a, key), field(b, key))),
        (Value::Sequence(a), Value::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Number(a), Value::Number(b)) if a.as_int().is_some() => a.as_int() == b.as_int(),
        _ => a == b || (a.is_empty() && b.is_empty()),
    }
}

fn same_set(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len()
        && a.iter().all(|a| b.iter().any(|b| same(a, b)))
        && b.iter().all(|b| a.iter().any(|a| same(a, b)))
}

fn step(path: &Path, step: Step) -> Path {
    let mut path = path.clone();
    path.push(step);
    path
}

#[cfg(test)]
mod tests {
    use super::plan;
    use crate::schema::{Attribute, Block, Constant, Nested};
    use crate::value::{Object, Value, field};

    const ITEM: Block = Block::new(
        "",
        &[
            Attribute::string("key"),
            Attribute::bool("set").computed(),
            Attribute::number("n"),
        ],
        &[],
    );
    const KEYED: Block = Block::new("", &[Attribute::string("key")], &[]);
    const BLOCK: Block = Block::new(
        "",
        &[
            Attribute::implied_id(),
            Attribute::string("name").required(),
            Attribute::string("mode").default(Constant::Text("soft")),
            Attribute::string_map("env"),
        ],
        &[
            Nested::list("item", &ITEM),
            Nested::set("group", &KEYED),
            Nested::set("auto", &KEYED).computed(),
        ],
    );

    fn object(entries: &[(&str, Value)]) -> Object {
        entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    fn items(entries: &[&[(&str, Value)]]) -> Value {
        Value::Sequence(
            entries
                .iter()
                .map(|entry| Value::Map(object(entry)))
                .collect(),
        )
    }

    fn paths(prior: &Object, config: &Object) -> Vec<String> {
        let planned = plan(Some(prior), config, &BLOCK);
        planned
            .requires_replace
            .iter()
            .map(|path| format!("{path:?}"))
            .collect()
    }

    #[test]
    fn a_new_resource_has_its_defaults_and_what_is_not_known_yet() {
        let config = object(&[
            ("name", Value::text("a")),
            ("item", items(&[&[("key", Value::text("k"))]])),
        ]);
        let state = plan(None, &config, &BLOCK).state;
        assert_eq!(field(&state, "id"), &Value::Unknown);
        assert_eq!(field(&state, "mode"), &Value::text("soft"));
        assert_eq!(field(&state, "auto"), &Value::Unknown);
        assert_eq!(field(&state, "group"), &Value::Sequence(vec![]));
        let item = field(&state, "item").elements()[0].as_object().unwrap();
        assert_eq!(
            (field(item, "set"), field(item, "n")),
            (&Value::Unknown, &Value::Null)
        );
    }

    #[test]
    fn an_unchanged_resource_is_planned_as_it_is() {
        let config = object(&[
            ("name", Value::text("a")),
            ("item", items(&[&[("key", Value::text("k"))]])),
            (
                "group",
                items(&[&[("key", Value::text("x"))], &[("key", Value::text("y"))]]),
            ),
        ]);
        let prior = object(&[
            ("id", Value::text("1")),
            ("name", Value::text("a")),
            ("mode", Value::text("soft")),
            ("env", Value::Map(Object::new())),
            (
                "item",
                items(&[&[
                    ("key", Value::text("k")),
                    ("set", Value::Bool(true)),
                    ("n", Value::int(0)),
                ]]),
            ),
            (
                "group",
                items(&[&[("key", Value::text("y"))], &[("key", Value::text("x"))]]),
            ),
            ("auto", items(&[&[("key", Value::text("z"))]])),
        ]);
        let planned = plan(Some(&prior), &config, &BLOCK);
        assert_eq!(planned.state, prior);
        assert!(planned.requires_replace.is_empty());
    }

    #[test]
    fn every_change_asks_for_a_replacement_and_names_its_place() {
        let prior = object(&[
            ("id", Value::text("1")),
            ("name", Value::text("a")),
            ("mode", Value::text("soft")),
            ("item", items(&[&[("key", Value::text("k"))]])),
        ]);
        let config = |name: Value, key: Value| {
            object(&[("name", name), ("item", items(&[&[("key", key)]]))])
        };
        assert!(paths(&prior, &config(Value::text("a"), Value::text("k"))).is_empty());
        assert_eq!(
            paths(&prior, &config(Value::Unknown, Value::text("k"))),
            [r#"[Attribute("name")]"#]
        );
        assert_eq!(
            paths(&prior, &config(Value::text("a"), Value::text("l"))),
            [r#"[Attribute("item"), Index(0), Attribute("key")]"#]
        );
        let unknown = object(&[("name", Value::text("a")), ("item", Value::Unknown)]);
        assert_eq!(paths(&prior, &unknown), [r#"[Attribute("item")]"#]);
        let none = object(&[("name", Value::text("a"))]);
        assert_eq!(paths(&prior, &none), [r#"[Attribute("item")]"#]);
    }
}
