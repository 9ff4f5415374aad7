//! What an agent is told about itself when it connects.

use rpc::proto::agent::{
    Manifest, WorkspaceAgentDevcontainer, WorkspaceAgentScript, WorkspaceApp,
    workspace_agent_metadata, workspace_app,
};
use rpc::proto::tailnet::DerpMap;
use store::workspace_agents::{
    ManifestApp, ManifestDevcontainer, ManifestMetadata, ManifestScript,
};

use super::convert::seconds;
use super::{AgentSession, agent_subject};
use crate::{Control, Result, Settings};

/// What of a manifest the deployment decides.
#[derive(Debug, Clone, Default)]
pub struct ManifestSettings {
    /// Peers only meet at relays.
    pub disable_direct_connections: bool,
    /// Relays are reached by WebSocket only.
    pub derp_force_websockets: bool,
    /// The relays.
    pub derp_map: DerpMap,
}

impl Control {
    /// The manifest of an agent.
    pub async fn agent_manifest(
        &self,
        agent: &AgentSession,
        settings: ManifestSettings,
    ) -> Result<Manifest> {
        let conn = self.store().conn().await?;
        let row = conn
            .agent_manifest(&agent_subject(), agent.agent_id)
            .await?;
        Ok(Manifest {
            agent_id: agent.agent_id.as_bytes().to_vec(),
            agent_name: agent.agent_name.clone(),
            owner_username: agent.owner_name.clone(),
            workspace_id: agent.workspace_id.as_bytes().to_vec(),
            workspace_name: agent.workspace_name.clone(),
            git_auth_configs: 0,
            environment_variables: row.environment,
            directory: row.directory,
            vs_code_port_proxy_uri: port_proxy_uri(self.settings(), agent),
            motd_path: row.motd_file,
            disable_direct_connections: settings.disable_direct_connections,
            derp_force_websockets: settings.derp_force_websockets,
            derp_map: Some(settings.derp_map),
            parent_id: agent.parent_id.map(|id| id.as_bytes().to_vec()),
            scripts: row.scripts.into_iter().map(script).collect(),
            apps: row
                .apps
                .into_iter()
                .map(|app| workspace_app(app, agent, self.settings()))
                .collect(),
            metadata: row.metadata.into_iter().map(description).collect(),
            devcontainers: row.devcontainers.into_iter().map(devcontainer).collect(),
            secrets: Vec::new(),
        })
    }
}

/// Where a port of the workspace is reached by a browser; only with a wildcard host.
fn port_proxy_uri(settings: &Settings, agent: &AgentSession) -> String {
    if settings.wildcard_access_url.is_empty() {
        return String::new();
    }
    let name = format!(
        "{{{{port}}}}--{}--{}--{}",
        agent.agent_name, agent.workspace_name, agent.owner_name
    );
    let mut host = settings.wildcard_access_url.replacen('*', &name, 1);
    if !host.contains(':')
        && let Some(port) = settings.access_url.port()
    {
        host = format!("{host}:{port}");
    }
    format!("{}://{host}", settings.access_url.scheme())
}

fn script(script: ManifestScript) -> WorkspaceAgentScript {
    WorkspaceAgentScript {
        id: script.id.as_bytes().to_vec(),
        log_source_id: script.log_source_id.as_bytes().to_vec(),
        log_path: script.log_path,
        script: script.script,
        cron: script.cron,
        run_on_start: script.run_on_start,
        run_on_stop: script.run_on_stop,
        start_blocks_login: script.start_blocks_login,
        timeout: Some(seconds(script.timeout_seconds.into())),
        display_name: script.display_name,
    }
}

fn workspace_app(app: ManifestApp, agent: &AgentSession, settings: &Settings) -> WorkspaceApp {
    use workspace_app::{Health, Healthcheck, SharingLevel};
    let subdomain_name = if settings.wildcard_access_url.is_empty() || !app.subdomain {
        String::new()
    } else {
        format!(
            "{}--{}--{}",
            app.slug, agent.workspace_name, agent.owner_name
        )
    };
    WorkspaceApp {
        id: app.id.as_bytes().to_vec(),
        url: app.url,
        external: app.external,
        slug: app.slug,
        display_name: app.display_name,
        command: app.command,
        icon: app.icon,
        subdomain: app.subdomain,
        subdomain_name,
        sharing_level: match app.sharing_level.as_str() {
            "authenticated" => SharingLevel::Authenticated,
            "organization" => SharingLevel::Organization,
            "public" => SharingLevel::Public,
            _ => SharingLevel::Owner,
        }
        .into(),
        healthcheck: Some(Healthcheck {
            url: app.healthcheck_url,
            interval: Some(seconds(app.healthcheck_interval.into())),
            threshold: app.healthcheck_threshold,
        }),
        health: match app.health.as_str() {
            "initializing" => Health::Initializing,
            "healthy" => Health::Healthy,
            "unhealthy" => Health::Unhealthy,
            _ => Health::Disabled,
        }
        .into(),
        hidden: app.hidden,
    }
}

fn description(metadata: ManifestMetadata) -> workspace_agent_metadata::Description {
    // The protocol counts these seconds in nanoseconds.
    let odd = |seconds: i64| prost_types::Duration {
        seconds: seconds.max(0) / 1_000_000_000,
        nanos: (seconds.max(0) % 1_000_000_000) as i32,
    };
    workspace_agent_metadata::Description {
        display_name: metadata.display_name,
        key: metadata.key,
        script: metadata.script,
        interval: Some(odd(metadata.interval_seconds)),
        timeout: Some(odd(metadata.timeout_seconds)),
    }
}

fn devcontainer(devcontainer: ManifestDevcontainer) -> WorkspaceAgentDevcontainer {
    WorkspaceAgentDevcontainer {
        id: devcontainer.id.as_bytes().to_vec(),
        workspace_folder: devcontainer.workspace_folder,
        config_path: devcontainer.config_path,
        name: devcontainer.name,
        subagent_id: devcontainer.subagent_id.map(|id| id.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_durations_are_seconds_counted_in_nanoseconds() {
        let sent = description(ManifestMetadata {
            display_name: String::new(),
            key: "cpu".to_owned(),
            script: String::new(),
            interval_seconds: 10,
            timeout_seconds: -1,
        });
        let interval = sent.interval.unwrap();
        assert_eq!((interval.seconds, interval.nanos), (0, 10));
        assert_eq!(sent.timeout.unwrap().nanos, 0);
    }
}
