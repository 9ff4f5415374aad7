//! Servers: list, read, make, change, delete.

use ::mcp::oauth;
use api_types::{McpServerConfig, McpServerConfigRequest};
use authz::{Action, Object, ResourceType, Subject, System};
use futures::future::join_all;
use serde_json::{Value, json};
use store::mcp_servers::{McpServerFields, McpServerRow, SLUG_TAKEN};
use store::mcp_tokens::McpTokenRow;
use store::{AuditAction, AuditDiff, AuditEntry, Conn, Held, OrganizationRef, StoreError};
use uuid::Uuid;

use super::callback_path;
use super::fields::{merged, web_address};
use super::secrets::Secrets;
use crate::{Control, Error, Result};

const TRACKED: &[&str] = &[
    "display_name",
    "slug",
    "description",
    "icon_url",
    "transport",
    "url",
    "auth_type",
    "oauth2_client_id",
    "oauth2_auth_url",
    "oauth2_token_url",
    "oauth2_revocation_url",
    "oauth2_scopes",
    "api_key_header",
    "tool_allow_list",
    "tool_deny_list",
    "availability",
    "enabled",
    "model_intent",
    "allow_in_plan_mode",
    "forward_coder_headers",
];
const SECRET: &[&str] = &["oauth2_client_secret", "api_key_value", "custom_headers"];
/// Our name for authorization servers.
const CLIENT_NAME: &str = "Coder";

