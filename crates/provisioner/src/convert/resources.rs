//! The list of resources that people see.

use std::collections::BTreeMap;

use rpc::proto::provisioner::Resource;

use super::Instance;
use super::agents::PlacedAgent;
use super::metadata::Metadata;

/// Parts of agents and resources rather than resources.
const PARTS: [&str; 5] = [
    "coder_script",
    "coder_agent",
    "coder_agent_instance",
    "coder_app",
    "coder_metadata",
];

/// Attributes that hold the size of a machine.
const INSTANCE_TYPES: [(&str, &str); 5] = [
    ("google_compute_instance", "machine_type"),
    ("aws_instance", "instance_type"),
    ("aws_spot_instance_request", "instance_type"),
    ("azurerm_linux_virtual_machine", "size"),
    ("azurerm_windows_virtual_machine", "size"),
];

pub(super) fn resources(
    instances: &[Instance],
    agents: Vec<PlacedAgent>,
    mut metadata: BTreeMap<String, Metadata>,
) -> Vec<Resource> {
    let mut by_host: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for placed in agents {
        by_host.entry(placed.host).or_default().push(placed.agent);
    }
    let mut shown: Vec<&Instance> = instances
        .iter()
        .filter(|i| !i.data && !PARTS.contains(&i.kind.as_str()))
        .collect();
    shown.sort_by(|a, b| a.address.cmp(&b.address));
    shown
        .into_iter()
        .map(|instance| {
            let metadata = metadata.remove(&instance.address).unwrap_or_default();
            let instance_type = INSTANCE_TYPES
                .iter()
                .find(|(kind, _)| *kind == instance.kind)
                .map(|(_, attribute)| instance.attributes().text(attribute))
                .unwrap_or_default();
            Resource {
                name: instance.name.clone(),
                r#type: instance.kind.clone(),
                agents: by_host.remove(&instance.address).unwrap_or_default(),
                metadata: metadata.items,
                hide: metadata.hide,
                icon: metadata.icon,
                instance_type,
                daily_cost: metadata.daily_cost,
                module_path: instance.module.clone(),
            }
        })
        .collect()
}
