//! How a user gives access to an account at a server, and takes it back.

use ::mcp::oauth::{self, Grant};
use api_types::McpServerDisconnected;
use authz::{Action, Subject, System};
use serde_json::json;
use store::mcp_servers::McpServerRow;
use store::{AuditAction, AuditDiff, Held, OrganizationRef, StoreError, user_object};
use uuid::Uuid;

use super::fields::web_address;
use super::servers::{entry, find, granted_to};
use crate::{Control, Error, Kind, Result};

/// Where an authorization server sends people back to. Those servers keep it: it never changes.
pub fn callback_path(server: Uuid) -> String {
    format!("/api/experimental/mcp/servers/{server}/oauth2/callback")
}

/// How giving access begins: where the user goes, and what its browser keeps until it is back.
#[derive(Debug)]
pub struct ConnectStart {
    /// Where to.
    pub url: String,
    /// Proves that the answer is to this question.
    pub state: String,
    /// Proves to the authorization server that we asked.
    pub verifier: String,
}

/// What a user comes back with.
#[derive(Debug, Default)]
pub struct CallbackAnswer<'a> {
    /// What the authorization server gave.
    pub code: &'a str,
    /// What it was given.
    pub state: &'a str,
    /// Why it gave nothing; empty if it did.
    pub error: &'a str,
    /// The same in words.
    pub error_description: &'a str,
    /// What the browser kept: see [`ConnectStart`].
    pub kept_state: &'a str,
    /// The same.
    pub kept_verifier: &'a str,
}

/// Bytes of what an authorization server says that are repeated.
const MAX_WORDS: usize = 500;

fn connectable(row: &McpServerRow) -> Result<()> {
    if !row.fields.enabled {
        return Err(Error::invalid("MCP server is not enabled."));
    }
    if row.fields.auth_type != "oauth2" {
        return Err(Error::invalid(
            "MCP server does not use OAuth2 authentication.",
        ));
    }
    Ok(())
}

/// The user itself, if it may keep a token.
fn keeper(who: &Subject) -> Result<Uuid> {
    let user = who
        .user_id()
        .ok_or_else(|| Error::forbidden("Only users have accounts at MCP servers."))?;
    who.may(Action::UpdatePersonal, &user_object(user))?;
    Ok(user)
}