impl Control {
    /// The servers of an organization: all of them and all of each for those who manage or audit
    /// them, else those that one may use, without addresses.
    pub async fn mcp_server_list(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
    ) -> Result<Vec<McpServerConfig>> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?.id;
        let whole = sees_all(who, organization);
        let rows = if whole {
            let system = Subject::system(System::Core);
            conn.mcp_server_list(&system, organization).await?
        } else {
            let mut rows = conn.mcp_server_list(who, organization).await?;
            rows.retain(|row| row.fields.enabled || manages(who, row));
            rows
        };
        let tokens = match who.user_id() {
            // Whoever may not read tokens is told that nothing is connected.
            Some(user) => conn.mcp_token_list(who, user).await.unwrap_or_default(),
            None => Vec::new(),
        };
        drop(conn);
        let shown = rows.into_iter().map(|row| {
            let token = tokens.iter().find(|t| t.mcp_server_config_id == row.id);
            self.mcp_shown(row, token.cloned(), whole)
        });
        join_all(shown).await.into_iter().collect()
    }

    /// One server.
    pub async fn mcp_server_read(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
    ) -> Result<McpServerConfig> {
        let conn = self.store().conn().await?;
        let row = find(&conn, who, organization, id).await?;
        let whole =
            sees_all(who, row.organization_id) || who.may(Action::Update, &row.object()).is_ok();
        if !whole && !row.fields.enabled && !manages(who, &row) {
            return Err(Error::not_found());
        }
        let token = match who.user_id() {
            Some(user) => conn.mcp_token_read(who, user, row.id).await.ok(),
            None => None,
        };
        drop(conn);
        self.mcp_shown(row, token, whole).await
    }

    /// Adds a server. One that people sign in to and that names no authorization server is asked
    /// for it, and we make ourselves known there.
    pub async fn mcp_server_create(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        request: McpServerConfigRequest,
    ) -> Result<McpServerConfig> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?.id;
        who.may(
            Action::Create,
            &Object::new(ResourceType::McpServerConfig).org(organization),
        )?;
        let (mut fields, mut secrets) =
            merged((&McpServerFields::default(), &Secrets::default()), &request)?;
        may_forward_sign_in(who, &fields)?;
        let taken = || Error::conflict("MCP server config already exists.");
        let id = Uuid::new_v4();
        if fields.auth_type == "oauth2" {
            let given = [
                &fields.oauth2_client_id,
                &fields.oauth2_auth_url,
                &fields.oauth2_token_url,
            ];
            let given = given.iter().filter(|text| !text.is_empty()).count();
            if given == 0 {
                // Strangers are asked only if it can come to anything.
                let system = Subject::system(System::Core);
                let others = conn.mcp_server_list(&system, organization).await?;
                if others.iter().any(|row| row.fields.slug == fields.slug) {
                    return Err(taken());
                }
            } else if given < 3 {
                return Err(Error::invalid(
                    "OAuth2 auth type requires either all of oauth2_client_id, oauth2_auth_url, \
                     and oauth2_token_url (manual configuration), or none of them (automatic \
                     discovery via RFC 7591).",
                ));
            }
            drop(conn);
            if given == 0 {
                self.mcp_discover(id, &mut fields, &mut secrets).await?;
            }
        }
        let sealed = secrets.sealed(&self.settings().seal)?;
        let tx = self.store().begin(who).await?;
        let row = tx
            .mcp_server_create(who, organization, id, &fields, &sealed)
            .await
            .map_err(|error| {
                if error.is_conflict(SLUG_TAKEN) {
                    taken()
                } else {
                    error.into()
                }
            })?;
        let diff = AuditDiff::between(&(), &facts(&fields, &secrets), TRACKED, SECRET);
        tx.audit(entry(AuditAction::Create, &row, diff)).await?;
        tx.commit().await?;
        self.mcp_shown(row, None, true).await
    }

    async fn mcp_discover(
        &self,
        id: Uuid,
        fields: &mut McpServerFields,
        secrets: &mut Secrets,
    ) -> Result<()> {
        let failed = |error: ::mcp::Error| {
            Error::invalid(
                "OAuth2 auto-discovery failed. Provide oauth2_client_id, oauth2_auth_url, and \
                 oauth2_token_url manually, or ensure the MCP server supports RFC 9728 (Protected \
                 Resource Metadata) and RFC 7591 (Dynamic Client Registration).",
            )
            .with_detail(error.to_string())
        };
        let web = self.mcp_web()?;
        let url = web_address(&fields.url)
            .ok_or_else(|| Error::field("url", "must be an http or https address"))?;
        let found = oauth::discover(web, &url).await.map_err(failed)?;
        let registration = found.registration.ok_or_else(|| {
            failed(::mcp::Error::Refused(
                "its authorization server registers no clients".to_owned(),
            ))
        })?;
        let callback = self.mcp_callback_url(id);
        let client = oauth::register(web, &registration, CLIENT_NAME, &callback)
            .await
            .map_err(failed)?;
        fields.oauth2_client_id = client.id;
        secrets.oauth2_client_secret = client.secret;
        fields.oauth2_auth_url = found.authorization.into();
        fields.oauth2_token_url = found.token.into();
        if fields.oauth2_scopes.is_empty() {
            fields.oauth2_scopes = found.scopes;
        }
        if fields.oauth2_revocation_url.is_empty()
            && let Some(url) = found.revocation
            // One that tokens must not be sent to is as good as none.
            && oauth::check_revocation(&url).is_ok()
        {
            fields.oauth2_revocation_url = url.into();
        }
        Ok(())
    }

    /// Where authorization servers send people back to.
    pub(super) fn mcp_callback_url(&self, id: Uuid) -> String {
        let base = self.settings().access_url.as_str();
        format!("{}{}", base.trim_end_matches('/'), callback_path(id))
    }

    /// Changes a server; what is absent stays. When it is another server or client than before,
    /// the access that people gave is forgotten.
    pub async fn mcp_server_update(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
        request: McpServerConfigRequest,
    ) -> Result<McpServerConfig> {
        let seal = &self.settings().seal;
        let tx = self.store().begin(who).await?;
        find(&tx, who, organization, id).await?;
        tx.hold(Held::McpServer, id).await?;
        let old = tx.mcp_server_read(who, id).await?;
        who.may(Action::Update, &old.object())?;
        may_forward_sign_in(who, &old.fields)?;
        let before = Secrets::of(&old, seal)?;
        let (fields, secrets) = merged((&old.fields, &before), &request)?;
        may_forward_sign_in(who, &fields)?;
        if granted_to(&old.fields) != granted_to(&fields) {
            tx.mcp_tokens_forget(who, &old).await?;
        }
        let sealed = secrets.sealed(seal)?;
        let row = tx
            .mcp_server_update(who, &old, &fields, &sealed)
            .await
            .map_err(|error| {
                if error.is_conflict(SLUG_TAKEN) {
                    Error::conflict("MCP server config slug already exists.")
                } else {
                    error.into()
                }
            })?;
        let diff = AuditDiff::between(
            &facts(&old.fields, &before),
            &facts(&fields, &secrets),
            TRACKED,
            SECRET,
        );
        tx.audit(entry(AuditAction::Write, &row, diff)).await?;
        tx.commit().await?;
        self.mcp_shown(row, None, true).await
    }

    /// Deletes a server.
    pub async fn mcp_server_delete(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        find(&tx, who, organization, id).await?;
        tx.hold(Held::McpServer, id).await?;
        let row = tx.mcp_server_read(who, id).await?;
        tx.mcp_server_delete(who, &row).await?;
        let secrets = Secrets::of(&row, &self.settings().seal).unwrap_or_default();
        let diff = AuditDiff::between(&facts(&row.fields, &secrets), &(), TRACKED, SECRET);
        tx.audit(entry(AuditAction::Delete, &row, diff).status(204))
            .await?;
        Ok(tx.commit().await?)
    }

    /// A server as it is shown.
    async fn mcp_shown(
        &self,
        row: McpServerRow,
        token: Option<McpTokenRow>,
        whole: bool,
    ) -> Result<McpServerConfig> {
        let secrets = Secrets::of(&row, &self.settings().seal)?;
        let auth_connected = match (row.fields.auth_type.as_str(), token) {
            ("oauth2", Some(token)) => self.mcp_token_usable(&row, token).await.is_some(),
            ("oauth2", None) => false,
            _ => true,
        };
        let only = |text: String| if whole { text } else { String::new() };
        let f = row.fields;
        Ok(McpServerConfig {
            id: row.id,
            organization_id: row.organization_id,
            display_name: f.display_name,
            slug: f.slug,
            description: f.description,
            icon_url: f.icon_url,
            transport: only(f.transport),
            url: only(f.url),
            auth_type: f.auth_type,
            oauth2_client_id: only(f.oauth2_client_id),
            has_oauth2_secret: !secrets.oauth2_client_secret.expose().is_empty(),
            oauth2_auth_url: only(f.oauth2_auth_url),
            oauth2_token_url: only(f.oauth2_token_url),
            oauth2_revocation_url: only(f.oauth2_revocation_url),
            oauth2_scopes: only(f.oauth2_scopes),
            api_key_header: only(f.api_key_header),
            has_api_key: !secrets.api_key_value.expose().is_empty(),
            has_custom_headers: !secrets.custom_headers.is_empty(),
            tool_allow_list: f.tool_allow_list,
            tool_deny_list: f.tool_deny_list,
            availability: f.availability,
            enabled: f.enabled,
            model_intent: f.model_intent,
            allow_in_plan_mode: f.allow_in_plan_mode,
            forward_coder_headers: f.forward_coder_headers,
            created_at: row.created_at,
            updated_at: row.updated_at,
            auth_connected,
        })
    }
}

