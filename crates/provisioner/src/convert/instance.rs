//! Resource instances as Terraform's plan (JSON form) and state (version 4) list them.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ConvertError;
use super::attributes::Attributes;

/// Modules inside modules that are followed.
const MAX_DEPTH: usize = 64;

/// One instance of a resource or data source.
#[derive(Debug, Clone, Default)]
pub struct Instance {
    /// The full address, such as `module.m[0].a.b["k"]`.
    pub address: String,
    /// The address without instance keys, as nodes of the graph are called.
    pub label: String,
    /// The address of its module with instance keys; empty for the root.
    pub module: String,
    /// Whether it is a data source.
    pub data: bool,
    /// Its type.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its key among the instances of a counted resource, as it stands in the address.
    pub key: String,
    /// Values of its attributes as far as they are known.
    pub values: Map<String, Value>,
}

impl Instance {
    pub(super) fn attributes(&self) -> Attributes<'_> {
        Attributes::new(&self.values)
    }

    /// Its module's path of call names, `a.b`.
    pub(super) fn module_path(&self) -> String {
        without_keys(&self.module)
            .split('.')
            .filter(|p| !p.is_empty())
            .skip(1)
            .step_by(2)
            .collect::<Vec<_>>()
            .join(".")
    }

    /// Whether it is of this type and managed.
    pub(super) fn is(&self, kind: &str) -> bool {
        !self.data && self.kind == kind
    }

    fn new(module: &str, data: bool, kind: String, name: String, key: String) -> Self {
        let own = if data {
            format!("data.{kind}.{name}")
        } else {
            format!("{kind}.{name}")
        };
        let address = match module {
            "" => format!("{own}{key}"),
            module => format!("{module}.{own}{key}"),
        };
        let label = match without_keys(module).as_str() {
            "" => own,
            module => format!("{module}.{own}"),
        };
        Self {
            address,
            label,
            module: module.to_owned(),
            data,
            kind,
            name,
            key,
            values: Map::new(),
        }
    }
}

/// An address without `[…]`, which may hold quoted brackets and dots.
fn without_keys(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    let mut depth = 0usize;
    let mut quoted = false;
    let mut escaped = false;
    for c in address.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if depth > 0 => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

fn key_text(key: Option<&Value>) -> String {
    match key {
        Some(Value::Number(n)) => format!("[{n}]"),
        Some(Value::String(s)) => format!("[{}]", Value::String(s.clone())),
        _ => String::new(),
    }
}

#[derive(Deserialize)]
struct Plan {
    #[serde(default)]
    planned_values: Option<PlanValues>,
    #[serde(default)]
    prior_state: Option<PriorState>,
}

#[derive(Deserialize)]
struct PriorState {
    #[serde(default)]
    values: Option<PlanValues>,
}

#[derive(Deserialize)]
struct PlanValues {
    #[serde(default)]
    root_module: PlanModule,
}

#[derive(Deserialize, Default)]
struct PlanModule {
    #[serde(default)]
    address: String,
    #[serde(default)]
    resources: Vec<PlanResource>,
    #[serde(default)]
    child_modules: Vec<PlanModule>,
}

#[derive(Deserialize)]
struct PlanResource {
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    index: Option<Value>,
    #[serde(default)]
    values: Option<Map<String, Value>>,
}

/// The instances of a plan: data sources that were read, and everything as it is planned to be.
///
/// # Errors
/// When the text is not a plan.
pub fn from_plan(json: &[u8]) -> Result<Vec<Instance>, ConvertError> {
    let plan: Plan = serde_json::from_slice(json).map_err(|e| ConvertError::Malformed {
        what: "plan",
        reason: e.to_string(),
    })?;
    let mut found = Vec::new();
    if let Some(values) = plan.prior_state.and_then(|s| s.values) {
        walk(values.root_module, true, 0, &mut found);
    }
    if let Some(values) = plan.planned_values {
        walk(values.root_module, false, 0, &mut found);
    }
    Ok(found)
}

fn walk(module: PlanModule, only_data: bool, depth: usize, found: &mut Vec<Instance>) {
    if depth < MAX_DEPTH {
        for child in module.child_modules {
            walk(child, only_data, depth + 1, found);
        }
    }
    for resource in module.resources {
        let data = resource.mode == "data";
        if only_data && !data {
            continue;
        }
        let key = key_text(resource.index.as_ref());
        let mut instance = Instance::new(&module.address, data, resource.kind, resource.name, key);
        instance.values = resource.values.unwrap_or_default();
        let known = data && found.iter().any(|i| i.address == instance.address);
        if !known {
            found.push(instance);
        }
    }
}

#[derive(Deserialize)]
struct State {
    version: u64,
    #[serde(default)]
    resources: Vec<StateResource>,
}

#[derive(Deserialize)]
struct StateResource {
    #[serde(default)]
    module: String,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    instances: Vec<StateInstance>,
}

#[derive(Deserialize)]
struct StateInstance {
    #[serde(default)]
    index_key: Option<Value>,
    #[serde(default)]
    attributes: Option<Map<String, Value>>,
    /// Set for what is to be destroyed after its replacement was made.
    #[serde(default)]
    deposed: Option<String>,
}

/// The instances of a state, which is empty when there is none.
///
/// # Errors
/// When the text is not a state of version 4.
pub fn from_state(json: &[u8]) -> Result<Vec<Instance>, ConvertError> {
    if json.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let malformed = |reason: String| ConvertError::Malformed {
        what: "state",
        reason,
    };
    let state: State = serde_json::from_slice(json).map_err(|e| malformed(e.to_string()))?;
    if state.version != 4 {
        return Err(malformed(format!(
            "it has version {}, not 4",
            state.version
        )));
    }
    let mut found = Vec::new();
    for resource in state.resources {
        for instance in resource.instances {
            if instance.deposed.is_some() {
                continue;
            }
            let key = key_text(instance.index_key.as_ref());
            let mut made = Instance::new(
                &resource.module,
                resource.mode == "data",
                resource.kind.clone(),
                resource.name.clone(),
                key,
            );
            made.values = instance.attributes.unwrap_or_default();
            found.push(made);
        }
    }
    found.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_state() {
        let state = br#"{"version":4,"resources":[
            {"module":"module.m[\"a.b]\"]","mode":"managed","type":"x","name":"y",
             "instances":[{"index_key":1,"attributes":{"id":"1"}},{"index_key":"k\"","attributes":null}]},
            {"mode":"data","type":"d","name":"e","instances":[{"attributes":{}}]}]}"#;
        let found = from_state(state).unwrap();
        let addresses: Vec<_> = found.iter().map(|i| i.address.as_str()).collect();
        assert_eq!(
            addresses,
            [
                "data.d.e",
                r#"module.m["a.b]"].x.y["k\""]"#,
                r#"module.m["a.b]"].x.y[1]"#
            ]
        );
        assert_eq!(found[2].label, "module.m.x.y");
        assert_eq!(found[2].module_path(), "m");
    }

    #[test]
    fn refuses_what_is_no_state() {
        assert!(from_state(b"  \n").unwrap().is_empty());
        for bad in [
            &b"{"[..],
            b"[]",
            b"{\"version\":3}",
            b"\x00",
            b"{\"version\":4,\"resources\":7}",
        ] {
            assert!(from_state(bad).is_err());
        }
        assert!(from_plan(b"null").is_err());
    }
}
