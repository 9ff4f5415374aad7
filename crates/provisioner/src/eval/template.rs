//! Strings with interpolations and directives.

use hcl_edit::template::{Directive, Element, Strip};

use super::convert::{bool, text};
use super::expression::{Evaluator, entries};
use super::{EvalError, Result, Value};

/// Bytes that a template may become.
const MAX_TEXT: usize = 4 << 20;

/// Evaluates a template. One that is nothing but one interpolation has that value, whatever type.
pub(super) fn string<'a>(
    evaluator: &Evaluator<'_>,
    elements: impl Iterator<Item = &'a Element>,
) -> Result {
    let elements: Vec<&Element> = elements.collect();
    if let [Element::Interpolation(only)] = elements.as_slice() {
        return evaluator.eval(&only.expr);
    }
    let mut out = String::new();
    if write(evaluator, &elements, (false, false), &mut out)? {
        Ok(Value::String(out))
    } else {
        Ok(Value::Unknown)
    }
}

/// Writes a template; `false` if part of it is unknown. `trim` says whether space at its start and
/// at its end is dropped because of markers around it.
fn write(
    evaluator: &Evaluator<'_>,
    elements: &[&Element],
    trim: (bool, bool),
    out: &mut String,
) -> Result<bool> {
    let mut known = true;
    for (n, element) in elements.iter().enumerate() {
        if out.len() > MAX_TEXT {
            return Err(EvalError::new("a template becomes too long"));
        }
        match element {
            Element::Literal(literal) => {
                let mut part: &str = literal;
                if if n == 0 {
                    trim.0
                } else {
                    strips_end(elements[n - 1])
                } {
                    part = part.trim_start();
                }
                if elements.get(n + 1).map_or(trim.1, |e| strips_start(e)) {
                    part = part.trim_end();
                }
                out.push_str(part);
            }
            Element::Interpolation(interpolation) => {
                match text(&evaluator.eval(&interpolation.expr)?)? {
                    Some(part) => out.push_str(&part),
                    None => known = false,
                }
            }
            Element::Directive(directive) => known &= self::directive(evaluator, directive, out)?,
        }
    }
    Ok(known)
}

fn directive(evaluator: &Evaluator<'_>, directive: &Directive, out: &mut String) -> Result<bool> {
    match directive {
        Directive::If(d) => {
            let Some(holds) = bool(&evaluator.eval(&d.if_expr.cond_expr)?)? else {
                return Ok(false);
            };
            let end = d.endif_expr.strip;
            let chosen = match (&d.else_expr, holds) {
                (other, true) => {
                    let next = other.as_ref().map_or(end, |e| e.strip);
                    Some((&d.if_expr.template, d.if_expr.strip, next))
                }
                (Some(other), false) => Some((&other.template, other.strip, end)),
                (None, false) => None,
            };
            match chosen {
                Some((template, before, after)) => {
                    let elements: Vec<_> = template.iter().collect();
                    write(evaluator, &elements, (at_end(before), at_start(after)), out)
                }
                None => Ok(true),
            }
        }
        Directive::For(d) => {
            let collection = evaluator.eval(&d.for_expr.collection_expr)?;
            let Some(entries) = entries(&collection)? else {
                return Ok(false);
            };
            let elements: Vec<_> = d.for_expr.template.iter().collect();
            let mut known = true;
            for (key, value) in entries {
                let mut bound = evaluator.bound.clone();
                if let Some(name) = &d.for_expr.key_var {
                    bound = bound.with(name.as_str(), key);
                }
                bound = bound.with(d.for_expr.value_var.as_str(), value);
                let inner = Evaluator {
                    bound: &bound,
                    ..*evaluator
                };
                let trim = (at_end(d.for_expr.strip), at_start(d.endfor_expr.strip));
                known &= write(&inner, &elements, trim, out)?;
            }
            Ok(known)
        }
    }
}

fn strips_start(element: &Element) -> bool {
    let strip = match element {
        Element::Literal(_) => return false,
        Element::Interpolation(i) => i.strip,
        Element::Directive(d) => match &**d {
            Directive::If(d) => d.if_expr.strip,
            Directive::For(d) => d.for_expr.strip,
        },
    };
    at_start(strip)
}

/// Whether a marker drops the space before it.
fn at_start(strip: Strip) -> bool {
    matches!(strip, Strip::Start | Strip::Both)
}

/// Whether a marker drops the space after it.
fn at_end(strip: Strip) -> bool {
    matches!(strip, Strip::End | Strip::Both)
}

fn strips_end(element: &Element) -> bool {
    let strip = match element {
        Element::Literal(_) => return false,
        Element::Interpolation(i) => i.strip,
        Element::Directive(d) => match &**d {
            Directive::If(d) => d.endif_expr.strip,
            Directive::For(d) => d.endfor_expr.strip,
        },
    };
    at_end(strip)
}
