//! What the control plane tells an agent about itself, checked and in types of
//! our own. Names and meanings as in the agent service (`GetManifest`).

use std::path::PathBuf;
use std::time::Duration;

use api_types::Secret;
use rpc::proto::agent as proto;
use uuid::Uuid;

use crate::account::Account;
use crate::expand;

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the manifest holds no valid {0}; is the server of another make?")]
pub struct BadManifest(&'static str);

/// A script of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Identifier of the script; nil from servers before API level 2.3.
    pub id: Uuid,
    /// Where its output is shown.
    pub log_source: Uuid,
    /// Log file in the workspace, instead of the default one.
    pub log_path: String,
    /// The text.
    pub text: String,
    /// Schedule; empty for none.
    pub cron: String,
    /// Runs when the workspace starts.
    pub run_on_start: bool,
    /// Runs when the workspace stops.
    pub run_on_stop: bool,
    /// Longest run; zero for no limit.
    pub timeout: Duration,
    /// Name for people.
    pub display_name: String,
}

/// An application whose health is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Identifier.
    pub id: Uuid,
    /// Name for messages.
    pub slug: String,
    /// URL to ask; empty for an app without a check.
    pub url: String,
    /// Pause between two checks.
    pub interval: Duration,
    /// Failures that are tolerated in a row.
    pub threshold: u32,
    /// What the server knows so far.
    pub health: proto::AppHealth,
}

/// A value that is collected by a script again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Name in the API.
    pub key: String,
    /// Prints the value.
    pub script: String,
    /// Pause between runs; zero runs it once.
    pub interval: Duration,
    /// Longest run.
    pub timeout: Duration,
}

/// A secret of the owner.
#[derive(Debug, Clone)]
pub struct WorkspaceSecret {
    /// Environment variable; empty for none.
    pub env_name: String,
    /// File; empty for none.
    pub file_path: String,
    /// The value.
    pub value: Secret<Vec<u8>>,
}

/// What an agent is.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The agent.
    pub agent_id: Uuid,
    /// Its name.
    pub agent_name: String,
    /// The workspace.
    pub workspace_id: Uuid,
    /// Its name.
    pub workspace_name: String,
    /// User name of the owner.
    pub owner_name: String,
    /// How many git providers the deployment offers.
    pub git_auth_configs: u32,
    /// Variables of the template, not expanded.
    pub environment: Vec<(String, String)>,
    /// Where sessions start, expanded; may not exist. `None` for home.
    pub directory: Option<PathBuf>,
    /// Template of the port proxy's URL; empty without one.
    pub vscode_port_proxy_uri: String,
    /// File shown at login; empty for none.
    pub motd_path: String,
    /// No direct paths.
    pub disable_direct_connections: bool,
    /// Relays by WebSocket only.
    pub derp_force_websockets: bool,
    /// The relays.
    pub derp_map: rpc::proto::tailnet::DerpMap,
    /// Scripts.
    pub scripts: Vec<Script>,
    /// Applications.
    pub apps: Vec<App>,
    /// Collected values.
    pub metadata: Vec<Metadata>,
    /// Secrets of the owner.
    pub secrets: Vec<WorkspaceSecret>,
    /// The agent in whose workspace this one runs in a container, if it does.
    pub parent_id: Option<Uuid>,
    /// Dev containers of the template.
    pub devcontainers: Vec<Devcontainer>,
}

/// A dev container that belongs to the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devcontainer {
    /// Identifier.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The folder that it is made for.
    pub workspace_folder: String,
    /// Its configuration; empty for the usual place.
    pub config_path: String,
    /// The agent that is to run in it.
    pub subagent_id: Option<Uuid>,
}

/// Longest time of a metadata script that names none, and has no interval.
const METADATA_TIMEOUT: Duration = Duration::from_secs(3);

impl Manifest {
    /// Checks and converts what came by RPC.
    pub fn from_proto(manifest: proto::Manifest, account: &Account) -> Result<Self, BadManifest> {
        let agent_id = id(&manifest.agent_id, "agent id")?;
        if agent_id.is_nil() {
            return Err(BadManifest("agent id"));
        }
        let mut environment: Vec<_> = manifest.environment_variables.into_iter().collect();
        environment.sort();
        Ok(Self {
            agent_id,
            agent_name: manifest.agent_name,
            workspace_id: id(&manifest.workspace_id, "workspace id")?,
            workspace_name: manifest.workspace_name,
            owner_name: manifest.owner_username,
            git_auth_configs: manifest.git_auth_configs,
            environment,
            directory: directory(&manifest.directory, account),
            vscode_port_proxy_uri: manifest.vs_code_port_proxy_uri,
            motd_path: manifest.motd_path,
            disable_direct_connections: manifest.disable_direct_connections,
            derp_force_websockets: manifest.derp_force_websockets,
            derp_map: manifest.derp_map.unwrap_or_default(),
            scripts: manifest
                .scripts
                .into_iter()
                .map(script)
                .collect::<Result<_, _>>()?,
            apps: manifest
                .apps
                .into_iter()
                .map(app)
                .collect::<Result<_, _>>()?,
            metadata: manifest.metadata.into_iter().map(metadata).collect(),
            secrets: manifest
                .secrets
                .into_iter()
                .map(|s| WorkspaceSecret {
                    env_name: s.env_name,
                    file_path: s.file_path,
                    value: s.value.clone().into(),
                })
                .collect(),
            parent_id: manifest
                .parent_id
                .and_then(|parent| Uuid::from_slice(&parent).ok())
                .filter(|parent| !parent.is_nil()),
            devcontainers: manifest
                .devcontainers
                .into_iter()
                .map(devcontainer)
                .collect::<Result<_, _>>()?,
        })
    }
}

