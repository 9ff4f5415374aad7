//! Evaluating one expression.

use std::cell::Cell;
use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, ForExpr, ObjectKey, Traversal, TraversalOperator};

use super::convert::{bool, number, text};
use super::scope::{Bound, Scope};
use super::{EvalError, Result, Value, functions, operators, template};

/// Steps that one rendering may take; a form is not the place for long computations.
const MAX_STEPS: u64 = 200_000;
/// Expressions inside expressions, through references too.
const MAX_DEPTH: u32 = 120;
/// Items that one `for` may make.
const MAX_ITEMS: usize = 20_000;

/// The steps left, shared by all evaluations of one rendering.
#[derive(Debug)]
pub(super) struct Budget {
    steps: Cell<u64>,
    depth: Cell<u32>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            steps: Cell::new(MAX_STEPS),
            depth: Cell::new(0),
        }
    }
}

impl Budget {
    pub(super) fn spend(&self, steps: u64) -> Result<()> {
        match self.steps.get().checked_sub(steps) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => Err(EvalError::new("the template computes too much for a form")),
        }
    }

    fn enter(&self) -> Result<()> {
        self.spend(1)?;
        if self.depth.get() >= MAX_DEPTH {
            return Err(EvalError::new("expressions are nested too deeply"));
        }
        self.depth.set(self.depth.get() + 1);
        Ok(())
    }

    fn leave(&self) {
        self.depth.set(self.depth.get().saturating_sub(1));
    }
}

/// Evaluates expressions in one place.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'a> {
    pub scope: &'a dyn Scope,
    pub bound: &'a Bound,
    pub budget: &'a Budget,
}

impl Evaluator<'_> {
    pub(super) fn eval(&self, expression: &Expression) -> Result {
        self.budget.enter()?;
        let value = self.eval_inner(expression);
        self.budget.leave();
        value
    }

    fn eval_inner(&self, expression: &Expression) -> Result {
        Ok(match expression {
            Expression::Null(_) => Value::Null,
            Expression::Bool(b) => Value::Bool(*b.value()),
            Expression::Number(n) => Value::Number(n.value().as_f64().unwrap_or(0.0)),
            Expression::String(s) => Value::String(s.value().clone()),
            Expression::Array(items) => {
                Value::List(items.iter().map(|e| self.eval(e)).collect::<Result<_>>()?)
            }
            Expression::Object(object) => {
                let mut map = BTreeMap::new();
                for (key, value) in object {
                    let key = match key {
                        ObjectKey::Ident(ident) => ident.as_str().to_owned(),
                        ObjectKey::Expression(Expression::Variable(word)) => {
                            word.as_str().to_owned()
                        }
                        ObjectKey::Expression(e) => match text(&self.eval(e)?)? {
                            Some(key) => key,
                            None => return Ok(Value::Unknown),
                        },
                    };
                    map.insert(key, self.eval(value.expr())?);
                }
                Value::Map(map)
            }
            Expression::StringTemplate(t) => template::string(self, t.iter())?,
            Expression::HeredocTemplate(t) => template::string(self, t.template.iter())?,
            Expression::Parenthesis(inner) => self.eval(inner.inner())?,
            Expression::Variable(name) => self.reference(&[name.as_str()])?.0,
            Expression::Conditional(c) => match bool(&self.eval(&c.cond_expr)?)? {
                None => Value::Unknown,
                Some(true) => self.eval(&c.true_expr)?,
                Some(false) => self.eval(&c.false_expr)?,
            },
            Expression::FuncCall(call) => functions::call(self, call)?,
            Expression::Traversal(traversal) => self.traverse(traversal)?,
            Expression::UnaryOp(op) => {
                operators::unary(*op.operator.value(), &self.eval(&op.expr)?)?
            }
            Expression::BinaryOp(op) => {
                let left = self.eval(&op.lhs_expr)?;
                operators::binary(*op.operator.value(), &left, || self.eval(&op.rhs_expr))?
            }
            Expression::ForExpr(f) => self.for_expression(f)?,
        })
    }

    /// The value that the first words of a reference name, and how many words that took.
    fn reference(&self, words: &[&str]) -> Result<(Value, usize)> {
        match words.first().and_then(|first| self.bound.get(first)) {
            Some(value) => Ok((value.clone(), 1)),
            None => self.scope.lookup(words),
        }
    }

    fn traverse(&self, traversal: &Traversal) -> Result {
        let operators: Vec<_> = traversal
            .operators
            .iter()
            .map(hcl_edit::Decorated::value)
            .collect();
        let (value, used) = match &traversal.expr {
            Expression::Variable(root) => {
                let mut words = vec![root.as_str()];
                words.extend(operators.iter().map_while(|o| match o {
                    TraversalOperator::GetAttr(name) => Some(name.as_str()),
                    _ => None,
                }));
                let (value, used) = self.reference(&words)?;
                (value, used.saturating_sub(1))
            }
            other => (self.eval(other)?, 0),
        };
        self.follow(value, operators.get(used..).unwrap_or_default())
    }

    fn follow(&self, mut value: Value, operators: &[&TraversalOperator]) -> Result {
        for (n, operator) in operators.iter().enumerate() {
            value = match operator {
                TraversalOperator::GetAttr(name) => attribute(&value, name.as_str())?,
                TraversalOperator::LegacyIndex(index) => {
                    element(&value, &Value::Number(*index.value() as f64))?
                }
                TraversalOperator::Index(index) => element(&value, &self.eval(index)?)?,
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => {
                    let items = match value {
                        Value::Unknown => return Ok(Value::Unknown),
                        Value::Null => Vec::new(),
                        Value::List(items) | Value::Set(items) => items,
                        one => vec![one],
                    };
                    let rest = &operators[n + 1..];
                    let all = items.into_iter().map(|item| self.follow(item, rest));
                    return Ok(Value::List(all.collect::<Result<_>>()?));
                }
            };
        }
        Ok(value)
    }

    fn for_expression(&self, f: &ForExpr) -> Result {
        let collection = self.eval(&f.intro.collection_expr)?;
        let Some(entries) = entries(&collection)? else {
            return Ok(Value::Unknown);
        };
        let mut list = Vec::new();
        let mut map: BTreeMap<String, Value> = BTreeMap::new();
        for (key, value) in entries {
            let mut bound = self.bound.clone();
            if let Some(name) = &f.intro.key_var {
                bound = bound.with(name.as_str(), key);
            }
            bound = bound.with(f.intro.value_var.as_str(), value);
            let inner = Evaluator {
                bound: &bound,
                ..*self
            };
            if let Some(condition) = &f.cond {
                match bool(&inner.eval(&condition.expr)?)? {
                    None => return Ok(Value::Unknown),
                    Some(false) => continue,
                    Some(true) => {}
                }
            }
            let made = inner.eval(&f.value_expr)?;
            match &f.key_expr {
                None => list.push(made),
                Some(key) => {
                    let Some(key) = text(&inner.eval(key)?)? else {
                        return Ok(Value::Unknown);
                    };
                    if f.grouping {
                        match map.entry(key).or_insert_with(|| Value::List(Vec::new())) {
                            Value::List(items) => items.push(made),
                            _ => return Err(EvalError::new("a group is no list")),
                        }
                    } else if map.insert(key.clone(), made).is_some() {
                        return Err(EvalError::new(format!(
                            "the key {key:?} occurs twice in a for expression"
                        )));
                    }
                }
            }
            if list.len() + map.len() > MAX_ITEMS {
                return Err(EvalError::new("a for expression makes too many items"));
            }
        }
        Ok(if f.key_expr.is_some() {
            Value::Map(map)
        } else {
            Value::List(list)
        })
    }
}

