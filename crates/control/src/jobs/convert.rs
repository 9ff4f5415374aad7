//! From what a provisioner found to what is stored. Pure.

use std::collections::BTreeMap;

use api_types::{TemplateVersionParameter, TemplateVersionParameterOption};
use chrono::{DateTime, Utc};
use rpc::proto::provisioner::{
    Agent, App, AppOpenIn, AppSharingLevel, DisplayApps, Env, ParameterFormType, Preset, Resource,
    RichParameter, Script, Timing, agent::Auth,
};
use serde_json::json;
use store::template_version_contents::NewPreset;
use store::workspace_resources::{
    NewAgent, NewApp, NewDevcontainer, NewLogSource, NewMetadata, NewMonitor, NewResource,
    NewScript, NewTiming,
};
use uuid::Uuid;

/// Icon of the log sources of dev containers.
const CONTAINER_ICON: &str = "/emojis/1f4e6.png";

/// A resource as it is stored. Without `with_agents` its agents are left out: a stopped
/// workspace has none.
pub(super) fn resource(r: Resource, with_agents: bool) -> Result<NewResource, String> {
    let metadata = r
        .metadata
        .into_iter()
        .filter(|m| !m.is_null)
        .map(|m| json!({ "key": m.key, "value": m.value, "sensitive": m.sensitive }));
    let metadata = serde_json::Value::Array(metadata.collect());
    let mut agents = Vec::new();
    for a in if with_agents { r.agents } else { Vec::new() } {
        agents.extend(agent(a)?);
    }
    Ok(NewResource {
        kind: r.r#type,
        name: r.name,
        hide: r.hide,
        icon: r.icon,
        instance_type: r.instance_type,
        daily_cost: r.daily_cost,
        module_path: r.module_path,
        metadata,
        agents,
    })
}

/// An agent and those prepared for its dev containers.
fn agent(a: Agent) -> Result<Vec<NewAgent>, String> {
    let (auth_token, auth_instance_id) = match a.auth {
        // A plan does not know the token yet; its agents never sign in.
        Some(Auth::Token(token)) if token.is_empty() => (Uuid::new_v4(), None),
        Some(Auth::Token(token)) => {
            let token = token.parse().map_err(|_| {
                format!(
                    "the token of agent {:?} is no UUID: is its provider up to date?",
                    a.name
                )
            })?;
            (token, None)
        }
        Some(Auth::InstanceId(id)) => (Uuid::new_v4(), Some(id)),
        None => (Uuid::new_v4(), None),
    };
    let id = Uuid::new_v4();
    let mut children = Vec::new();
    let mut containers = Vec::new();
    let mut log_sources = Vec::new();
    for d in a.devcontainers {
        let container = d.id.parse().unwrap_or_else(|_| Uuid::new_v4());
        log_sources.push(NewLogSource {
            id: container,
            display_name: format!("Dev Container ({})", d.name),
            icon: CONTAINER_ICON.to_owned(),
        });
        let mut subagent_id = None;
        if !(d.apps.is_empty() && d.scripts.is_empty() && d.envs.is_empty()) {
            let child = d.subagent_id.parse().unwrap_or_else(|_| Uuid::new_v4());
            subagent_id = Some(child);
            children.push(NewAgent {
                id: child,
                parent_id: Some(id),
                name: d.name.clone(),
                auth_token: Uuid::new_v4(),
                auth_instance_id: None,
                architecture: a.architecture.clone(),
                operating_system: a.operating_system.clone(),
                environment: environment(&d.envs, BTreeMap::new())?,
                directory: String::new(),
                connection_timeout_seconds: a.connection_timeout_seconds,
                troubleshooting_url: String::new(),
                motd_file: String::new(),
                display_apps: Vec::new(),
                display_order: 0,
                api_key_scope: scope(&a.api_key_scope),
                apps: d.apps.into_iter().map(app).collect(),
                scripts: d.scripts.into_iter().map(script).collect(),
                log_sources: Vec::new(),
                metadata: Vec::new(),
                devcontainers: Vec::new(),
                monitors: Vec::new(),
            });
        }
        containers.push(NewDevcontainer {
            id: container,
            name: d.name,
            workspace_folder: d.workspace_folder,
            config_path: d.config_path,
            subagent_id,
        });
    }
    let mut monitors = Vec::new();
    if let Some(watched) = a.resources_monitoring {
        monitors.extend(watched.memory.map(|m| NewMonitor {
            path: String::new(),
            enabled: m.enabled,
            threshold: m.threshold,
        }));
        monitors.extend(watched.volumes.into_iter().map(|v| NewMonitor {
            path: v.path,
            enabled: v.enabled,
            threshold: v.threshold,
        }));
    }
    let main = NewAgent {
        id,
        parent_id: None,
        name: a.name,
        auth_token,
        auth_instance_id,
        architecture: a.architecture,
        operating_system: a.operating_system,
        environment: environment(&a.extra_envs, a.env.into_iter().collect())?,
        directory: a.directory,
        connection_timeout_seconds: a.connection_timeout_seconds,
        troubleshooting_url: a.troubleshooting_url,
        motd_file: a.motd_file,
        display_apps: display_apps(a.display_apps.as_ref()),
        display_order: order(a.order),
        api_key_scope: scope(&a.api_key_scope),
        apps: a.apps.into_iter().map(app).collect(),
        scripts: a.scripts.into_iter().map(script).collect(),
        log_sources,
        metadata: a
            .metadata
            .into_iter()
            .map(|m| NewMetadata {
                key: m.key,
                display_name: m.display_name,
                script: m.script,
                interval_seconds: m.interval,
                timeout_seconds: m.timeout,
                display_order: order(m.order),
            })
            .collect(),
        devcontainers: containers,
        monitors,
    };
    children.insert(0, main);
    Ok(children)
}

