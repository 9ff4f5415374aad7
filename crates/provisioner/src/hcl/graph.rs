//! The dependency graph of a configuration, read from its references.
//!
//! Nodes are labelled as Terraform labels them, without instance keys: `module.m.type.name`,
//! `data.type.name`, `local.x`, `module.m.var.x`, `module.m.output.x`, and `module.m` for the call
//! itself. An edge says "depends on". It does not change between the builds of one version.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hcl_edit::expr::Expression;

use super::configuration::join;
use super::refs::{self, Reference};
use super::{Configuration, Module};

/// Nodes up to which redundant edges are removed; beyond, the cost (square) outgrows the use.
const MAX_REDUCED_NODES: usize = 4000;

/// A dependency graph. Labels are shared; edges are indexes.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    labels: Vec<String>,
    index: BTreeMap<String, usize>,
    depends: Vec<BTreeSet<usize>>,
    dependents: Vec<BTreeSet<usize>>,
}

/// `module.a.module.b.` for the module path `a.b`; empty for the root.
pub fn prefix(path: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    path.split('.')
        .map(|name| format!("module.{name}."))
        .collect()
}

/// Meta-arguments that every resource and call may have.
const META: [&str; 3] = ["count", "for_each", "depends_on"];

impl Graph {
    /// Builds the graph of a whole configuration.
    pub fn of(configuration: &Configuration) -> Self {
        let mut graph = Self::default();
        for (path, module) in &configuration.modules {
            graph.add_module(configuration, path, module);
        }
        graph.reduce();
        graph.dependents = vec![BTreeSet::new(); graph.labels.len()];
        for (from, targets) in graph.depends.iter().enumerate() {
            for to in targets {
                graph.dependents[*to].insert(from);
            }
        }
        graph
    }

    fn node(&mut self, label: String) -> usize {
        if let Some(index) = self.index.get(&label) {
            return *index;
        }
        let index = self.labels.len();
        self.labels.push(label.clone());
        self.index.insert(label, index);
        self.depends.push(BTreeSet::new());
        index
    }

    fn connect(&mut self, from: usize, to: usize) {
        if from != to {
            self.depends[from].insert(to);
        }
    }

    fn add_module(&mut self, configuration: &Configuration, path: &str, module: &Module) {
        let here = prefix(path);
        // What makes the module exist at all is what everything in it depends on.
        let call = (!path.is_empty()).then(|| self.node(here.trim_end_matches('.').to_owned()));
        for resource in &module.resources {
            let node = self.node(format!("{here}{}", resource.address()));
            if let Some(call) = call {
                self.connect(node, call);
            }
            self.refer(
                configuration,
                path,
                module,
                node,
                refs::of_body(&resource.body),
            );
        }
        for (name, expression) in &module.locals {
            let node = self.node(format!("{here}local.{name}"));
            self.refer(
                configuration,
                path,
                module,
                node,
                refs::of_expression(expression),
            );
        }
        for (name, body) in &module.outputs {
            let node = self.node(format!("{here}output.{name}"));
            self.refer(configuration, path, module, node, refs::of_body(body));
        }
        for child in &module.calls {
            let inner = prefix(&join(path, &child.name));
            let node = self.node(inner.trim_end_matches('.').to_owned());
            for attribute in child.body.attributes() {
                let name = attribute.key.as_str();
                let found = refs::of_expression(&attribute.value);
                if META.contains(&name) {
                    self.refer(configuration, path, module, node, found);
                } else if !matches!(name, "source" | "version" | "providers") {
                    let variable = self.node(format!("{inner}var.{name}"));
                    self.connect(variable, node);
                    self.refer(configuration, path, module, variable, found);
                }
            }
        }
    }

    fn refer(
        &mut self,
        configuration: &Configuration,
        path: &str,
        module: &Module,
        from: usize,
        references: Vec<Reference>,
    ) {
        for reference in references {
            for label in targets(configuration, path, module, &reference) {
                let to = self.node(label);
                self.connect(from, to);
            }
        }
    }