/// Keys and values of a collection; `None` if unknown.
pub(super) fn entries(collection: &Value) -> Result<Option<Vec<(Value, Value)>>> {
    Ok(Some(match collection {
        Value::Unknown => return Ok(None),
        Value::List(items) => items
            .iter()
            .enumerate()
            .map(|(n, v)| (Value::Number(n as f64), v.clone()))
            .collect(),
        Value::Set(items) => items.iter().map(|v| (v.clone(), v.clone())).collect(),
        Value::Map(map) => map
            .iter()
            .map(|(k, v)| (Value::text(k), v.clone()))
            .collect(),
        other => {
            return Err(EvalError::new(format!(
                "cannot go through {}",
                other.kind()
            )));
        }
    }))
}

/// `value.name`
pub(super) fn attribute(value: &Value, name: &str) -> Result {
    match value {
        Value::Unknown => Ok(Value::Unknown),
        Value::Map(map) => map
            .get(name)
            .cloned()
            .ok_or_else(|| EvalError::new(format!("there is no attribute {name:?}"))),
        other => Err(EvalError::new(format!(
            "{} has no attribute {name:?}",
            other.kind()
        ))),
    }
}

/// `value[index]`
pub(super) fn element(value: &Value, index: &Value) -> Result {
    match value {
        Value::Unknown => Ok(Value::Unknown),
        Value::Map(map) => match text(index)? {
            None => Ok(Value::Unknown),
            Some(key) => map
                .get(&key)
                .cloned()
                .ok_or_else(|| EvalError::new(format!("there is no element {key:?}"))),
        },
        Value::List(items) => match number(index)? {
            None => Ok(Value::Unknown),
            Some(n) if n >= 0.0 && n.fract() == 0.0 && (n as usize) < items.len() => {
                Ok(items[n as usize].clone())
            }
            Some(n) => Err(EvalError::new(format!(
                "there is no element {n} in a list of {}",
                items.len()
            ))),
        },
        other => Err(EvalError::new(format!("{} has no elements", other.kind()))),
    }
}
