//! Agents, and the resource to which each belongs.

use std::collections::BTreeSet;

use rpc::proto::provisioner::{
    Agent, DisplayApps, MemoryResourceMonitor, ResourcesMonitoring, Script, VolumeResourceMonitor,
    agent,
};

use super::attributes::Attributes;
use super::{ConvertError, Instance, Template};

/// An agent on its way to a resource.
#[derive(Debug)]
pub(super) struct PlacedAgent {
    pub agent: Agent,
    /// The instance that declares it.
    pub label: String,
    pub module: String,
    pub key: String,
    /// Address of the resource that hosts it.
    pub host: String,
}

/// Resource types whose identity proves who an agent is, and the attribute that holds it.
const IDENTITIES: [(&str, &str); 5] = [
    ("google_compute_instance", "instance_id"),
    ("aws_instance", "id"),
    ("aws_spot_instance_request", "spot_instance_id"),
    ("azurerm_linux_virtual_machine", "virtual_machine_id"),
    ("azurerm_windows_virtual_machine", "virtual_machine_id"),
];

pub(super) fn agents(
    template: &Template,
    instances: &[Instance],
    warnings: &mut Vec<String>,
) -> Result<Vec<PlacedAgent>, ConvertError> {
    let mut found: Vec<&Instance> = instances.iter().filter(|i| i.is("coder_agent")).collect();
    found.sort_by(|a, b| a.address.cmp(&b.address));
    let mut names = BTreeSet::new();
    let mut placed = Vec::new();
    for instance in found {
        check_name(&instance.name)?;
        if !names.insert(instance.name.to_ascii_lowercase()) {
            return Err(ConvertError::template(format!(
                "duplicate agent name: {} (agent names must differ in more than case)",
                instance.name
            )));
        }
        let Some(host) = host(template, instances, instance) else {
            warnings.push(format!(
                "{} is left out, because no resource depends on it. Use its token or init_script in the resource that runs it.",
                instance.address
            ));
            continue;
        };
        placed.push(PlacedAgent {
            agent: agent(instance),
            label: instance.label.clone(),
            module: instance.module.clone(),
            key: instance.key.clone(),
            host: host.address.clone(),
        });
    }
    instance_ids(instances, &mut placed);
    Ok(placed)
}

fn check_name(name: &str) -> Result<(), ConvertError> {
    if is_agent_name(name) {
        return Ok(());
    }
    let pattern = "^[a-z0-9](-?[a-z0-9])*$, in any case";
    Err(ConvertError::template(if name.contains('_') {
        format!(
            "agent name {name:?} contains underscores, which are not supported, please use hyphens instead ({pattern})"
        )
    } else {
        format!("agent name {name:?} does not match {pattern}")
    }))
}

fn is_agent_name(name: &str) -> bool {
    super::children::is_slug(&name.to_ascii_lowercase())
}

/// The nearest resource that depends on the agent.
fn host<'a>(
    template: &Template,
    instances: &'a [Instance],
    agent: &Instance,
) -> Option<&'a Instance> {
    let hosts = |label: &str| {
        let mut of_label: Vec<&Instance> = instances
            .iter()
            .filter(|i| i.label == label && is_host(i))
            .collect();
        // Of several instances, the one that sits where the agent sits.
        of_label.sort_by_key(|i| {
            (
                i.module != agent.module,
                i.key != agent.key,
                i.address.clone(),
            )
        });
        of_label.first().copied()
    };
    let mut best: Option<(usize, &str, &Instance)> = None;
    for (depth, label) in template.graph.dependents_of(&agent.label) {
        if best.is_some_and(|(d, l, _)| (d, l) <= (depth, label)) {
            continue;
        }
        if let Some(instance) = hosts(label) {
            best = Some((depth, label, instance));
        }
    }
    best.map(|(_, _, instance)| instance)
}

/// Whether an instance is something that an agent can run on.
pub(super) fn is_host(instance: &Instance) -> bool {
    let ours = instance.kind.starts_with("coder_") && instance.kind != "coder_external_agent";
    !instance.data && !ours
}