    /// Drops every edge that a longer path implies, as Terraform does before it shows a graph, so
    /// that distances mean the same.
    fn reduce(&mut self) {
        let count = self.labels.len();
        if count > MAX_REDUCED_NODES {
            return;
        }
        let words = count.div_ceil(64);
        let mut reach: Vec<Option<Vec<u64>>> = vec![None; count];
        for start in 0..count {
            self.reach(start, words, &mut reach);
        }
        let full = self.depends.clone();
        for (node, targets) in full.iter().enumerate() {
            for to in targets {
                let implied = targets.iter().any(|via| {
                    via != to
                        && reach[*via].as_ref().is_some_and(|r| r[to / 64] >> (to % 64) & 1 == 1)
                        // In a cycle (which Terraform refuses later) nothing implies anything.
                        && reach[*to].as_ref().is_none_or(|r| r[via / 64] >> (via % 64) & 1 != 1)
                });
                if implied {
                    self.depends[node].remove(to);
                }
            }
        }
    }

    /// Fills in what is reachable from `start`, children first, without recursion.
    fn reach(&self, start: usize, words: usize, reach: &mut [Option<Vec<u64>>]) {
        let mut stack = vec![(start, false)];
        let mut open = BTreeSet::new();
        while let Some((node, expanded)) = stack.pop() {
            if reach[node].is_some() {
                continue;
            }
            if expanded {
                let mut bits = vec![0u64; words];
                for to in &self.depends[node] {
                    bits[to / 64] |= 1 << (to % 64);
                    if let Some(inner) = &reach[*to] {
                        for (a, b) in bits.iter_mut().zip(inner) {
                            *a |= b;
                        }
                    }
                }
                reach[node] = Some(bits);
                open.remove(&node);
            } else if open.insert(node) {
                stack.push((node, true));
                for to in &self.depends[node] {
                    stack.push((*to, false));
                }
            }
        }
    }

    /// Nodes that depend on `label`, directly or not, nearest first with their distance from 1.
    pub fn dependents_of(&self, label: &str) -> Vec<(usize, &str)> {
        self.walk(label, &self.dependents)
    }

    /// Nodes that `label` depends on, nearest first with their distance from 1.
    pub fn dependencies_of(&self, label: &str) -> Vec<(usize, &str)> {
        self.walk(label, &self.depends)
    }

    fn walk(&self, label: &str, edges: &[BTreeSet<usize>]) -> Vec<(usize, &str)> {
        let Some(start) = self.index.get(label) else {
            return Vec::new();
        };
        let mut seen = BTreeSet::from([*start]);
        let mut queue = VecDeque::from([(0usize, *start)]);
        let mut found = Vec::new();
        while let Some((depth, node)) = queue.pop_front() {
            for next in &edges[node] {
                if seen.insert(*next) {
                    found.push((depth + 1, self.labels[*next].as_str()));
                    queue.push_back((depth + 1, *next));
                }
            }
        }
        found
    }

    /// All labels.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(String::as_str)
    }
}

/// The labels of nodes that a reference in the module at `path` means.
pub fn targets(
    configuration: &Configuration,
    path: &str,
    module: &Module,
    reference: &Reference,
) -> Vec<String> {
    let here = prefix(path);
    match reference.root.as_str() {
        "var" | "local" => {
            let kind = &reference.root;
            let name = reference.name(0);
            name.map(|n| format!("{here}{kind}.{n}"))
                .into_iter()
                .collect()
        }
        "module" => {
            let Some(name) = reference.name(0) else {
                return Vec::new();
            };
            let inner = join(path, name);
            let child = configuration.modules.get(&inner);
            let outputs = child.map(|m| &m.outputs);
            let prefix = prefix(&inner);
            match reference.name(1) {
                Some(output) if outputs.is_none_or(|o| o.contains_key(output)) => {
                    vec![format!("{prefix}output.{output}")]
                }
                // The whole module is meant, for instance in `depends_on`.
                _ => {
                    let mut all: Vec<_> = outputs
                        .into_iter()
                        .flatten()
                        .map(|(output, _)| format!("{prefix}output.{output}"))
                        .collect();
                    if let Some(child) = child {
                        all.extend(
                            child
                                .resources
                                .iter()
                                .map(|r| format!("{prefix}{}", r.address())),
                        );
                    }
                    all
                }
            }
        }
        "data" => match (reference.name(0), reference.name(1)) {
            (Some(kind), Some(name)) => vec![format!("{here}data.{kind}.{name}")],
            _ => Vec::new(),
        },
        kind => match reference.name(0) {
            Some(name) if module.resource(false, kind, name).is_some() => {
                vec![format!("{here}{kind}.{name}")]
            }
            _ => Vec::new(),
        },
    }
}

