//! What an expression refers to.

use hcl_edit::expr::{Expression, ForExpr, Traversal, TraversalOperator};
use hcl_edit::structure::Body;
use hcl_edit::template::ForDirective;
use hcl_edit::visit::{self, Visit};

/// One step of a reference after its first word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `.name`
    Name(String),
    /// `[…]` or a splat.
    Index,
}

/// A reference such as `coder_agent.main[0].id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The first word.
    pub root: String,
    /// What follows it.
    pub steps: Vec<Step>,
}

impl Reference {
    /// The words after the first up to the first index.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map_while(|s| match s {
            Step::Name(name) => Some(name.as_str()),
            Step::Index => None,
        })
    }

    /// The `n`-th word after the first, indexes not counted.
    pub fn name(&self, n: usize) -> Option<&str> {
        self.steps
            .iter()
            .filter_map(|s| match s {
                Step::Name(name) => Some(name.as_str()),
                Step::Index => None,
            })
            .nth(n)
    }
}

/// All references of an expression, names bound by `for` left out.
pub fn of_expression(expression: &Expression) -> Vec<Reference> {
    let mut collector = Collector::default();
    collector.visit_expr(expression);
    collector.found
}

/// All references of a block's content.
pub fn of_body(body: &Body) -> Vec<Reference> {
    let mut collector = Collector::default();
    collector.visit_body(body);
    collector.found
}

#[derive(Default)]
struct Collector {
    found: Vec<Reference>,
    bound: Vec<String>,
}

impl Collector {
    fn add(&mut self, root: &str, steps: Vec<Step>) {
        if !self.bound.iter().any(|b| b == root) {
            self.found.push(Reference {
                root: root.to_owned(),
                steps,
            });
        }
    }
}

impl Visit for Collector {
    fn visit_expr(&mut self, node: &Expression) {
        match node {
            Expression::Variable(name) => self.add(name.as_str(), Vec::new()),
            other => visit::visit_expr(self, other),
        }
    }

    fn visit_object_key(&mut self, node: &hcl_edit::expr::ObjectKey) {
        // A bare word as a key is text, not a reference.
        match node {
            hcl_edit::expr::ObjectKey::Expression(Expression::Variable(_)) => {}
            other => visit::visit_object_key(self, other),
        }
    }

    fn visit_traversal(&mut self, node: &Traversal) {
        let mut steps = Vec::new();
        for operator in &node.operators {
            match operator.value() {
                TraversalOperator::GetAttr(name) => {
                    steps.push(Step::Name(name.as_str().to_owned()));
                }
                TraversalOperator::Index(index) => {
                    steps.push(Step::Index);
                    self.visit_expr(index);
                }
                _ => steps.push(Step::Index),
            }
        }
        match &node.expr {
            Expression::Variable(name) => self.add(name.as_str(), steps),
            other => self.visit_expr(other),
        }
    }

    fn visit_for_expr(&mut self, node: &ForExpr) {
        self.visit_expr(&node.intro.collection_expr);
        let before = self.bound.len();
        if let Some(key) = &node.intro.key_var {
            self.bound.push(key.as_str().to_owned());
        }
        self.bound.push(node.intro.value_var.as_str().to_owned());
        if let Some(key) = &node.key_expr {
            self.visit_expr(key);
        }
        self.visit_expr(&node.value_expr);
        if let Some(cond) = &node.cond {
            self.visit_expr(&cond.expr);
        }
        self.bound.truncate(before);
    }

    fn visit_for_directive(&mut self, node: &ForDirective) {
        self.visit_expr(&node.for_expr.collection_expr);
        let before = self.bound.len();
        if let Some(key) = &node.for_expr.key_var {
            self.bound.push(key.as_str().to_owned());
        }
        self.bound.push(node.for_expr.value_var.as_str().to_owned());
        self.visit_template(&node.for_expr.template);
        self.bound.truncate(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(text: &str) -> Vec<String> {
        let expression: Expression = text.parse().unwrap();
        of_expression(&expression)
            .into_iter()
            .map(|r| {
                let mut text = r.root;
                for step in r.steps {
                    match step {
                        Step::Name(n) => {
                            text.push('.');
                            text.push_str(&n);
                        }
                        Step::Index => text.push_str("[]"),
                    }
                }
                text
            })
            .collect()
    }

    #[test]
    fn finds_references_everywhere() {
        assert_eq!(
            refs(
                r#"{ a = "x ${local.b} %{ if var.c }${data.t.n.v}%{ endif }", d = f(e.f[g.h].i) }"#
            ),
            ["local.b", "var.c", "data.t.n.v", "g.h", "e.f[].i"]
        );
        assert_eq!(refs("module.m[*].out"), ["module.m[].out"]);
    }

    #[test]
    fn bound_names_and_keys_are_no_references() {
        assert_eq!(
            refs("[for k, v in var.x : v.name if k != local.y]"),
            ["var.x", "local.y"]
        );
        assert_eq!(refs("{ key = value }"), ["value"]);
    }
}
