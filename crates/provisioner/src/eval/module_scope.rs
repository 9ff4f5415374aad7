//! What names mean inside of a module.

use std::rc::Rc;

use super::scope::{Bound, Scope};
use super::world::{ModuleInstance, World};
use super::{EvalError, Result, Value};
use crate::hcl::Module;

/// Names as they are seen from inside of a module instance.
pub(super) struct ModuleScope<'w, 'a> {
    pub world: &'w World<'a>,
    pub at: &'w Rc<ModuleInstance>,
    pub module: &'w Module,
}

impl Scope for ModuleScope<'_, '_> {
    fn lookup(&self, words: &[&str]) -> Result<(Value, usize)> {
        let (world, at, module) = (self.world, self.at, self.module);
        let second = words.get(1).copied().unwrap_or_default();
        Ok(match words[0] {
            "var" => (
                world.once(at, format!("var.{second}"), || {
                    world.variable(at, module, second)
                })?,
                2,
            ),
            "local" => {
                let Some(expression) = module.locals.get(second) else {
                    return Err(EvalError::new(format!(
                        "there is no local value {second:?}"
                    )));
                };
                let eval = || world.eval(at, &Bound::default(), expression);
                (world.once(at, format!("local.{second}"), eval)?, 2)
            }
            "module" => (
                world.once(at, format!("module.{second}"), || {
                    world.outputs(at, module, second)
                })?,
                2,
            ),
            "path" => {
                let directory = match (second, module.directory.as_str()) {
                    ("module", directory) if !directory.is_empty() => directory,
                    _ => ".",
                };
                (Value::text(directory), 2)
            }
            "terraform" if second == "workspace" => (Value::text("default"), 2),
            "each" | "count" | "self" | "terraform" => (Value::Unknown, words.len()),
            "data" => {
                let third = words.get(2).copied().unwrap_or_default();
                let Some(resource) = module.resource(true, second, third) else {
                    return Err(EvalError::new(format!(
                        "there is no data source {second}.{third}"
                    )));
                };
                let value = world.once(at, resource.address(), || world.data(at, resource))?;
                (value, 3)
            }
            kind => {
                let Some(resource) = module.resource(false, kind, second) else {
                    return Err(EvalError::new(format!(
                        "there is nothing called {}",
                        words.join(".")
                    )));
                };
                // What the template sets is known; what a provider computes is not.
                let counted = resource.attribute("count").is_some()
                    || resource.attribute("for_each").is_some();
                match words.get(2).and_then(|name| resource.attribute(name)) {
                    Some(expression) if !counted => {
                        let label = format!("{}.{}", resource.address(), words[2]);
                        let eval = || world.eval(at, &Bound::default(), expression);
                        (world.once(at, label, eval)?, 3)
                    }
                    _ => (Value::Unknown, words.len()),
                }
            }
        })
    }

    fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.world.files.get(path).map(<[u8]>::to_vec)
    }

    fn files_below(&self, directory: &str) -> Vec<String> {
        let prefix = if directory.is_empty() {
            String::new()
        } else {
            format!("{directory}/")
        };
        self.world
            .files
            .paths()
            .filter_map(|p| p.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect()
    }
}