/// The resources of type `kind` that an expression in the module at `path` leads to, through
/// locals, variables and outputs; labels, nearest first.
pub fn resolve_to(
    configuration: &Configuration,
    path: &str,
    expression: &Expression,
    wanted: &dyn Fn(&str) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut queue: VecDeque<(String, Expression)> =
        VecDeque::from([(path.to_owned(), expression.clone())]);
    while let Some((path, expression)) = queue.pop_front() {
        let Some(module) = configuration.modules.get(&path) else {
            continue;
        };
        for reference in refs::of_expression(&expression) {
            for label in targets(configuration, &path, module, &reference) {
                if !seen.insert(label.clone()) {
                    continue;
                }
                if wanted(&label) {
                    found.push(label);
                } else if let Some(next) = definition(configuration, &path, &reference) {
                    queue.push_back(next);
                }
            }
        }
    }
    found
}

/// Where a local, variable or output gets its value: the module path and the expression there.
fn definition(
    configuration: &Configuration,
    path: &str,
    reference: &Reference,
) -> Option<(String, Expression)> {
    let module = configuration.modules.get(path)?;
    let name = reference.name(0)?;
    match reference.root.as_str() {
        "local" => Some((path.to_owned(), module.locals.get(name)?.clone())),
        "var" => {
            let (parent, call) = match path.rsplit_once('.') {
                Some((parent, call)) => (parent, call),
                None if path.is_empty() => return None,
                None => ("", path),
            };
            let caller = configuration.modules.get(parent)?;
            let call = caller.calls.iter().find(|c| c.name == call)?;
            let argument = call.body.get_attribute(name)?;
            Some((parent.to_owned(), argument.value.clone()))
        }
        "module" => {
            let inner = join(path, name);
            let child = configuration.modules.get(&inner)?;
            let body = child.outputs.get(reference.name(1)?)?;
            Some((inner, body.get_attribute("value")?.value.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hcl::Files;

    fn configuration(files: &[(&str, &str)]) -> Configuration {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect();
        Configuration::read(&Files::new(files)).unwrap()
    }

    #[test]
    fn finds_the_nearest_dependent_through_locals() {
        let configuration = configuration(&[(
            "main.tf",
            r#"
resource "coder_agent" "main" {}
locals { data = coder_agent.main.init_script }
resource "aws_instance" "dev" { user_data = local.data }
resource "aws_state" "dev" { instance = aws_instance.dev.id }
"#,
        )]);
        let graph = Graph::of(&configuration);
        let found = graph.dependents_of("coder_agent.main");
        assert_eq!(
            found,
            [
                (1, "local.data"),
                (2, "aws_instance.dev"),
                (3, "aws_state.dev")
            ]
        );
    }

    #[test]
    fn a_longer_path_hides_a_direct_edge() {
        let configuration = configuration(&[(
            "main.tf",
            r#"
resource "coder_agent" "main" {}
resource "z_image" "i" { arch = coder_agent.main.arch }
resource "a_container" "c" {
  image = z_image.i.id
  token = coder_agent.main.token
}
"#,
        )]);
        let found = Graph::of(&configuration);
        assert_eq!(
            found.dependents_of("coder_agent.main"),
            [(1, "z_image.i"), (2, "a_container.c")]
        );
    }

    #[test]
    fn follows_module_inputs_and_outputs() {
        let configuration = configuration(&[
            (
                "main.tf",
                r#"
resource "coder_agent" "main" {}
module "app" {
  source   = "./app"
  agent_id = coder_agent.main.id
}
resource "x_thing" "t" { url = module.app.url }
"#,
            ),
            (
                "app/main.tf",
                r#"
variable "agent_id" {}
resource "coder_app" "a" { agent_id = var.agent_id }
output "url" { value = coder_app.a.url }
"#,
            ),
        ]);
        let app = configuration.modules["app"]
            .resource(false, "coder_app", "a")
            .unwrap();
        let agents = resolve_to(
            &configuration,
            "app",
            app.attribute("agent_id").unwrap(),
            &|label| label.contains("coder_agent."),
        );
        assert_eq!(agents, ["coder_agent.main"]);
        let graph = Graph::of(&configuration);
        let found = graph.dependents_of("coder_agent.main");
        assert!(found.iter().any(|(_, l)| *l == "x_thing.t"), "{found:?}");
    }

    #[test]
    fn a_cycle_does_not_hang() {
        let configuration =
            configuration(&[("main.tf", "locals {\n a = local.b\n b = local.a\n}")]);
        let graph = Graph::of(&configuration);
        assert_eq!(graph.dependencies_of("local.a").len(), 1);
    }
}