fn agent(instance: &Instance) -> Agent {
    let a = instance.attributes();
    let display_apps = a.blocks("display_apps").first().map_or(
        DisplayApps {
            vscode: true,
            vscode_insiders: false,
            web_terminal: true,
            ssh_helper: true,
            port_forwarding_helper: true,
        },
        |d| DisplayApps {
            vscode: d.flag("vscode"),
            vscode_insiders: d.flag("vscode_insiders"),
            web_terminal: d.flag("web_terminal"),
            ssh_helper: d.flag("ssh_helper"),
            port_forwarding_helper: d.flag("port_forwarding_helper"),
        },
    );
    let metadata = a
        .blocks("metadata")
        .into_iter()
        .map(|m| agent::Metadata {
            key: m.text("key"),
            display_name: m.text("display_name"),
            script: m.text("script"),
            interval: m.number("interval"),
            timeout: m.number("timeout"),
            order: m.number("order"),
        })
        .collect();
    Agent {
        id: a.text("id"),
        name: instance.name.clone(),
        env: a.map("env").into_iter().collect(),
        operating_system: a.text("os"),
        architecture: a.text("arch"),
        directory: a.text("dir"),
        auth: Some(match a.text("auth").as_str() {
            "token" => agent::Auth::Token(a.text("token")),
            // Every other way is proof by the machine's identity.
            _ => agent::Auth::InstanceId(String::new()),
        }),
        connection_timeout_seconds: a.number32("connection_timeout"),
        troubleshooting_url: a.text("troubleshooting_url"),
        motd_file: a.text("motd_file"),
        metadata,
        display_apps: Some(display_apps),
        scripts: scripts(a),
        order: a.number("order"),
        resources_monitoring: Some(monitoring(a)),
        api_key_scope: a.text("api_key_scope"),
        ..Agent::default()
    }
}

/// The scripts that an agent has in attributes of its own.
fn scripts(a: Attributes<'_>) -> Vec<Script> {
    let mut scripts = Vec::new();
    let startup = a.text("startup_script");
    if !startup.is_empty() {
        let behavior = a.text("startup_script_behavior");
        // The attribute that came before it: false meant to wait.
        let legacy = behavior.is_empty()
            && a.get("login_before_ready").is_some()
            && !a.flag("login_before_ready");
        scripts.push(Script {
            display_name: "Startup Script".into(),
            icon: "/emojis/25b6-fe0f.png".into(),
            log_path: "coder-startup-script.log".into(),
            script: startup,
            start_blocks_login: behavior == "blocking" || legacy,
            run_on_start: true,
            ..Script::default()
        });
    }
    let shutdown = a.text("shutdown_script");
    if !shutdown.is_empty() {
        scripts.push(Script {
            display_name: "Shutdown Script".into(),
            icon: "/emojis/25c0.png".into(),
            log_path: "coder-shutdown-script.log".into(),
            script: shutdown,
            run_on_stop: true,
            ..Script::default()
        });
    }
    scripts
}

fn monitoring(a: Attributes<'_>) -> ResourcesMonitoring {
    let mut monitoring = ResourcesMonitoring::default();
    for block in a.blocks("resources_monitoring") {
        for memory in block.blocks("memory") {
            monitoring.memory = Some(MemoryResourceMonitor {
                enabled: memory.flag("enabled"),
                threshold: memory.number32("threshold"),
            });
        }
        for volume in block.blocks("volume") {
            monitoring.volumes.push(VolumeResourceMonitor {
                path: volume.text("path"),
                enabled: volume.flag("enabled"),
                threshold: volume.number32("threshold"),
            });
        }
    }
    monitoring
}

/// Gives agents that prove themselves by their machine the machine's identity: what the template
/// says explicitly, else what the hosting resource is known by.
fn instance_ids(instances: &[Instance], placed: &mut [PlacedAgent]) {
    for instance in instances.iter().filter(|i| i.is("coder_agent_instance")) {
        let a = instance.attributes();
        let (agent_id, id) = (a.text("agent_id"), a.text("instance_id"));
        for agent in placed.iter_mut().filter(|p| p.agent.id == agent_id) {
            if let Some(agent::Auth::InstanceId(current)) = &mut agent.agent.auth
                && !agent_id.is_empty()
            {
                current.clone_from(&id);
            }
        }
    }
    for agent in placed {
        if let Some(agent::Auth::InstanceId(current)) = &mut agent.agent.auth
            && current.is_empty()
            && let Some(host) = instances.iter().find(|i| i.address == agent.host)
            && let Some((_, attribute)) = IDENTITIES.iter().find(|(kind, _)| *kind == host.kind)
        {
            *current = host.attributes().text(attribute);
        }
    }
}