impl Control {
    /// Begins to give access to the user's account at a server.
    pub async fn mcp_server_connect(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
    ) -> Result<ConnectStart> {
        let conn = self.store().conn().await?;
        let row = find(&conn, who, organization, id).await?;
        connectable(&row)?;
        let mut url = web_address(&row.fields.oauth2_auth_url).ok_or_else(|| {
            Error::invalid("MCP server OAuth2 authorization URL is not configured.")
        })?;
        keeper(who)?;
        let random = || oauth::random().map_err(Error::internal);
        let (state, verifier) = (random()?, random()?);
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &row.fields.oauth2_client_id)
                .append_pair("redirect_uri", &self.mcp_callback_url(id))
                .append_pair("state", &state)
                .append_pair("code_challenge", &oauth::challenge(&verifier))
                .append_pair("code_challenge_method", "S256");
            if !row.fields.oauth2_scopes.is_empty() {
                query.append_pair("scope", &row.fields.oauth2_scopes);
            }
        }
        Ok(ConnectStart {
            url: url.into(),
            state,
            verifier,
        })
    }

    /// Takes what the user came back with, and keeps the tokens for it.
    pub async fn mcp_server_callback(
        &self,
        who: &Subject,
        id: Uuid,
        answer: CallbackAnswer<'_>,
    ) -> Result<()> {
        // A code is good once: it is not used for tokens that cannot be kept.
        let user = keeper(who)?;
        let row = self.store().conn().await?.mcp_server_read(who, id).await?;
        connectable(&row)?;
        if !answer.error.is_empty() {
            let words = match answer.error_description {
                "" => answer.error,
                words => words,
            };
            let words: String = words.chars().take(MAX_WORDS).collect();
            return Err(Error::invalid("OAuth2 provider returned an error.").with_detail(words));
        }
        if answer.code.is_empty() {
            return Err(Error::invalid("Missing authorization code."));
        }
        if answer.kept_state.is_empty() || answer.kept_state != answer.state {
            return Err(Error::invalid("Invalid or missing OAuth2 state parameter."));
        }
        let endpoint = web_address(&row.fields.oauth2_token_url)
            .ok_or_else(|| Error::invalid("MCP server OAuth2 token URL is not configured."))?;
        let grant = Grant::Code {
            code: answer.code,
            callback: &self.mcp_callback_url(id),
            verifier: answer.kept_verifier,
        };
        let client = self.mcp_oauth_client(&row)?;
        let tokens = oauth::exchange(self.mcp_web()?, &endpoint, &client, grant).await;
        let tokens = tokens.map_err(|error| {
            tracing::warn!(%error, server = row.fields.slug, "no token for a code");
            Error::new(
                Kind::BadGateway,
                "Failed to exchange authorization code for token.",
            )
            .with_detail("The OAuth2 token exchange with the upstream provider failed.")
        })?;
        let fields = self.mcp_token_fields(&tokens)?;
        let tx = self.store().begin(who).await?;
        tx.hold(Held::McpServer, id).await?;
        let now = tx.mcp_server_read(who, id).await?;
        if granted_to(&now.fields) != granted_to(&row.fields) {
            return Err(
                Error::conflict("MCP server configuration changed during authorization.")
                    .with_detail("Connect again to give access to the server as it is now."),
            );
        }
        tx.mcp_token_set(who, user, id, &fields).await?;
        let diff = AuditDiff::between(&(), &json!({"user_token": "-"}), &[], &["user_token"]);
        tx.audit(entry(AuditAction::Write, &row, diff)).await?;
        Ok(tx.commit().await?)
    }

    /// Forgets the user's tokens for a server, and has them taken back there. That may fail; they
    /// are forgotten all the same. Whoever has none learns nothing of the server.
    pub async fn mcp_server_disconnect(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<McpServerDisconnected> {
        let user = keeper(who)?;
        let system = Subject::system(System::Core);
        let tx = self.store().begin(who).await?;
        let token = match tx.mcp_token_read(&system, user, id).await {
            Err(StoreError::NotFound) => return Ok(McpServerDisconnected::default()),
            read => read?,
        };
        let row = tx.mcp_server_read(&system, id).await?;
        tx.mcp_token_delete(who, user, id).await?;
        let diff = AuditDiff::between(&json!({"user_token": "-"}), &(), &[], &["user_token"]);
        tx.audit(entry(AuditAction::Write, &row, diff)).await?;
        tx.commit().await?;
        let (Some(endpoint), "oauth2") = (
            web_address(&row.fields.oauth2_revocation_url),
            row.fields.auth_type.as_str(),
        ) else {
            return Ok(McpServerDisconnected::default());
        };
        let seal = &self.settings().seal;
        let access = seal.open(&token.access_token, token.access_token_key_id.as_deref())?;
        let refresh = seal.open(&token.refresh_token, token.refresh_token_key_id.as_deref())?;
        let client = self.mcp_oauth_client(&row)?;
        let web = self.mcp_web()?.clone();
        // Also if the user goes away meanwhile.
        let revoked = tokio::spawn(async move {
            oauth::revoke(&web, &endpoint, &client, &access, &refresh).await
        });
        Ok(match revoked.await {
            Ok(Ok(())) => McpServerDisconnected {
                token_revoked: true,
                token_revocation_error: String::new(),
            },
            failed => {
                tracing::warn!(
                    ?failed,
                    server = row.fields.slug,
                    "a token was not taken back"
                );
                McpServerDisconnected {
                    token_revoked: false,
                    token_revocation_error: "The OAuth provider rejected the revocation request."
                        .to_owned(),
                }
            }
        })
    }
}