fn id(bytes: &[u8], what: &'static str) -> Result<Uuid, BadManifest> {
    Uuid::from_slice(bytes).map_err(|_| BadManifest(what))
}

/// A duration as it is; absent, negative and absurd ones are zero.
pub fn duration(value: Option<prost_types::Duration>) -> Duration {
    value
        .and_then(|d| Duration::try_from(d).ok())
        .unwrap_or_default()
}

/// Metadata durations are seconds counted in nanoseconds (wire.md of the agent
/// service: ten seconds travel as nanos = 10).
fn nano_seconds(value: Option<prost_types::Duration>) -> Duration {
    Duration::from_secs(duration(value).as_nanos().try_into().unwrap_or(0))
}

fn script(script: proto::WorkspaceAgentScript) -> Result<Script, BadManifest> {
    Ok(Script {
        id: Uuid::from_slice(&script.id).unwrap_or_default(),
        log_source: id(&script.log_source_id, "log source id")?,
        log_path: script.log_path,
        text: script.script,
        cron: script.cron,
        run_on_start: script.run_on_start,
        run_on_stop: script.run_on_stop,
        timeout: duration(script.timeout),
        display_name: script.display_name,
    })
}

fn app(app: proto::WorkspaceApp) -> Result<App, BadManifest> {
    let health = match app.health {
        1 => proto::AppHealth::Disabled,
        3 => proto::AppHealth::Healthy,
        4 => proto::AppHealth::Unhealthy,
        _ => proto::AppHealth::Initializing,
    };
    let check = app.healthcheck.unwrap_or_default();
    Ok(App {
        id: id(&app.id, "app id")?,
        slug: app.slug,
        url: check.url,
        interval: duration(check.interval),
        threshold: u32::try_from(check.threshold).unwrap_or(0),
        health,
    })
}

fn devcontainer(
    devcontainer: proto::WorkspaceAgentDevcontainer,
) -> Result<Devcontainer, BadManifest> {
    Ok(Devcontainer {
        id: id(&devcontainer.id, "dev container id")?,
        name: devcontainer.name,
        workspace_folder: devcontainer.workspace_folder,
        config_path: devcontainer.config_path,
        subagent_id: devcontainer
            .subagent_id
            .and_then(|id| Uuid::from_slice(&id).ok()),
    })
}

fn metadata(description: proto::workspace_agent_metadata::Description) -> Metadata {
    let interval = nano_seconds(description.interval);
    let given = nano_seconds(description.timeout);
    let timeout = [given, interval, METADATA_TIMEOUT]
        .into_iter()
        .find(|d| !d.is_zero());
    Metadata {
        key: description.key,
        script: description.script,
        interval,
        timeout: timeout.unwrap_or(METADATA_TIMEOUT),
    }
}

/// Expands variables, then `~` and relative paths.
fn directory(text: &str, account: &Account) -> Option<PathBuf> {
    if text.is_empty() {
        return None;
    }
    let home = account.home.to_string_lossy().into_owned();
    let expanded = expand::variables(text, |name| match name {
        "HOME" => Some(home.clone()),
        name => std::env::var(name).ok(),
    });
    Some(account.expand(&expanded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            name: "dev".into(),
            home: "/home/dev".into(),
            shell: "/bin/sh".into(),
        }
    }

    fn valid() -> proto::Manifest {
        proto::Manifest {
            agent_id: vec![1; 16],
            workspace_id: vec![2; 16],
            ..Default::default()
        }
    }

    #[test]
    fn directories_expand() {
        for (text, expanded) in [
            ("~/src", "/home/dev/src"),
            ("$HOME/x", "/home/dev/x"),
            ("rel", "/home/dev/rel"),
        ] {
            let manifest = proto::Manifest {
                directory: text.into(),
                ..valid()
            };
            let manifest = Manifest::from_proto(manifest, &account()).unwrap();
            assert_eq!(manifest.directory, Some(expanded.into()), "{text}");
        }
    }

    #[test]
    fn metadata_durations_are_seconds_in_nanoseconds() {
        let nanos = |n| {
            Some(prost_types::Duration {
                seconds: 0,
                nanos: n,
            })
        };
        let described = |interval, timeout| {
            metadata(proto::workspace_agent_metadata::Description {
                interval,
                timeout,
                ..Default::default()
            })
        };
        let given = described(nanos(10), nanos(4));
        assert_eq!((given.interval.as_secs(), given.timeout.as_secs()), (10, 4));
        assert_eq!(described(nanos(10), None).timeout.as_secs(), 10);
        assert_eq!(described(None, None).timeout, METADATA_TIMEOUT);
    }

    #[test]
    fn manifests_without_identity_are_refused() {
        let nameless = proto::Manifest {
            agent_id: vec![0; 16],
            ..valid()
        };
        assert!(Manifest::from_proto(nameless, &account()).is_err());
        let short = proto::Manifest {
            workspace_id: vec![0; 3],
            ..valid()
        };
        assert!(Manifest::from_proto(short, &account()).is_err());
    }
}
