//! Which servers a chat may use, and what it shows to each.

use ::mcp::{Remote, Target, Transport};
use authz::Subject;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use store::Conn;
use store::mcp_servers::McpServerRow;
use store::mcp_tokens::McpTokenRow;
use uuid::Uuid;

use super::fields::web_address;
use super::secrets::Secrets;
use crate::{Control, Error, Result};

/// A server that a chat may use.
#[derive(Debug, Clone)]
pub struct McpServer {
    pub(super) row: McpServerRow,
    /// One chat has brought it along; the organization does not know it.
    pub(super) inline: bool,
}

impl McpServer {
    /// The id.
    pub fn id(&self) -> Uuid {
        self.row.id
    }

    /// The id by which the organization knows it.
    pub fn known_as(&self) -> Option<Uuid> {
        (!self.inline).then_some(self.row.id)
    }

    /// What is set of it.
    pub fn fields(&self) -> &store::mcp_servers::McpServerFields {
        &self.row.fields
    }

    /// Changes with every change of the server.
    pub fn version(&self) -> i64 {
        self.row.updated_at.timestamp_micros()
    }
}

/// Whose chat asks, for servers that are told.
#[derive(Debug, Clone, Copy)]
pub struct ChatHeaders {
    /// The chat's owner.
    pub owner: Uuid,
    /// The chat; of a helper the one above it.
    pub chat: Uuid,
    /// The helper.
    pub helper: Option<Uuid>,
    /// The workspace.
    pub workspace: Option<Uuid>,
}

impl Control {
    /// The servers that a chat of `owner` may use: those it names and those that every chat has, of
    /// its organization, as far as they are enabled and the owner may use them.
    pub async fn mcp_servers_of_chat(
        &self,
        owner: &Subject,
        organization: Uuid,
        named: &[Uuid],
    ) -> Result<Vec<McpServer>> {
        let conn = self.store().conn().await?;
        let rows = conn.mcp_server_list(owner, organization).await?;
        let wanted = |row: &McpServerRow| named.contains(&row.id) || is_forced(row);
        Ok(rows
            .into_iter()
            .filter(|row| row.fields.enabled && wanted(row))
            .map(|row| McpServer { row, inline: false })
            .collect())
    }

    /// Changes with the owner's access to a server: what was reached before is not used after.
    pub async fn mcp_access_version(&self, owner: &Subject, server: &McpServer) -> i64 {
        let (Some(user), "oauth2") = (owner.user_id(), server.row.fields.auth_type.as_str()) else {
            return 0;
        };
        let read = async {
            let conn = self.store().conn().await?;
            let row = conn.mcp_token_read(owner, user, server.row.id).await?;
            drop(conn);
            // A token that ends is replaced here, and counts as another.
            self.mcp_token_usable(&server.row, row).await;
            let conn = self.store().conn().await?;
            conn.mcp_token_read(owner, user, server.row.id).await
        };
        read.await.map_or(0, |row: McpTokenRow| row.version)
    }

    /// A way to a server in the name of a chat's owner.
    pub async fn mcp_server_reach(
        &self,
        owner: &Subject,
        server: &McpServer,
        chat: ChatHeaders,
    ) -> Result<Remote> {
        let row = &server.row;
        let url = web_address(&row.fields.url)
            .ok_or_else(|| Error::invalid("The MCP server has no web address."))?;
        let transport = Transport::parse(&row.fields.transport).unwrap_or_default();
        let headers = self.mcp_headers(owner, row, chat).await?;
        let target = Target {
            transport,
            url,
            headers,
        };
        let remote = self.mcp_web()?.remote(target).await;
        remote.map_err(|error| Error::invalid(error.to_string()))
    }

    async fn mcp_headers(
        &self,
        owner: &Subject,
        row: &McpServerRow,
        chat: ChatHeaders,
    ) -> Result<HeaderMap> {
        let fields = &row.fields;
        let secrets = Secrets::of(row, &self.settings().seal)?;
        let mut headers = HeaderMap::new();
        if fields.forward_coder_headers {
            // First, so that what the administrator set stands above it.
            for (name, id) in [
                ("x-coder-owner-id", Some(chat.owner)),
                ("x-coder-chat-id", Some(chat.chat)),
                ("x-coder-subchat-id", chat.helper),
                ("x-coder-workspace-id", chat.workspace),
            ] {
                if let Some(id) = id {
                    add(&mut headers, name, &id.to_string());
                }
            }
        }
        match fields.auth_type.as_str() {
            "oauth2" => {
                let token = match owner.user_id() {
                    Some(user) => {
                        let conn = self.store().conn().await?;
                        conn.mcp_token_read(owner, user, row.id).await.ok()
                    }
                    None => None,
                };
                let usable = match token {
                    Some(token) => self.mcp_token_usable(row, token).await,
                    None => None,
                };
                if let Some(usable) = usable {
                    let value = format!("{} {}", usable.kind, usable.token.expose());
                    add(&mut headers, AUTHORIZATION.as_str(), &value);
                }
            }
            "api_key" => add(
                &mut headers,
                &fields.api_key_header,
                secrets.api_key_value.expose(),
            ),
            "custom_headers" => {
                for (name, value) in &secrets.custom_headers {
                    add(&mut headers, name, value.expose());
                }
            }
            "user_oidc" => {
                let token = match owner.user_id() {
                    Some(user) => {
                        let conn = self.store().conn().await?;
                        conn.oidc_token_read(owner, user).await?
                    }
                    None => None,
                };
                if let Some(token) = token {
                    let value = format!("Bearer {}", token.expose());
                    add(&mut headers, AUTHORIZATION.as_str(), &value);
                }
            }
            _ => {}
        }
        Ok(headers)
    }

    /// The servers that a chat shall name: those asked for, and those that every chat of the
    /// organization has. What a chat names already may have become unusable.
    pub(crate) async fn mcp_ids_checked(
        &self,
        conn: &Conn,
        owner: &Subject,
        organization: Uuid,
        asked: &[Uuid],
        already: &[Uuid],
    ) -> Result<Vec<Uuid>> {
        let rows = conn.mcp_server_list(owner, organization).await?;
        let usable = |id: &Uuid| rows.iter().any(|row| row.id == *id && row.fields.enabled);
        let mut ids: Vec<Uuid> = Vec::new();
        let mut wrong: Vec<String> = Vec::new();
        for id in asked {
            if ids.contains(id) {
                continue;
            }
            if usable(id) || already.contains(id) {
                ids.push(*id);
            } else {
                wrong.push(id.to_string());
            }
        }
        if !wrong.is_empty() {
            wrong.truncate(8);
            return Err(
                Error::invalid("One or more MCP server IDs are invalid or disabled.")
                    .with_detail(format!("Invalid IDs: {}", wrong.join(", "))),
            );
        }
        let forced = rows
            .iter()
            .filter(|row| row.fields.enabled && is_forced(row));
        for row in forced {
            if !ids.contains(&row.id) {
                ids.push(row.id);
            }
        }
        Ok(ids)
    }
}

fn is_forced(row: &McpServerRow) -> bool {
    row.fields.availability == "force_on"
}

fn add(headers: &mut HeaderMap, name: &str, value: &str) {
    // Both were checked when they were set; a token that cannot stand in a header is none.
    if let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}
