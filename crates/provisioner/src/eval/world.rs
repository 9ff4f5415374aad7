//! Everything that references can mean in one rendering: modules, variables, locals, data sources.
//! Each is evaluated when it is first asked for, and once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;

use super::convert::{self, number};
use super::expression::{Budget, Evaluator, entries};
use super::module_scope::ModuleScope;
use super::optional::with_optional;
use super::parameter::{self, RenderedParameter};
use super::prior::Prior;
use super::scope::Bound;
use super::{EvalError, Result, Value};
use crate::hcl::{Configuration, Files, Module, Resource, constant, joined, variables};

/// Instances of one block; a form with more is no form.
const MAX_INSTANCES: usize = 200;
/// Module instances of one rendering.
const MAX_MODULES: usize = 500;

/// One module as it is called.
#[derive(Debug, Clone, Default)]
pub(super) struct ModuleInstance {
    /// Path of call names.
    pub path: String,
    /// Address with instance keys.
    pub address: String,
    /// The caller, and what `each` and `count` are in the call.
    parent: Option<(Rc<ModuleInstance>, Bound)>,
}

/// How often a block exists.
pub(super) enum Instances {
    /// Once, without `count` and `for_each`.
    One,
    /// `count` times.
    Count(usize),
    /// For each of these keys and values.
    Each(Vec<(String, Value)>),
    /// Not known before a run.
    Unknown,
}

enum Memo {
    Busy,
    Value(Result),
}

/// What is given to one rendering.
pub(super) struct World<'a> {
    pub configuration: &'a Configuration,
    pub files: &'a Files,
    pub prior: &'a Prior,
    pub variables: &'a BTreeMap<String, String>,
    pub owner: Value,
    pub inputs: &'a BTreeMap<String, String>,
    pub previous: &'a BTreeMap<String, String>,
    pub budget: Budget,
    memo: RefCell<BTreeMap<(String, String), Memo>>,
    parameters: RefCell<BTreeMap<(String, String), Vec<RenderedParameter>>>,
}

impl<'a> World<'a> {
    pub(super) fn new(
        configuration: &'a Configuration,
        files: &'a Files,
        prior: &'a Prior,
        variables: &'a BTreeMap<String, String>,
        owner: Value,
        inputs: &'a BTreeMap<String, String>,
        previous: &'a BTreeMap<String, String>,
    ) -> Self {
        Self {
            configuration,
            files,
            prior,
            variables,
            owner,
            inputs,
            previous,
            budget: Budget::default(),
            memo: RefCell::default(),
            parameters: RefCell::default(),
        }
    }

    /// Every module instance, callers before what they call.
    pub(super) fn modules(&self) -> Vec<Rc<ModuleInstance>> {
        let mut all = vec![Rc::new(ModuleInstance::default())];
        let mut next = 0;
        while next < all.len() && all.len() < MAX_MODULES {
            let instance = Rc::clone(&all[next]);
            next += 1;
            let Some(module) = self.configuration.modules.get(&instance.path) else {
                continue;
            };
            for call in &module.calls {
                all.extend(self.called(&instance, &call.name, &call.body));
            }
        }
        all.truncate(MAX_MODULES);
        all
    }

    fn called(
        &self,
        caller: &Rc<ModuleInstance>,
        name: &str,
        body: &Body,
    ) -> Vec<Rc<ModuleInstance>> {
        let path = joined(&caller.path, name);
        if !self.configuration.modules.contains_key(&path) {
            return Vec::new();
        }
        let base = if caller.address.is_empty() {
            format!("module.{name}")
        } else {
            format!("{}.module.{name}", caller.address)
        };
        self.instances(caller, body)
            .map(|found| keyed(&found))
            .unwrap_or_default()
            .into_iter()
            .map(|(key, bound)| {
                Rc::new(ModuleInstance {
                    path: path.clone(),
                    address: format!("{base}{key}"),
                    parent: Some((Rc::clone(caller), bound)),
                })
            })
            .collect()
    }

