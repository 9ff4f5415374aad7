//! Servers that one chat brings along: checked and sealed when it begins, reached like those of the
//! organization, and behind the same guard of addresses.

use std::collections::BTreeMap;
use std::collections::HashSet;

use api_types::InlineMcpServer;
use chrono::Utc;
use store::chats::{ChatRow, InlineServerRow};
use store::mcp_servers::{McpServerFields, McpServerRow};
use uuid::Uuid;

use super::fields::{self, MAX_SLUG, MAX_URL};
use super::reach::McpServer;
use super::secrets::Secrets;
use crate::{Control, Error, Result};

/// Servers of one chat.
const MAX_SERVERS: usize = 5;

impl Control {
    /// What a new chat brings along, checked.
    pub(crate) fn mcp_inline_checked(
        &self,
        asked: &[InlineMcpServer],
    ) -> Result<Vec<InlineServerRow>> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        if self.settings().disable_chat_caller_supplied_tools {
            return Err(Error::invalid(
                "Tools of clients are disabled on this deployment: leave out inline_mcp_servers.",
            ));
        }
        if asked.len() > MAX_SERVERS {
            return Err(Error::field(
                "inline_mcp_servers",
                format!("A chat brings along {MAX_SERVERS} servers at most."),
            ));
        }
        let mut slugs = HashSet::new();
        let made = asked.iter().enumerate().map(|(n, server)| {
            let row = self.checked(server).map_err(|error| located(error, n))?;
            if !slugs.insert(row.slug.clone()) {
                let error = Error::field("slug", "is given twice");
                return Err(located(error, n));
            }
            Ok(row)
        });
        made.collect()
    }

    fn checked(&self, server: &InlineMcpServer) -> Result<InlineServerRow> {
        let slug = server.slug.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if slug.is_empty() || slug.len() > MAX_SLUG || !slug.chars().all(plain) {
            return Err(Error::field(
                "slug",
                format!("must be 1 to {MAX_SLUG} letters, digits, hyphens and underscores"),
            ));
        }
        let url = server.url.trim();
        if url.len() > MAX_URL || fields::web_address(url).is_none() {
            return Err(Error::field("url", "must be an http or https address"));
        }
        let secrets = Secrets {
            custom_headers: fields::headers(&server.headers)?,
            ..Secrets::default()
        };
        let (secrets, secrets_key_id) = secrets.sealed(&self.settings().seal)?.unzip();
        Ok(InlineServerRow {
            id: Uuid::new_v4(),
            slug: slug.to_owned(),
            url: url.to_owned(),
            secrets,
            secrets_key_id: secrets_key_id.flatten(),
            tool_allow_list: fields::names(&server.tool_allow_list)?,
            tool_deny_list: fields::names(&server.tool_deny_list)?,
            allow_in_subagents: server.allow_in_subagents,
            forward_coder_headers: server.forward_coder_headers,
            created_at: Utc::now(),
        })
    }

    /// The servers that a chat, which one has been let read, has brought along and may use.
    pub async fn mcp_inline_of_chat(&self, chat: &ChatRow) -> Result<Vec<McpServer>> {
        let conn = self.store().conn().await?;
        let rows = conn.chat_inline_servers(chat).await?;
        let is_helper = chat.parent_chat_id.is_some();
        let usable = rows
            .into_iter()
            .filter(|row| row.allow_in_subagents || !is_helper);
        Ok(usable
            .map(|row| server(row, chat.organization_id))
            .collect())
    }
}

/// The same fault, at the place where it is.
fn located(mut error: Error, at: usize) -> Error {
    for validation in &mut error.validations {
        validation.field = format!("inline_mcp_servers[{at}].{}", validation.field);
    }
    if error.validations.is_empty() {
        let detail = std::mem::take(&mut error.detail);
        error.detail = format!("inline_mcp_servers[{at}]: {detail}");
    }
    error
}

fn server(row: InlineServerRow, organization_id: Uuid) -> McpServer {
    let auth_type = if row.secrets.is_some() {
        "custom_headers"
    } else {
        "none"
    };
    let fields = McpServerFields {
        display_name: row.slug.clone(),
        slug: row.slug,
        transport: "streamable_http".to_owned(),
        url: row.url,
        auth_type: auth_type.to_owned(),
        tool_allow_list: row.tool_allow_list,
        tool_deny_list: row.tool_deny_list,
        enabled: true,
        forward_coder_headers: row.forward_coder_headers,
        ..McpServerFields::default()
    };
    McpServer {
        row: McpServerRow {
            id: row.id,
            organization_id,
            fields,
            secrets: row.secrets,
            secrets_key_id: row.secrets_key_id,
            user_acl: authz::AccessList::default(),
            group_acl: authz::AccessList::default(),
            created_at: row.created_at,
            updated_at: row.created_at,
        },
        inline: true,
    }
}

/// As its owner sees it.
pub(crate) fn inline_shown(row: InlineServerRow) -> InlineMcpServer {
    InlineMcpServer {
        slug: row.slug,
        url: row.url,
        headers: BTreeMap::new(),
        has_headers: row.secrets.is_some(),
        tool_allow_list: row.tool_allow_list,
        tool_deny_list: row.tool_deny_list,
        allow_in_subagents: row.allow_in_subagents,
        forward_coder_headers: row.forward_coder_headers,
    }
}
