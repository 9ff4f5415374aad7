//! The routes, a file per noun. Each exports `router()`, merged here.
//!
//! A handler takes what it needs by extractors ([`crate::Actor`] closes it to
//! strangers), calls one rule of `control`, and answers with [`crate::Json`].

mod access_lists;
mod agent_containers;
mod agent_metadata;
mod agent_ports;
mod agent_pty;
mod agent_watch;
mod agents;
mod agents_me;
mod ai_budgets;
mod ai_models;
mod ai_providers;
mod applications;
mod audit;
pub(crate) mod binaries;
mod chats;
mod debug;
pub(crate) mod deployment;
pub(crate) mod derp;
mod dynamic_parameters;
mod external_agents;
mod external_auth;
mod files;
mod groups;
mod init_script;
mod job_logs;
pub(crate) mod mcp;
mod mcp_servers;
mod notifications;
mod organization_changes;
mod organizations;
pub(crate) mod pages;
mod provisioners;
mod reading_lists;
mod sign_in;
mod tailnet;
mod template_version_dry_runs;
mod template_versions;
mod templates;
mod user_keys;
mod user_schedules;
mod user_skills;
mod users;
mod webpush;
mod workspace_builds;
mod workspace_settings;
mod workspace_watch;
mod workspaces;

use axum::Router;

use crate::{ApiError, AppState};

/// Everything below `/api/v2`, without the layers that stand before it in [`crate::router`].
pub fn api() -> Router<AppState> {
    Router::new()
        .merge(access_lists::router())
        .merge(agent_watch::router())
        .merge(agents::router())
        .merge(agent_containers::router())
        .merge(agent_metadata::router())
        .merge(agent_ports::router())
        .merge(agent_pty::router())
        .merge(agents_me::router())
        .merge(ai_budgets::router())
        .merge(ai_models::router())
        .merge(ai_providers::router())
        .merge(applications::router())
        .merge(audit::router())
        .merge(chats::router())
        .merge(debug::router())
        .merge(deployment::router())
        .merge(external_agents::router())
        .merge(dynamic_parameters::router())
        .merge(external_auth::router())
        .merge(files::router())
        .merge(groups::router())
        .merge(init_script::router())
        .merge(mcp_servers::router())
        .merge(notifications::router())
        .merge(organization_changes::router())
        .merge(organizations::router())
        .merge(provisioners::router())
        .merge(sign_in::router())
        .merge(tailnet::router())
        .merge(template_version_dry_runs::router())
        .merge(template_versions::router())
        .merge(templates::router())
        .merge(user_keys::router())
        .merge(user_schedules::router())
        .merge(users::router())
        .merge(webpush::router())
        .merge(workspace_builds::router())
        .merge(workspace_settings::router())
        .merge(workspace_watch::router())
        .merge(workspaces::router())
        .fallback(|| async { ApiError::no_route() })
}

/// What older clients look for below `/api/experimental`.
pub fn experimental() -> Router<AppState> {
    Router::new()
        .merge(ai_models::experimental())
        .merge(ai_providers::experimental())
        .merge(chats::router())
        .merge(chats::experimental())
        .merge(user_skills::router())
        .merge(mcp_servers::experimental())
        .fallback(|| async { ApiError::no_route() })
}
