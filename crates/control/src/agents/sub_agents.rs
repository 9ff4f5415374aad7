//! Agents that run under another one, in dev containers.

use std::collections::HashSet;

use chrono::Utc;
use rpc::proto::agent::create_sub_agent_request::{App, DisplayApp, app};
use rpc::proto::agent::create_sub_agent_response::AppCreationError;
use rpc::proto::agent::{
    CreateSubAgentRequest, CreateSubAgentResponse, ListSubAgentsResponse, SubAgent,
};
use sha2::{Digest as _, Sha256};
use store::StoreError;
use store::workspace_agents::{NewSubAgent, SubAgentRow};
use store::workspace_resources::NewApp;
use uuid::Uuid;

use super::convert::{id, text};
use super::{AgentSession, agent_subject, invalid};
use crate::{Control, Result};

/// Longest name of an agent.
const MAX_NAME: usize = 64;
/// Apps of one agent.
const MAX_APPS: usize = 256;

impl Control {
    /// Adds an agent under `parent`, or changes one that the template declared there.
    pub async fn sub_agent_create(
        &self,
        parent: &AgentSession,
        request: CreateSubAgentRequest,
    ) -> Result<CreateSubAgentResponse> {
        let mut display_apps = Vec::new();
        for app in &request.display_apps {
            let app = DisplayApp::try_from(*app)
                .map_err(|_| invalid(format!("{app} is not a valid display app")))?;
            display_apps.push(display_app(app));
        }
        if let Some(declared) = &request.id {
            let declared = id(declared, "the agent's id")?;
            return self
                .sub_agent_update(parent, declared, &text(&request.directory), &display_apps)
                .await;
        }
        if !is_agent_name(&request.name) {
            return Err(invalid(format!(
                "agent name {:?} must be letters, digits and single dashes between them, at most \
                 {MAX_NAME} characters",
                request.name
            )));
        }
        if request.apps.len() > MAX_APPS {
            return Err(invalid(format!("more than {MAX_APPS} apps")));
        }
        let new = NewSubAgent {
            id: Uuid::new_v4(),
            auth_token: Uuid::new_v4(),
            name: &request.name,
            directory: &text(&request.directory),
            architecture: &text(&request.architecture),
            operating_system: &text(&request.operating_system),
            display_apps: &display_apps,
        };
        let who = agent_subject();
        let now = Utc::now();
        let tx = self.store().begin(&who).await?;
        tx.sub_agent_insert(&who, parent, &new, now).await?;
        let limit = tx.sub_agent_share_limit(&who, parent).await?;
        let mut errors = Vec::new();
        let mut slugs = HashSet::new();
        for (index, app) in request.apps.iter().enumerate() {
            match new_app(&request.name, app, &mut slugs) {
                Ok(mut app) => {
                    app.sharing_level = clamp(app.sharing_level, &limit);
                    tx.sub_agent_app_insert(&who, new.id, &app, now).await?;
                }
                Err((field, error)) => errors.push(AppCreationError {
                    // At most MAX_APPS.
                    index: index as i32,
                    field: Some(field.to_owned()),
                    error,
                }),
            }
        }
        tx.commit().await?;
        Ok(CreateSubAgentResponse {
            agent: Some(SubAgent {
                name: request.name.clone(),
                id: new.id.as_bytes().to_vec(),
                auth_token: new.auth_token.as_bytes().to_vec(),
            }),
            app_creation_errors: errors,
        })
    }

    async fn sub_agent_update(
        &self,
        parent: &AgentSession,
        declared: Uuid,
        directory: &str,
        display_apps: &[&'static str],
    ) -> Result<CreateSubAgentResponse> {
        let who = agent_subject();
        let tx = self.store().begin(&who).await?;
        let row = tx
            .sub_agent_update(&who, parent, declared, directory, display_apps)
            .await
            .map_err(not_a_child)?;
        tx.commit().await?;
        Ok(CreateSubAgentResponse {
            agent: Some(sub_agent(row)),
            app_creation_errors: Vec::new(),
        })
    }

    /// Retires an agent under `parent`.
    pub async fn sub_agent_delete(&self, parent: &AgentSession, child: &[u8]) -> Result<()> {
        let child = id(child, "the agent's id")?;
        let who = agent_subject();
        let tx = self.store().begin(&who).await?;
        tx.sub_agent_delete(&who, parent, child)
            .await
            .map_err(not_a_child)?;
        Ok(tx.commit().await?)
    }

    /// The agents under `parent`.
    pub async fn sub_agent_list(&self, parent: &AgentSession) -> Result<ListSubAgentsResponse> {
        let conn = self.store().conn().await?;
        let rows = conn.sub_agents(&agent_subject(), parent.agent_id).await?;
        Ok(ListSubAgentsResponse {
            agents: rows.into_iter().map(sub_agent).collect(),
        })
    }
}

fn not_a_child(error: StoreError) -> crate::Error {
    match error {
        StoreError::NotFound => invalid("subagent does not belong to this parent agent"),
        other => other.into(),
    }
}

fn sub_agent(row: SubAgentRow) -> SubAgent {
    SubAgent {
        name: row.name,
        id: row.id.as_bytes().to_vec(),
        auth_token: row.auth_token.as_bytes().to_vec(),
    }
}

fn display_app(app: DisplayApp) -> &'static str {
    match app {
        DisplayApp::Vscode => "vscode",
        DisplayApp::VscodeInsiders => "vscode_insiders",
        DisplayApp::WebTerminal => "web_terminal",
        DisplayApp::SshHelper => "ssh_helper",
        DisplayApp::PortForwardingHelper => "port_forwarding_helper",
    }
}