/// To what people gave access: if any of it changes, they did not give it to that.
pub(super) fn granted_to(fields: &McpServerFields) -> [&str; 5] {
    [
        &fields.url,
        &fields.auth_type,
        &fields.oauth2_token_url,
        &fields.oauth2_revocation_url,
        &fields.oauth2_client_id,
    ]
}

/// A server of this organization that the subject may read.
pub(crate) async fn find(
    conn: &Conn,
    who: &Subject,
    organization: &OrganizationRef,
    id: Uuid,
) -> Result<McpServerRow> {
    let organization = conn.organization_read(who, organization).await?.id;
    let row = match conn.mcp_server_read(who, id).await {
        // Whoever reads the audit log sees what it speaks of.
        Err(StoreError::NotFound) if audits(who, organization) => {
            conn.mcp_server_read(&Subject::system(System::Core), id)
                .await?
        }
        other => other?,
    };
    if row.organization_id != organization {
        return Err(Error::not_found());
    }
    Ok(row)
}

fn audits(who: &Subject, organization: Uuid) -> bool {
    let log = Object::new(ResourceType::AuditLog).org(organization);
    who.may(Action::Read, &log).is_ok()
}

fn sees_all(who: &Subject, organization: Uuid) -> bool {
    let all = Object::new(ResourceType::McpServerConfig).org(organization);
    let both = [Action::Read, Action::Update];
    both.iter().all(|action| who.may(*action, &all).is_ok()) || audits(who, organization)
}

fn manages(who: &Subject, row: &McpServerRow) -> bool {
    [Action::Update, Action::Delete, Action::Share]
        .iter()
        .any(|action| who.may(*action, &row.object()).is_ok())
}

/// A server that gets the tokens of everyone's sign-in, unasked, is a matter of the whole
/// deployment.
fn may_forward_sign_in(who: &Subject, fields: &McpServerFields) -> Result<()> {
    let deployment = Object::new(ResourceType::DeploymentConfig);
    if fields.auth_type == "user_oidc" && who.may(Action::Update, &deployment).is_err() {
        return Err(Error::forbidden(
            "Managing user_oidc MCP server configs requires deployment-level permissions.",
        ));
    }
    Ok(())
}

fn facts(fields: &McpServerFields, secrets: &Secrets) -> Value {
    let mut facts = json!(fields);
    let hidden = json!(secrets);
    if let (Value::Object(facts), Value::Object(hidden)) = (&mut facts, hidden) {
        facts.extend(hidden);
    }
    facts
}

pub(crate) fn entry(action: AuditAction, row: &McpServerRow, diff: AuditDiff) -> AuditEntry {
    AuditEntry::new(action, "mcp_server_config", row.id, &row.fields.slug)
        .org(row.organization_id)
        .diff(diff)
}
