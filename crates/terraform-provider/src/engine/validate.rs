//! Checks a configuration against its schema, before anything is planned.

use crate::diagnostics::{Diagnostic, Path, Step};
use crate::schema::{Attribute, Block, Finding, Nested, Presence, Type};
use crate::value::{Object, Value, field};

/// Checks a configuration. Values that are not known yet are passed over: they are checked again when they are.
pub fn validate(config: &Object, block: &Block) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    check_block(config, block, &Path::new(), &mut diagnostics);
    diagnostics
}

fn check_block(config: &Object, block: &Block, path: &Path, out: &mut Vec<Diagnostic>) {
    for attribute in block.attributes {
        let path = step(path, Step::Attribute(attribute.name.to_owned()));
        check_attribute(config, attribute, path, out);
    }
    for nested in block.blocks {
        check_nested(config, nested, path, out);
    }
}

fn check_attribute(config: &Object, attribute: &Attribute, path: Path, out: &mut Vec<Diagnostic>) {
    let value = field(config, attribute.name);
    let name = attribute.name;
    if value.is_null() {
        if attribute.presence == Presence::Required {
            out.push(
                Diagnostic::error("Missing required argument")
                    .detail(format!(
                        "The argument {name:?} is required, but it is not set or is null."
                    ))
                    .at(path),
            );
        }
        return;
    }
    if attribute.presence == Presence::Computed {
        out.push(
            Diagnostic::error("Value for unconfigurable attribute")
                .detail(format!("{name:?} is decided by the provider when the configuration is applied. Remove it."))
                .at(path),
        );
        return;
    }
    if value.is_unknown() {
        return;
    }
    if let Some(conflict) = conflict(config, name, attribute.conflicts_with) {
        out.push(conflict.at(path));
        return;
    }
    if let Some(advice) = attribute.deprecated {
        out.push(
            Diagnostic::warning("Argument is deprecated")
                .detail(advice)
                .at(path.clone()),
        );
    }
    if attribute.ty == Type::Number && value.as_int().is_none() {
        let Value::Number(number) = value else { return };
        out.push(
            Diagnostic::error(format!("{name} must be a whole number, got {number}")).at(path),
        );
        return;
    }
    for check in attribute.checks {
        for finding in check.apply(value, name) {
            let diagnostic = match finding {
                Finding::Error(text) => Diagnostic::error(text),
                Finding::Warning(text) => Diagnostic::warning(text),
            };
            out.push(diagnostic.at(path.clone()));
        }
    }
}

fn check_nested(config: &Object, nested: &Nested, path: &Path, out: &mut Vec<Diagnostic>) {
    let blocks = field(config, nested.name).elements();
    if blocks.is_empty() {
        return;
    }
    // Hosts point at nothing more precise within a set, so the whole set is named.
    let at = step(path, Step::Attribute(nested.name.to_owned()));
    if let Some(conflict) = conflict(config, nested.name, nested.conflicts_with) {
        out.push(conflict.at(at));
        return;
    }
    if let Some(advice) = nested.deprecated {
        out.push(
            Diagnostic::warning("Argument is deprecated")
                .detail(advice)
                .at(at.clone()),
        );
    }
    for (index, block) in blocks.iter().enumerate() {
        let Some(block) = block.as_object() else {
            continue;
        };
        if nested.nesting == crate::schema::Nesting::List {
            let at = step(&at, Step::Index(index as i64));
            check_block(block, nested.block, &at, out);
        } else {
            let before = out.len();
            check_block(block, nested.block, &at, out);
            out[before..]
                .iter_mut()
                .for_each(|diagnostic| diagnostic.path.clone_from(&at));
        }
    }
}

fn conflict(config: &Object, name: &str, siblings: &[&str]) -> Option<Diagnostic> {
    let other = siblings
        .iter()
        .find(|sibling| match field(config, sibling) {
            Value::Null | Value::Unknown => false,
            Value::Sequence(blocks) => !blocks.is_empty(),
            _ => true,
        })?;
    Some(
        Diagnostic::error("Conflicting configuration arguments").detail(format!(
            "{name:?} conflicts with {other:?}: only one of them may be set."
        )),
    )
}

fn step(path: &Path, step: Step) -> Path {
    let mut path = path.clone();
    path.push(step);
    path
}

#[cfg(test)]
mod tests {
    use super::validate;
    use crate::schema::{Attribute, Block, Check, Nested};
    use crate::value::{Number, Object, Value};

    const INNER: Block = Block::new(
        "",
        &[Attribute::number("n").checked(&[Check::AtLeast(1)])],
        &[],
    );
    const BLOCK: Block = Block::new(
        "",
        &[
            Attribute::string("must")
                .required()
                .checked(&[Check::NotEmpty]),
            Attribute::string("ours").computed(),
            Attribute::string("old").deprecated("use new"),
            Attribute::bool("one").conflicts_with(&["many", "must"]),
        ],
        &[
            Nested::list("many", &INNER).conflicts_with(&["one"]),
            Nested::set("group", &INNER),
        ],
    );

    fn summaries(entries: &[(&str, Value)]) -> Vec<String> {
        let config: Object = entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        validate(&config, &BLOCK)
            .into_iter()
            .map(|d| format!("{} @{}", d.summary, d.path.len()))
            .collect()
    }

    fn inner(number: Number) -> Value {
        Value::Sequence(vec![Value::Map(Object::from([(
            "n".to_owned(),
            Value::Number(number),
        )]))])
    }

    #[test]
    fn required_and_computed_attributes_keep_to_their_sides() {
        assert_eq!(summaries(&[]), ["Missing required argument @1"]);
        assert_eq!(
            summaries(&[("must", Value::text("x")), ("ours", Value::text("x"))]),
            ["Value for unconfigurable attribute @1"]
        );
        assert!(summaries(&[("must", Value::Unknown)]).is_empty());
        assert_eq!(summaries(&[("must", Value::text(""))]).len(), 1);
        assert_eq!(
            summaries(&[("must", Value::text("x")), ("old", Value::text(""))]),
            ["Argument is deprecated @1"]
        );
    }

    #[test]
    fn a_conflict_is_a_matter_of_presence_not_of_value() {
        let set = [("must", Value::text("x")), ("one", Value::Bool(false))];
        assert_eq!(summaries(&set), ["Conflicting configuration arguments @1"]);
        assert!(summaries(&[("must", Value::Unknown), ("one", Value::Bool(false))]).is_empty());
    }

    #[test]
    fn nested_blocks_are_checked_and_located() {
        let must = ("must", Value::text("x"));
        assert_eq!(
            summaries(&[must.clone(), ("many", inner(Number::Int(0)))]),
            ["expected n to be at least 1, got 0 @3"]
        );
        assert_eq!(
            summaries(&[must.clone(), ("group", inner(Number::Int(0)))]),
            ["expected n to be at least 1, got 0 @1"]
        );
        assert_eq!(
            summaries(&[must, ("many", inner(Number::Float(1.5)))]),
            ["n must be a whole number, got 1.5 @3"]
        );
    }
}
