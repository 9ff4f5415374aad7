//! What belongs to agents: apps, scripts, environment variables and dev containers.

use std::collections::BTreeSet;

use rpc::proto::provisioner::{
    App, AppOpenIn, AppSharingLevel, Devcontainer, Env, Healthcheck, Script,
};

use super::agents::PlacedAgent;
use super::{ConvertError, Instance, Template};
use crate::hcl::graph;

/// Attaches everything that names an agent to it. What names an agent that is not there is left
/// out with it.
pub(super) fn attach(
    template: &Template,
    instances: &[Instance],
    agents: &mut [PlacedAgent],
) -> Result<(), ConvertError> {
    let sorted = |kind: &str| {
        let mut found: Vec<&Instance> = instances.iter().filter(|i| i.is(kind)).collect();
        found.sort_by(|a, b| a.address.cmp(&b.address));
        found
    };
    for instance in sorted("coder_devcontainer") {
        if let Some(Owner::Agent(n)) = owner(template, instance, agents) {
            let a = instance.attributes();
            agents[n].agent.devcontainers.push(Devcontainer {
                id: a.text("id"),
                name: instance.name.clone(),
                workspace_folder: a.text("workspace_folder"),
                config_path: a.text("config_path"),
                subagent_id: a.text("subagent_id"),
                ..Devcontainer::default()
            });
        }
    }
    let mut slugs = BTreeSet::new();
    for instance in sorted("coder_app") {
        let app = app(instance)?;
        if !slugs.insert(app.slug.clone()) {
            return Err(ConvertError::template(format!(
                "duplicate app slug, they must be unique per template: {:?}",
                app.slug
            )));
        }
        match owner(template, instance, agents) {
            Some(Owner::Agent(n)) => agents[n].agent.apps.push(app),
            Some(Owner::Devcontainer(n, d)) => agents[n].agent.devcontainers[d].apps.push(app),
            None => {}
        }
    }
    for instance in sorted("coder_env") {
        let a = instance.attributes();
        let env = Env {
            name: a.text("name"),
            value: a.text("value"),
            merge_strategy: a.text("merge_strategy"),
        };
        match owner(template, instance, agents) {
            Some(Owner::Agent(n)) => agents[n].agent.extra_envs.push(env),
            Some(Owner::Devcontainer(n, d)) => agents[n].agent.devcontainers[d].envs.push(env),
            None => {}
        }
    }
    for instance in sorted("coder_script") {
        let script = script(instance);
        match owner(template, instance, agents) {
            Some(Owner::Agent(n)) => agents[n].agent.scripts.push(script),
            Some(Owner::Devcontainer(n, d)) => {
                agents[n].agent.devcontainers[d].scripts.push(script);
            }
            None => {}
        }
    }
    Ok(())
}

/// To whom something belongs, by index.
enum Owner {
    Agent(usize),
    Devcontainer(usize, usize),
}

/// Finds the owner by the id that `agent_id` has, or where that is not known yet, by what its
/// expression leads to.
fn owner(template: &Template, instance: &Instance, agents: &[PlacedAgent]) -> Option<Owner> {
    let id = instance.attributes().text("agent_id");
    if !id.is_empty() {
        for (n, placed) in agents.iter().enumerate() {
            if placed.agent.id == id {
                return Some(Owner::Agent(n));
            }
            let container = |d: &Devcontainer| d.subagent_id == id;
            if let Some(d) = placed.agent.devcontainers.iter().position(container) {
                return Some(Owner::Devcontainer(n, d));
            }
        }
        return None;
    }
    let path = instance.module_path();
    let module = template.configuration.modules.get(&path)?;
    let resource = module.resource(false, &instance.kind, &instance.name)?;
    let expression = resource.attribute("agent_id")?;
    let is_owner = |label: &str| {
        let kind = label.rsplit('.').nth(1);
        !label.contains("data.") && matches!(kind, Some("coder_agent" | "coder_devcontainer"))
    };
    let labels = graph::resolve_to(&template.configuration, &path, expression, &is_owner);
    for label in labels {
        // Of several instances, the one that sits where this one sits.
        let best = agents
            .iter()
            .enumerate()
            .filter(|(_, p)| p.label == label)
            .min_by_key(|(_, p)| (p.module != instance.module, p.key != instance.key));
        if let Some((n, _)) = best {
            return Some(Owner::Agent(n));
        }
        let name = label.rsplit('.').next().unwrap_or_default();
        for (n, placed) in agents.iter().enumerate() {
            let named = |d: &Devcontainer| d.name == name;
            if label.contains("coder_devcontainer.")
                && let Some(d) = placed.agent.devcontainers.iter().position(named)
            {
                return Some(Owner::Devcontainer(n, d));
            }
        }
    }
    None
}

/// Whether text is lower-case letters and digits in groups joined by single hyphens.
pub(super) fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text.split('-').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

fn app(instance: &Instance) -> Result<App, ConvertError> {
    let a = instance.attributes();
    let or = |text: String, other: &str| {
        if text.is_empty() {
            other.to_owned()
        } else {
            text
        }
    };
    let slug = or(a.text("slug"), &instance.name);
    if !is_slug(&slug) {
        return Err(ConvertError::template(format!(
            "app slug {slug:?} does not match \"^[a-z0-9](-?[a-z0-9])*$\""
        )));
    }
    // `name` is what `display_name` was called once.
    let display_name = or(or(a.text("display_name"), &a.text("name")), &slug);
    let sharing = match a.text("share").to_ascii_lowercase().as_str() {
        "authenticated" => AppSharingLevel::Authenticated,
        "public" => AppSharingLevel::Public,
        _ => AppSharingLevel::Owner,
    };
    let open_in = match a.text("open_in").to_ascii_lowercase().as_str() {
        "tab" => AppOpenIn::Tab,
        _ => AppOpenIn::SlimWindow,
    };
    let healthcheck = a.blocks("healthcheck").first().map(|h| Healthcheck {
        url: h.text("url"),
        interval: h.number32("interval"),
        threshold: h.number32("threshold"),
    });
    Ok(App {
        slug,
        display_name,
        command: a.text("command"),
        url: a.text("url"),
        icon: a.text("icon"),
        subdomain: a.flag("subdomain"),
        healthcheck,
        sharing_level: sharing.into(),
        external: a.flag("external"),
        order: a.number("order"),
        hidden: a.flag("hidden"),
        open_in: open_in.into(),
        group: a.text("group"),
        id: or(a.text("id"), &uuid::Uuid::new_v4().to_string()),
        tooltip: a.text("tooltip"),
    })
}

fn script(instance: &Instance) -> Script {
    let a = instance.attributes();
    Script {
        display_name: a.text("display_name"),
        icon: a.text("icon"),
        script: a.text("script"),
        cron: a.text("cron"),
        start_blocks_login: a.flag("start_blocks_login"),
        run_on_start: a.flag("run_on_start"),
        run_on_stop: a.flag("run_on_stop"),
        timeout_seconds: a.number32("timeout"),
        log_path: a.text("log_path"),
    }
}