/// `[a-z0-9](-?[a-z0-9])*`, without regard to case.
fn is_agent_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name
            .split('-')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// As [`is_agent_name`], in lower case.
fn is_slug(slug: &str) -> bool {
    is_agent_name(slug) && !slug.bytes().any(|b| b.is_ascii_uppercase())
}

/// Levels at which an app may be shared, the closest first.
const SHARING: [&str; 4] = ["owner", "organization", "authenticated", "public"];

/// A level, or the limit if that is closer: a template's limit does not keep an agent from
/// starting.
fn clamp(level: &'static str, limit: &str) -> &'static str {
    let place = |name: &str| SHARING.iter().position(|level| *level == name).unwrap_or(0);
    SHARING[place(level).min(place(limit))]
}

/// An app for the database, or the field that is wrong and why.
fn new_app(
    agent: &str,
    app: &App,
    slugs: &mut HashSet<String>,
) -> Result<NewApp, (&'static str, String)> {
    if app.slug.is_empty() {
        return Err(("slug", "must not be empty".to_owned()));
    }
    if !is_slug(&app.slug) {
        return Err((
            "slug",
            format!(
                "{:?} must be lower-case letters, digits and dashes",
                app.slug
            ),
        ));
    }
    if !slugs.insert(app.slug.clone()) {
        return Err(("slug", format!("{:?} is already in use", app.slug)));
    }
    let sharing_level = match app::SharingLevel::try_from(app.share.unwrap_or_default()) {
        Ok(app::SharingLevel::Owner) => "owner",
        Ok(app::SharingLevel::Authenticated) => "authenticated",
        Ok(app::SharingLevel::Public) => "public",
        Ok(app::SharingLevel::Organization) => "organization",
        Err(_) => return Err(("share", "is not a valid app sharing level".to_owned())),
    };
    let open_in = match app::OpenIn::try_from(app.open_in.unwrap_or_default()) {
        Ok(app::OpenIn::SlimWindow) => "slim-window",
        Ok(app::OpenIn::Tab) => "tab",
        Err(_) => return Err(("open_in", "is not an open in setting".to_owned())),
    };
    let owned = |value: &Option<String>| text(value.as_deref().unwrap_or_default());
    let healthcheck = app.healthcheck.clone().unwrap_or_default();
    Ok(NewApp {
        id: Uuid::new_v4(),
        slug: unique_slug(agent, &app.slug),
        display_name: owned(&app.display_name),
        icon: owned(&app.icon),
        command: owned(&app.command),
        url: owned(&app.url),
        subdomain: app.subdomain.unwrap_or_default(),
        sharing_level,
        external: app.external.unwrap_or_default(),
        hidden: app.hidden.unwrap_or_default(),
        open_in,
        display_order: app.order.unwrap_or_default(),
        display_group: owned(&app.group),
        tooltip: String::new(),
        healthcheck_url: text(&healthcheck.url),
        healthcheck_interval: healthcheck.interval,
        healthcheck_threshold: healthcheck.threshold,
    })
}

/// Slugs are unique in a workspace: those of sub-agents begin with eight base32hex characters
/// of a hash of agent and slug.
fn unique_slug(agent: &str, slug: &str) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let hash = Sha256::digest(format!("{agent}/{slug}"));
    let bits = hash[..5]
        .iter()
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut unique: String = (0..8)
        .rev()
        .map(|place| char::from(ALPHABET[(bits >> (5 * place) & 31) as usize]))
        .collect();
    unique.push('-');
    unique.push_str(slug);
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "A1", "dev-container", "x-1-y"] {
            assert!(is_agent_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "a_b", "ä", &"x".repeat(65)] {
            assert!(!is_agent_name(bad), "{bad}");
        }
        assert!(!is_slug("Upper"));
    }

    #[test]
    fn slugs_get_a_stable_prefix() {
        let slug = unique_slug("dev", "code");
        assert_eq!(slug.len(), 8 + 1 + 4);
        assert_eq!(slug, unique_slug("dev", "code"));
        assert_ne!(slug, unique_slug("other", "code"));
        // SHA-256 of "dev/code" begins with the bytes below.
        let hash = Sha256::digest("dev/code");
        let first = hash[0] >> 3;
        assert_eq!(
            char::from(b"0123456789abcdefghijklmnopqrstuv"[first as usize]),
            slug.chars().next().unwrap()
        );
    }

    #[test]
    fn sharing_is_held_to_the_templates_limit() {
        assert_eq!(clamp("public", "authenticated"), "authenticated");
        assert_eq!(clamp("organization", "authenticated"), "organization");
        assert_eq!(clamp("owner", "public"), "owner");
        assert_eq!(clamp("public", "unheard of"), "owner");
    }

    #[test]
    fn wrong_apps_name_their_field() {
        let app = |slug: &str| App {
            slug: slug.to_owned(),
            ..App::default()
        };
        let mut slugs = HashSet::new();
        assert!(new_app("a", &app("ok"), &mut slugs).is_ok());
        for bad in [app(""), app("UPPER"), app("ok")] {
            assert_eq!(new_app("a", &bad, &mut slugs).unwrap_err().0, "slug");
        }
        let mut odd = app("odd");
        odd.share = Some(17);
        assert_eq!(new_app("a", &odd, &mut slugs).unwrap_err().0, "share");
    }
}
