//! Resources that a plan replaces, which matters when somebody claims a prebuilt workspace.

use rpc::proto::provisioner::ResourceReplacement;
use serde_json::Value;

/// What a plan replaces, and which attributes force it. Our own types are left out: they are
/// replaced in every build.
pub fn replacements(plan: &[u8]) -> Vec<ResourceReplacement> {
    let Ok(plan) = serde_json::from_slice::<Value>(plan) else {
        return Vec::new();
    };
    let changes = plan["resource_changes"].as_array();
    changes
        .into_iter()
        .flatten()
        .filter(|c| !c["type"].as_str().unwrap_or_default().starts_with("coder_"))
        .filter_map(|change| {
            let paths: Vec<String> = change["change"]["replace_paths"]
                .as_array()?
                .iter()
                .filter_map(|path| {
                    let steps = path.as_array()?.iter().map(|step| match step {
                        Value::String(s) => s.clone(),
                        other => other.to_string(),
                    });
                    Some(steps.collect::<Vec<_>>().join("."))
                })
                .collect();
            (!paths.is_empty()).then(|| ResourceReplacement {
                resource: change["address"].as_str().unwrap_or_default().to_owned(),
                paths,
            })
        })
        .collect()
}
