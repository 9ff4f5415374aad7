//! The options as the deployment API tells them.

use serde_json::{Map, Value, json};

use super::{Kind, Options, Spec, table};

/// `{config, options}`: the values as a tree, and each option with where its
/// value came from. Secrets are withheld.
pub fn deployment_config(options: &Options) -> Value {
    let mut config = Map::new();
    let mut list = Vec::new();
    for spec in table() {
        let value = if spec.secret {
            Value::Null
        } else {
            value(options, spec)
        };
        if !spec.secret {
            config.insert(spec.flag.replace('-', "_"), value.clone());
        }
        list.push(json!({
            "name": spec.flag,
            "description": spec.help,
            "flag": spec.flag,
            "env": spec.env(),
            "yaml": spec.yaml_path().unwrap_or_default().join("."),
            "default": spec.default,
            "value": value,
            "value_source": options.source(spec.flag).name(),
            "hidden": spec.hidden,
            "annotations": if spec.secret { json!({"secret": "true"}) } else { json!({}) },
        }));
    }
    json!({"config": config, "options": list})
}

fn value(options: &Options, spec: &Spec) -> Value {
    match spec.kind {
        Kind::Bool => json!(options.on(spec.flag)),
        Kind::Int => json!(options.int(spec.flag)),
        // Nanoseconds, as everywhere in the API.
        Kind::Duration => {
            json!(u64::try_from(options.duration(spec.flag).as_nanos()).unwrap_or(u64::MAX))
        }
        Kind::List => json!(options.list(spec.flag)),
        Kind::Json => serde_json::from_str(options.text(spec.flag)).unwrap_or(Value::Null),
        _ => json!(options.text(spec.flag)),
    }
}
