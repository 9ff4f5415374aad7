//! Users' tokens for servers, got anew before they end.

use ::mcp::oauth::{self, Client, Tokens};
use api_types::Secret;
use authz::{Subject, System};
use chrono::{TimeDelta, Utc};
use store::StoreError;
use store::mcp_servers::McpServerRow;
use store::mcp_tokens::{McpTokenFields, McpTokenRow};

use super::SHARDS;
use super::fields::web_address;
use super::secrets::Secrets;
use crate::{Control, Result};

/// A token is got anew so long before its end: it has to last for the request.
const EARLY: TimeDelta = TimeDelta::seconds(10);
/// Bytes of a reason that are kept.
const MAX_REASON: usize = 400;

/// A token as it is presented.
#[derive(Debug, Clone)]
pub(super) struct Presented {
    pub(super) kind: String,
    pub(super) token: Secret<String>,
}

impl Control {
    /// The token in use; got anew if it ends. None if only the user can help, or nobody for now.
    pub(super) async fn mcp_token_usable(
        &self,
        server: &McpServerRow,
        row: McpTokenRow,
    ) -> Option<Presented> {
        match self.mcp_token_fresh(server, row).await {
            Ok(presented) => presented,
            Err(error) => {
                let slug = &server.fields.slug;
                tracing::warn!(%error, server = slug, "a token for an MCP server is of no use");
                None
            }
        }
    }

    async fn mcp_token_fresh(
        &self,
        server: &McpServerRow,
        mut row: McpTokenRow,
    ) -> Result<Option<Presented>> {
        if !ends(&row) {
            return self.presented(&row);
        }
        let shard = row.user_id.as_u128() ^ row.mcp_server_config_id.as_u128();
        let shard = usize::try_from(shard % SHARDS as u128).unwrap_or(0);
        let _turn = self.mcp().refreshing[shard].lock().await;
        let system = Subject::system(System::Core);
        // Somebody may have been here while we waited.
        let conn = self.store().conn().await?;
        let read = conn.mcp_token_read(&system, row.user_id, server.id).await;
        row = match read {
            Err(StoreError::NotFound) => return Ok(None),
            read => read?,
        };
        drop(conn);
        if !ends(&row) {
            return self.presented(&row);
        }
        let seal = &self.settings().seal;
        let refresh = seal.open(&row.refresh_token, row.refresh_token_key_id.as_deref())?;
        if refresh.expose().is_empty() || !row.refresh_failure.is_empty() {
            return Ok(None);
        }
        let Some(endpoint) = web_address(&server.fields.oauth2_token_url) else {
            return Ok(None);
        };
        let client = self.mcp_oauth_client(server)?;
        let got = oauth::refresh(self.mcp_web()?, &endpoint, &client, &refresh).await;
        let tx = self.store().begin(&system).await?;
        match got {
            Ok(tokens) => {
                let fields = self.mcp_token_fields(&tokens)?;
                if !tx.mcp_token_refreshed(&system, &row, &fields).await? {
                    // Another replica was quicker, or the user signed out.
                    row = match tx.mcp_token_read(&system, row.user_id, server.id).await {
                        Err(StoreError::NotFound) => return Ok(None),
                        read => read?,
                    };
                    return if ends(&row) {
                        Ok(None)
                    } else {
                        self.presented(&row)
                    };
                }
                tx.commit().await?;
                Ok(Some(Presented {
                    kind: fields.token_type,
                    token: tokens.access,
                }))
            }
            Err(error) => {
                let slug = &server.fields.slug;
                tracing::warn!(%error, server = slug, "no new token for an MCP server");
                if error.is_final() {
                    let reason: String = error.to_string().chars().take(MAX_REASON).collect();
                    tx.mcp_token_failed(&system, &row, &reason).await?;
                    tx.commit().await?;
                }
                Ok(None)
            }
        }
    }

    fn presented(&self, row: &McpTokenRow) -> Result<Option<Presented>> {
        let seal = &self.settings().seal;
        let token = seal.open(&row.access_token, row.access_token_key_id.as_deref())?;
        Ok((!token.expose().is_empty()).then(|| Presented {
            kind: row.token_type.clone(),
            token,
        }))
    }

    /// Tokens as they are kept.
    pub(super) fn mcp_token_fields(&self, tokens: &Tokens) -> Result<McpTokenFields> {
        let seal = &self.settings().seal;
        let lives = tokens.lives.and_then(|d| TimeDelta::from_std(d).ok());
        Ok(McpTokenFields {
            access: seal.seal(tokens.access.expose())?,
            refresh: seal.seal(tokens.refresh.expose())?,
            // Some insist on how the word is written.
            token_type: if tokens.kind.is_empty() || tokens.kind.eq_ignore_ascii_case("bearer") {
                "Bearer".to_owned()
            } else {
                tokens.kind.clone()
            },
            expiry: lives.and_then(|lives| Utc::now().checked_add_signed(lives)),
        })
    }

    /// Who we are for the authorization server of a server.
    pub(super) fn mcp_oauth_client(&self, server: &McpServerRow) -> Result<Client> {
        Ok(Client {
            id: server.fields.oauth2_client_id.clone(),
            secret: Secrets::of(server, &self.settings().seal)?.oauth2_client_secret,
        })
    }
}

fn ends(row: &McpTokenRow) -> bool {
    !row.refresh_failure.is_empty()
        || row
            .expiry
            .is_some_and(|expiry| expiry <= Utc::now() + EARLY)
}