/// `coder_env` resources in order, each by its strategy; what the agent itself sets wins.
fn environment(extra: &[Env], own: BTreeMap<String, String>) -> Result<serde_json::Value, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for env in extra {
        let value = match (all.get(&env.name), env.merge_strategy.as_str()) {
            (None, _) | (Some(_), "" | "replace") => env.value.clone(),
            (Some(before), "append") => format!("{before}:{}", env.value),
            (Some(before), "prepend") => format!("{}:{before}", env.value),
            (Some(_), "error") => {
                return Err(format!(
                    "the environment variable {:?} is set twice, and one of its coder_env forbids it",
                    env.name
                ));
            }
            (Some(_), other) => {
                return Err(format!(
                    "the environment variable {:?} has the unknown merge strategy {other:?}",
                    env.name
                ));
            }
        };
        all.insert(env.name.clone(), value);
    }
    all.extend(own);
    Ok(json!(all))
}

fn app(a: App) -> NewApp {
    let health = a.healthcheck.unwrap_or_default();
    let level = AppSharingLevel::try_from(a.sharing_level).unwrap_or(AppSharingLevel::Owner);
    let open_in = AppOpenIn::try_from(a.open_in).unwrap_or(AppOpenIn::SlimWindow);
    NewApp {
        id: a
            .id
            .parse()
            .ok()
            .filter(|id: &Uuid| !id.is_nil())
            .unwrap_or_else(Uuid::new_v4),
        slug: a.slug,
        display_name: a.display_name,
        icon: a.icon,
        command: a.command,
        url: a.url,
        subdomain: a.subdomain,
        sharing_level: match level {
            AppSharingLevel::Owner => "owner",
            AppSharingLevel::Authenticated => "authenticated",
            AppSharingLevel::Public => "public",
        },
        external: a.external,
        hidden: a.hidden,
        open_in: if open_in == AppOpenIn::Tab {
            "tab"
        } else {
            "slim-window"
        },
        display_order: order(a.order),
        display_group: a.group,
        tooltip: a.tooltip,
        healthcheck_url: health.url,
        healthcheck_interval: health.interval,
        healthcheck_threshold: health.threshold,
    }
}

fn script(s: Script) -> NewScript {
    NewScript {
        display_name: s.display_name,
        icon: s.icon,
        script: s.script,
        log_path: s.log_path,
        cron: s.cron,
        start_blocks_login: s.start_blocks_login,
        run_on_start: s.run_on_start,
        run_on_stop: s.run_on_stop,
        timeout_seconds: s.timeout_seconds,
    }
}

fn display_apps(apps: Option<&DisplayApps>) -> Vec<&'static str> {
    let defaults = DisplayApps {
        vscode: true,
        vscode_insiders: false,
        web_terminal: true,
        ssh_helper: true,
        port_forwarding_helper: true,
    };
    let apps = apps.unwrap_or(&defaults);
    [
        (apps.vscode, "vscode"),
        (apps.vscode_insiders, "vscode_insiders"),
        (apps.web_terminal, "web_terminal"),
        (apps.port_forwarding_helper, "port_forwarding_helper"),
        (apps.ssh_helper, "ssh_helper"),
    ]
    .into_iter()
    .filter_map(|(on, name)| on.then_some(name))
    .collect()
}

fn scope(text: &str) -> &'static str {
    if text == "no_user_data" {
        "no_user_data"
    } else {
        "all"
    }
}