    /// How often a block in a module exists.
    pub(super) fn instances(&self, at: &Rc<ModuleInstance>, body: &Body) -> Result<Instances> {
        let attribute = |name| body.get_attribute(name).map(|a| &a.value);
        if let Some(count) = attribute("count") {
            return Ok(match number(&self.eval(at, &Bound::default(), count)?)? {
                None => Instances::Unknown,
                Some(n) => Instances::Count((n.max(0.0) as usize).min(MAX_INSTANCES)),
            });
        }
        if let Some(each) = attribute("for_each") {
            let value = self.eval(at, &Bound::default(), each)?;
            let Some(found) = entries(&value)? else {
                return Ok(Instances::Unknown);
            };
            let mut keyed = Vec::new();
            for (key, value) in found.into_iter().take(MAX_INSTANCES) {
                match convert::text(&key)? {
                    Some(key) => keyed.push((key, value)),
                    None => return Ok(Instances::Unknown),
                }
            }
            return Ok(Instances::Each(keyed));
        }
        Ok(Instances::One)
    }

    /// Evaluates an expression in a module.
    pub(super) fn eval(
        &self,
        at: &Rc<ModuleInstance>,
        bound: &Bound,
        expression: &Expression,
    ) -> Result {
        self.with(at, bound, |evaluator| evaluator.eval(expression))
    }

    /// Calls `f` with an evaluator for a place in a module.
    pub(super) fn with<T>(
        &self,
        at: &Rc<ModuleInstance>,
        bound: &Bound,
        f: impl FnOnce(&Evaluator<'_>) -> Result<T>,
    ) -> Result<T> {
        let Some(module) = self.configuration.modules.get(&at.path) else {
            return Err(EvalError::new("the module is not there"));
        };
        let scope = ModuleScope {
            world: self,
            at,
            module,
        };
        f(&Evaluator {
            scope: &scope,
            bound,
            budget: &self.budget,
        })
    }

    /// The parameters that a `coder_parameter` block declares.
    pub(super) fn parameters(
        &self,
        at: &Rc<ModuleInstance>,
        resource: &Resource,
    ) -> Vec<RenderedParameter> {
        let key = (at.address.clone(), resource.address());
        if let Some(known) = self.parameters.borrow().get(&key) {
            return known.clone();
        }
        // What is found while this one is being evaluated refers to itself.
        self.parameters.borrow_mut().insert(key.clone(), Vec::new());
        let found = self.instances(at, &resource.body);
        let rendered: Vec<_> = match found {
            Ok(instances) => keyed(&instances)
                .into_iter()
                .map(|(_, bound)| parameter::render(self, at, resource, &bound))
                .collect(),
            Err(error) => vec![parameter::broken(resource, &error)],
        };
        self.parameters.borrow_mut().insert(key, rendered.clone());
        rendered
    }

    pub(super) fn once(
        &self,
        at: &ModuleInstance,
        label: String,
        f: impl FnOnce() -> Result,
    ) -> Result {
        let key = (at.address.clone(), label);
        match self.memo.borrow().get(&key) {
            Some(Memo::Busy) => {
                return Err(EvalError::new(format!("{} refers to itself", key.1)));
            }
            Some(Memo::Value(value)) => return value.clone(),
            None => {}
        }
        self.memo.borrow_mut().insert(key.clone(), Memo::Busy);
        let value = f();
        self.memo
            .borrow_mut()
            .insert(key, Memo::Value(value.clone()));
        value
    }

    pub(super) fn variable(&self, at: &Rc<ModuleInstance>, module: &Module, name: &str) -> Result {
        let declared = module.variables.iter().find(|v| v.name == name);
        let kind = declared
            .map(|v| variables::type_text(&v.body))
            .unwrap_or_default();
        let default = || match declared.and_then(|v| v.body.get_attribute("default")) {
            Some(default) => Ok(constant::value(&default.value)
                .map_or(Value::Unknown, |json| Value::from_json(&json))),
            None => Ok(Value::Unknown),
        };
        let value = match &at.parent {
            None => match self.variables.get(name).filter(|text| !text.is_empty()) {
                Some(text) => convert::variable(&kind, text),
                None => default()?,
            },
            Some((caller, bound)) => match self.argument(at, caller, name) {
                Some(argument) => match self.eval(caller, bound, &argument)? {
                    Value::Null => default()?,
                    value => value,
                },
                None => default()?,
            },
        };
        let typed = declared
            .and_then(|v| v.body.get_attribute("type"))
            .map(|t| with_optional(&t.value, value.clone()));
        Ok(convert::typed(&kind, typed.unwrap_or(value)))
    }

    fn argument(
        &self,
        at: &ModuleInstance,
        caller: &ModuleInstance,
        name: &str,
    ) -> Option<Expression> {
        let own = at.path.rsplit('.').next()?;
        let module = self.configuration.modules.get(&caller.path)?;
        let call = module.calls.iter().find(|c| c.name == own)?;
        Some(call.body.get_attribute(name)?.value.clone())
    }

    pub(super) fn outputs(&self, at: &Rc<ModuleInstance>, module: &Module, name: &str) -> Result {
        let Some(call) = module.calls.iter().find(|c| c.name == name) else {
            return Err(EvalError::new(format!("there is no module {name:?}")));
        };
        let path = joined(&at.path, name);
        let Some(child) = self.configuration.modules.get(&path) else {
            return Ok(Value::Unknown); // Not at hand; what it would say is not known.
        };
        let found = self.instances(at, &call.body)?;
        let mut values = Vec::new();
        for instance in self.called(at, name, &call.body) {
            let mut outputs = BTreeMap::new();
            for (output, body) in &child.outputs {
                let value = match body.get_attribute("value") {
                    Some(value) => self.eval(&instance, &Bound::default(), &value.value)?,
                    None => Value::Null,
                };
                outputs.insert(output.clone(), value);
            }
            values.push(Value::Map(outputs));
        }
        Ok(combine(&found, values))
    }

    pub(super) fn data(&self, at: &Rc<ModuleInstance>, resource: &Resource) -> Result {
        let own = resource.address();
        match resource.kind.as_str() {
            "coder_parameter" => {
                let found = self.instances(at, &resource.body)?;
                let rendered = self.parameters(at, resource);
                Ok(combine(
                    &found,
                    rendered.iter().map(parameter::as_value).collect(),
                ))
            }
            "coder_workspace_owner" => Ok(self.owner.clone()),
            "coder_workspace" => Ok(workspace()),
            "coder_provisioner" => Ok(provisioner()),
            _ => Ok(self
                .prior
                .get(&at.address, &own)
                .cloned()
                .unwrap_or_default()),
        }
    }
}

/// A workspace that is about to start: this much is known of it.
fn workspace() -> Value {
    let known = [
        ("transition", Value::text("start")),
        ("start_count", Value::Number(1.0)),
    ];
    let unknown = [
        "id",
        "name",
        "prebuild_count",
        "is_prebuild",
        "is_prebuild_claim",
        "template_id",
        "template_name",
        "template_version",
        "access_url",
        "access_port",
    ];
    let unknown = unknown.map(|name| (name, Value::Unknown));
    let all = known.into_iter().chain(unknown);
    Value::Map(all.map(|(name, value)| (name.to_owned(), value)).collect())
}

fn provisioner() -> Value {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "armv7",
        other => other,
    };
    let all = [("os", std::env::consts::OS), ("arch", arch)];
    Value::Map(all.map(|(k, v)| (k.to_owned(), Value::text(v))).into())
}

