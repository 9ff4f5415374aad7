//! What `docker inspect` and `podman inspect` tell of containers.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use api_types::{WorkspaceAgentContainer, WorkspaceAgentContainerPort};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    #[serde(default)]
    created: DateTime<Utc>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    config: Config,
    #[serde(default)]
    state: State,
    #[serde(default, deserialize_with = "null_default")]
    mounts: Vec<Mount>,
    #[serde(default)]
    network_settings: NetworkSettings,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    image: String,
    #[serde(deserialize_with = "null_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct State {
    running: bool,
    exit_code: i64,
    error: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Mount {
    source: String,
    destination: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    #[serde(deserialize_with = "null_default")]
    ports: BTreeMap<String, Option<Vec<Binding>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    #[serde(default)]
    host_ip: String,
    #[serde(default)]
    host_port: String,
}

fn null_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads the answer; what is odd about it is added to `warnings`.
pub fn parse(
    text: &[u8],
    warnings: &mut Vec<String>,
) -> Result<Vec<WorkspaceAgentContainer>, serde_json::Error> {
    let inspected: Vec<Inspected> = serde_json::from_slice(text)?;
    // Containers whose port is the same one for a client of this machine.
    let mut by_port: HashMap<u16, Vec<String>> = HashMap::new();
    let containers = inspected
        .into_iter()
        .map(|container| {
            let ports = ports(&container.network_settings, warnings);
            for port in &ports {
                let holders = by_port.entry(port.host_port).or_default();
                if reaches_localhost(&port.host_ip) && !holders.contains(&container.id) {
                    holders.push(container.id.clone());
                }
            }
            WorkspaceAgentContainer {
                created_at: container.created,
                name: container.name.trim_start_matches('/').to_owned(),
                image: container.config.image,
                labels: container.config.labels,
                running: container.state.running,
                status: status(&container.state),
                ports,
                volumes: container
                    .mounts
                    .into_iter()
                    .map(|mount| (mount.source, mount.destination))
                    .collect(),
                id: container.id,
            }
        })
        .collect();
    let mut shared: Vec<_> = by_port
        .into_iter()
        .filter(|(_, ids)| ids.len() > 1)
        .collect();
    shared.sort();
    for (port, ids) in shared {
        warnings.push(format!(
            "host port {port} is mapped to multiple containers on different interfaces: {}",
            ids.join(", ")
        ));
    }
    Ok(containers)
}

fn status(state: &State) -> String {
    if state.running {
        return "running".into();
    }
    let mut text = match state.exit_code {
        0 => "exited successfully".to_owned(),
        code => format!("exited with code {code}"),
    };
    if !state.error.is_empty() {
        text.push_str(&format!(": {}", state.error));
    }
    text
}

fn reaches_localhost(ip: &str) -> bool {
    ip.parse::<IpAddr>()
        .is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

fn ports(
    settings: &NetworkSettings,
    warnings: &mut Vec<String>,
) -> Vec<WorkspaceAgentContainerPort> {
    let mut ports: Vec<WorkspaceAgentContainerPort> = Vec::new();
    for (inside, bindings) in &settings.ports {
        let (number, network) = inside.split_once('/').unwrap_or((inside, "tcp"));
        let Ok(port) = number.parse::<u16>() else {
            warnings.push(format!(
                "convert docker port: invalid port format: {inside}"
            ));
            continue;
        };
        for binding in bindings.iter().flatten() {
            let host_port = binding
                .host_port
                .parse::<u16>()
                .ok()
                .filter(|port| *port > 0);
            let Some(host_port) = host_port else {
                warnings.push(format!(
                    "convert docker host port: invalid host port {:?}",
                    binding.host_port
                ));
                continue;
            };
            // IPv4 and IPv6 of the same machine lead to the same place.
            let known = reaches_localhost(&binding.host_ip)
                && ports.iter().any(|known| {
                    known.host_port == host_port
                        && known.port == port
                        && reaches_localhost(&known.host_ip)
                });
            if !known {
                ports.push(WorkspaceAgentContainerPort {
                    port,
                    network: network.to_owned(),
                    host_ip: binding.host_ip.clone(),
                    host_port,
                });
            }
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_read() {
        let text = r#"[
            {"Id":"a","Created":"2026-01-02T03:04:05.6Z","Name":"/web","Config":{"Image":"i","Labels":null},
             "State":{"Running":true},"Mounts":[{"Source":"/s","Destination":"/d"}],
             "NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},
                 {"HostIp":"::","HostPort":"8080"}],"53/udp":null,"x":[]}}},
            {"Id":"b","Created":"2026-01-02T03:04:05Z","Name":"/old","Config":{"Image":"j"},
             "State":{"Running":false,"ExitCode":2,"Error":"oops"},"Mounts":null,
             "NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"},
                 {"HostIp":"","HostPort":"99999"}]}}}]"#;
        let mut warnings = Vec::new();
        let containers = parse(text.as_bytes(), &mut warnings).unwrap();
        let [web, old] = &containers[..] else {
            panic!()
        };
        assert_eq!((web.name.as_str(), web.status.as_str()), ("web", "running"));
        assert_eq!(web.ports.len(), 1);
        assert_eq!(web.volumes.get("/s").map(String::as_str), Some("/d"));
        assert_eq!(old.status, "exited with code 2: oops");
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings[2].contains("host port 8080") && warnings[2].ends_with("a, b"));
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(parse(b"{}", &mut Vec::new()).is_err());
        assert!(parse(b"", &mut Vec::new()).is_err());
    }
}