fn order(value: i64) -> i32 {
    value.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// A parameter as it is stored, with its place in forms.
pub(super) fn parameter(p: RichParameter) -> (TemplateVersionParameter, i32) {
    let form_type = match p.form_type() {
        ParameterFormType::Default => "",
        ParameterFormType::FormError => "error",
        ParameterFormType::Radio => "radio",
        ParameterFormType::Dropdown => "dropdown",
        ParameterFormType::Input => "input",
        ParameterFormType::Textarea => "textarea",
        ParameterFormType::Slider => "slider",
        ParameterFormType::Checkbox => "checkbox",
        ParameterFormType::Switch => "switch",
        ParameterFormType::Tagselect => "tag-select",
        ParameterFormType::Multiselect => "multi-select",
    };
    let place = p.order;
    let options = p
        .options
        .into_iter()
        .map(|o| TemplateVersionParameterOption {
            name: o.name,
            description: o.description,
            value: o.value,
            icon: o.icon,
        });
    let stored = TemplateVersionParameter {
        name: p.name,
        display_name: p.display_name,
        description: p.description,
        description_plaintext: String::new(),
        r#type: p.r#type,
        form_type: form_type.to_owned(),
        mutable: p.mutable,
        default_value: p.default_value,
        icon: p.icon,
        options: options.collect(),
        validation_error: p.validation_error,
        validation_regex: p.validation_regex,
        validation_min: p.validation_min,
        validation_max: p.validation_max,
        validation_monotonic: p.validation_monotonic.as_str().into(),
        required: p.required,
        ephemeral: p.ephemeral,
    };
    (stored, place)
}

/// A preset as it is stored.
pub(super) fn preset(p: Preset) -> NewPreset {
    let prebuild = p.prebuild;
    let scheduling = prebuild
        .as_ref()
        .and_then(|b| b.scheduling.as_ref())
        .map(|s| {
            let schedule = s.schedule.iter();
            let schedule = schedule.map(|e| json!({ "cron": e.cron, "instances": e.instances }));
            json!({ "timezone": s.timezone, "schedule": schedule.collect::<Vec<_>>() })
        });
    NewPreset {
        name: p.name,
        description: p.description,
        icon: p.icon,
        is_default: p.default,
        parameters: p
            .parameters
            .into_iter()
            .map(|v| (v.name, v.value))
            .collect(),
        desired_instances: prebuild.as_ref().map(|b| b.instances),
        invalidate_after_seconds: prebuild
            .and_then(|b| b.expiration_policy)
            .map_or(0, |policy| policy.ttl),
        scheduling,
    }
}

/// Timings that say when they began and ended, and of which stage they are.
pub(super) fn timings(all: Vec<Timing>) -> Vec<NewTiming> {
    let time = |t: Option<prost_types::Timestamp>| -> Option<DateTime<Utc>> {
        let t = t?;
        DateTime::from_timestamp(t.seconds, t.nanos.clamp(0, 999_999_999).cast_unsigned())
    };
    all.into_iter()
        .filter_map(|t| {
            let (started_at, ended_at) = (time(t.start)?, time(t.end)?);
            matches!(t.stage.as_str(), "init" | "plan" | "graph" | "apply").then_some(NewTiming {
                started_at,
                ended_at,
                stage: t.stage,
                source: t.source,
                action: t.action,
                resource: t.resource,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str, value: &str, how: &str) -> Env {
        Env {
            name: name.into(),
            value: value.into(),
            merge_strategy: how.into(),
        }
    }

    #[test]
    fn environments_merge_in_order() {
        let extra = [
            env("PATH", "/a", ""),
            env("PATH", "/b", "append"),
            env("PATH", "/c", "prepend"),
            env("X", "1", ""),
            env("X", "2", "replace"),
            env("OWN", "lost", ""),
        ];
        let own = BTreeMap::from([("OWN".to_owned(), "kept".to_owned())]);
        let got = environment(&extra, own).unwrap();
        assert_eq!(got, json!({ "PATH": "/c:/a:/b", "X": "2", "OWN": "kept" }));
        assert!(
            environment(
                &[env("A", "1", ""), env("A", "2", "error")],
                BTreeMap::new()
            )
            .is_err()
        );
        assert!(
            environment(
                &[env("A", "1", ""), env("A", "2", "magic")],
                BTreeMap::new()
            )
            .is_err()
        );
    }

    #[test]
    fn a_token_must_be_a_uuid() {
        let with = |token: &str| Agent {
            auth: Some(Auth::Token(token.into())),
            ..Default::default()
        };
        assert!(agent(with("garbage")).is_err());
        let token = Uuid::new_v4();
        assert_eq!(
            agent(with(&token.to_string())).unwrap()[0].auth_token,
            token
        );
    }

    #[test]
    fn a_stopped_workspace_has_no_agents() {
        let r = || Resource {
            agents: vec![Agent::default()],
            ..Default::default()
        };
        assert_eq!(resource(r(), false).unwrap().agents.len(), 0);
        assert_eq!(resource(r(), true).unwrap().agents.len(), 1);
    }

    #[test]
    fn null_metadata_is_dropped_and_apps_get_ids() {
        use rpc::proto::provisioner::resource::Metadata;
        let r = Resource {
            metadata: vec![Metadata {
                key: "a".into(),
                is_null: true,
                ..Default::default()
            }],
            ..Default::default()
        };
        assert_eq!(resource(r, true).unwrap().metadata, json!([]));
        assert!(!app(App::default()).id.is_nil());
        assert_eq!(
            app(App {
                sharing_level: 99,
                ..Default::default()
            })
            .sharing_level,
            "owner"
        );
    }

    #[test]
    fn timings_without_times_are_dropped() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let good = Timing {
            start: at(1),
            end: at(2),
            stage: "plan".into(),
            ..Default::default()
        };
        let bad = Timing {
            end: None,
            ..good.clone()
        };
        let odd = Timing {
            stage: "later".into(),
            ..good.clone()
        };
        assert_eq!(timings(vec![good, bad, odd]).len(), 1);
    }
}