/// The key in the address and the names bound in each instance of a block. Of a block whose number
/// is not known, one is shown.
pub(super) fn keyed(instances: &Instances) -> Vec<(String, Bound)> {
    let object = |pairs: &[(&str, Value)]| {
        Value::Map(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), v.clone()))
                .collect(),
        )
    };
    match instances {
        Instances::One | Instances::Unknown => vec![(String::new(), Bound::default())],
        Instances::Count(n) => (0..*n)
            .map(|n| {
                let count = object(&[("index", Value::Number(n as f64))]);
                (format!("[{n}]"), Bound::default().with("count", count))
            })
            .collect(),
        Instances::Each(items) => items
            .iter()
            .map(|(key, value)| {
                let each = object(&[("key", Value::text(key)), ("value", value.clone())]);
                let key = Value::text(key).to_json();
                (format!("[{key}]"), Bound::default().with("each", each))
            })
            .collect(),
    }
}

/// What a reference to a block gives: one object, a list or a map.
fn combine(instances: &Instances, values: Vec<Value>) -> Value {
    match instances {
        Instances::One => values.into_iter().next().unwrap_or_default(),
        Instances::Count(_) => Value::List(values),
        Instances::Each(items) => Value::Map(
            items
                .iter()
                .map(|(key, _)| key.clone())
                .zip(values)
                .collect(),
        ),
        Instances::Unknown => Value::Unknown,
    }
}
