//! Values of data sources as they were when the version was imported.

use std::collections::BTreeMap;

use super::Value;
use crate::convert::from_plan;

/// Data sources of the stored plan, by module address and own address; counted ones as lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Prior {
    values: BTreeMap<(String, String), Value>,
}

impl Prior {
    /// From the JSON form of a plan; empty if it is not one.
    pub(super) fn new(plan: &[u8]) -> Self {
        let mut all: BTreeMap<(String, String), Vec<(String, Value)>> = BTreeMap::new();
        for instance in from_plan(plan).unwrap_or_default() {
            if !instance.data || instance.kind.starts_with("coder_") {
                continue;
            }
            let own = format!("data.{}.{}", instance.kind, instance.name);
            let object = serde_json::Value::Object(instance.values);
            all.entry((instance.module, own))
                .or_default()
                .push((instance.key, Value::from_json(&object)));
        }
        let values = all
            .into_iter()
            .map(|(at, found)| (at, join(&found)))
            .collect();
        Self { values }
    }

    pub(super) fn get(&self, module: &str, own: &str) -> Option<&Value> {
        self.values.get(&(module.to_owned(), own.to_owned()))
    }
}

/// Instances of one data source by their keys.
fn join(found: &[(String, Value)]) -> Value {
    let number =
        |key: &str| -> Option<usize> { key.strip_prefix('[')?.strip_suffix(']')?.parse().ok() };
    let text = |key: &str| -> Option<String> {
        serde_json::from_str(key.strip_prefix('[')?.strip_suffix(']')?).ok()
    };
    match found {
        [(key, value)] if key.is_empty() => value.clone(),
        many if many.iter().all(|(key, _)| number(key).is_some()) => {
            let mut items: Vec<_> = many.to_vec();
            items.sort_by_key(|(key, _)| number(key));
            Value::List(items.into_iter().map(|(_, v)| v).collect())
        }
        many => Value::Map(
            many.iter()
                .filter_map(|(key, value)| Some((text(key)?, value.clone())))
                .collect(),
        ),
    }
}
