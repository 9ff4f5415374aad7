//! MCP servers that an organization offers to the chats of its members.

use authz::{AccessList, Action, Columns, Object, ResourceType, Subject, filter};
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::{Conn, SqlParam, filter_params};
use crate::row::FromRow;
use crate::{Result, StoreError, Time, Tx};

/// Unique index: another server of the organization has the slug.
pub const SLUG_TAKEN: &str = "mcp_server_configs_slug";

/// What is set of a server, beside its secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct McpServerFields {
    /// Its name for people.
    pub display_name: String,
    /// Begins the names of its tools; unique in the organization.
    pub slug: String,
    /// What it is for.
    pub description: String,
    /// Its picture.
    pub icon_url: String,
    /// `streamable_http` or `sse`.
    pub transport: String,
    /// Its address.
    pub url: String,
    /// `none`, `oauth2`, `api_key`, `custom_headers` or `user_oidc`.
    pub auth_type: String,
    /// Who we are for its authorization server.
    pub oauth2_client_id: String,
    /// Where people give access.
    pub oauth2_auth_url: String,
    /// Where tokens are.
    pub oauth2_token_url: String,
    /// Where tokens are taken back; may be empty.
    pub oauth2_revocation_url: String,
    /// What is asked for, with spaces between.
    pub oauth2_scopes: String,
    /// The header that carries the key.
    pub api_key_header: String,
    /// The only tools that may be used; all if empty.
    pub tool_allow_list: Vec<String>,
    /// Tools that may not be used.
    pub tool_deny_list: Vec<String>,
    /// `force_on`, `default_on` or `default_off`.
    pub availability: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// Models say why they call a tool.
    pub model_intent: bool,
    /// Its tools may be used while a chat plans.
    pub allow_in_plan_mode: bool,
    /// It is told whose chat asks.
    pub forward_coder_headers: bool,
}

/// A server.
#[derive(Debug, Clone)]
pub struct McpServerRow {
    /// The id.
    pub id: Uuid,
    /// Whose.
    pub organization_id: Uuid,
    /// What is set of it.
    pub fields: McpServerFields,
    /// Its secrets as sealed JSON; none if it has none.
    pub secrets: Option<String>,
    /// Digest of the key that sealed them.
    pub secrets_key_id: Option<String>,
    /// Who may use it.
    pub user_acl: AccessList,
    /// Which groups may use it.
    pub group_acl: AccessList,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

impl FromRow for McpServerRow {
    fn from_row(row: &Row) -> Result<Self> {
        let mut cols = Cols::new(row);
        Ok(Self {
            id: cols.next()?,
            organization_id: cols.next()?,
            fields: McpServerFields {
                display_name: cols.next()?,
                slug: cols.next()?,
                description: cols.next()?,
                icon_url: cols.next()?,
                transport: cols.next()?,
                url: cols.next()?,
                auth_type: cols.next()?,
                oauth2_client_id: cols.next()?,
                oauth2_auth_url: cols.next()?,
                oauth2_token_url: cols.next()?,
                oauth2_revocation_url: cols.next()?,
                oauth2_scopes: cols.next()?,
                api_key_header: cols.next()?,
                tool_allow_list: cols.next()?,
                tool_deny_list: cols.next()?,
                availability: cols.next()?,
                enabled: cols.next()?,
                model_intent: cols.next()?,
                allow_in_plan_mode: cols.next()?,
                forward_coder_headers: cols.next()?,
            },
            secrets: cols.next()?,
            secrets_key_id: cols.next()?,
            user_acl: cols.next::<Json<AccessList>>()?.0,
            group_acl: cols.next::<Json<AccessList>>()?.0,
            created_at: cols.next()?,
            updated_at: cols.next()?,
        })
    }
}

impl McpServerRow {
    /// The object of decisions.
    pub fn object(&self) -> Object {
        Object::new(ResourceType::McpServerConfig)
            .id(self.id)
            .org(self.organization_id)
            .acl(self.user_acl.clone(), self.group_acl.clone())
    }
}

/// The columns of [`McpServerFields`], in its order.
const FIELDS: &str = "display_name, slug, description, icon_url, transport, url, auth_type, \
    oauth2_client_id, oauth2_auth_url, oauth2_token_url, oauth2_revocation_url, oauth2_scopes, \
    api_key_header, tool_allow_list, tool_deny_list, availability, enabled, model_intent, \
    allow_in_plan_mode, forward_coder_headers";

fn select() -> String {
    format!(
        "SELECT id, organization_id, {FIELDS}, secrets, secrets_key_id, user_acl, group_acl, \
         created_at, updated_at FROM mcp_server_configs m"
    )
}

impl McpServerFields {
    fn params(&self) -> Vec<SqlParam<'_>> {
        vec![
            &self.display_name,
            &self.slug,
            &self.description,
            &self.icon_url,
            &self.transport,
            &self.url,
            &self.auth_type,
            &self.oauth2_client_id,
            &self.oauth2_auth_url,
            &self.oauth2_token_url,
            &self.oauth2_revocation_url,
            &self.oauth2_scopes,
            &self.api_key_header,
            &self.tool_allow_list,
            &self.tool_deny_list,
            &self.availability,
            &self.enabled,
            &self.model_intent,
            &self.allow_in_plan_mode,
            &self.forward_coder_headers,
        ]
    }
}

/// `$first, …` for `count` parameters.
fn places(first: usize, count: usize) -> String {
    let numbered = (first..first + count).map(|n| format!("${n}"));
    numbered.collect::<Vec<_>>().join(", ")
}

/// Sealed secrets, with the digest of the key that sealed them.
pub type Sealed = Option<(String, Option<String>)>;

fn split(sealed: &Sealed) -> (Option<&str>, Option<&str>) {
    match sealed {
        Some((text, key)) => (Some(text), key.as_deref()),
        None => (None, None),
    }
}

impl Conn {
    /// The servers of an organization that the subject may read, by name.
    ///
    /// # Errors
    /// As for any query.
    pub async fn mcp_server_list(
        &self,
        who: &Subject,
        organization: Uuid,
    ) -> Result<Vec<McpServerRow>> {
        let columns = Columns {
            id: "m.id",
            organization: Some("m.organization_id"),
            user_acl: Some("m.user_acl"),
            group_acl: Some("m.group_acl"),
            ..Columns::default()
        };
        let (allowed, params) =
            filter(who, Action::Read, ResourceType::McpServerConfig).render(&columns, 2);
        let sql = format!(
            "{} WHERE m.organization_id = $1 AND {allowed} \
             ORDER BY lower(m.display_name), m.slug, m.id",
            select()
        );
        let mut all: Vec<SqlParam<'_>> = vec![&organization];
        all.extend(filter_params(&params));
        self.fetch(&sql, &all).await
    }

    /// One server, if the subject may read it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it may not, or there is none.
    pub async fn mcp_server_read(&self, who: &Subject, id: Uuid) -> Result<McpServerRow> {
        let sql = format!("{} WHERE m.id = $1", select());
        let row: McpServerRow = self.fetch_one(&sql, &[&id]).await?;
        who.may(Action::Read, &row.object())
            .map_err(|_| StoreError::NotFound)?;
        Ok(row)
    }
}

impl Tx {
    /// Adds a server that all members may use. The id is given: others may know it already.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`SLUG_TAKEN`].
    pub async fn mcp_server_create(
        &self,
        who: &Subject,
        organization: Uuid,
        id: Uuid,
        fields: &McpServerFields,
        sealed: &Sealed,
    ) -> Result<McpServerRow> {
        who.may(
            Action::Create,
            &Object::new(ResourceType::McpServerConfig).org(organization),
        )?;
        let everyone = Json(AccessList(
            [(organization, vec![Action::Read.name().to_owned()])]
                .into_iter()
                .collect(),
        ));
        let (secrets, key) = split(sealed);
        let user = who.user_id();
        let mut params: Vec<SqlParam<'_>> =
            vec![&id, &organization, &secrets, &key, &everyone, &user];
        let given = fields.params();
        let sql = format!(
            "INSERT INTO mcp_server_configs (id, organization_id, secrets, secrets_key_id, \
             group_acl, created_by, updated_by, {FIELDS}) \
             VALUES ($1, $2, $3, $4, $5, $6, $6, {})",
            places(params.len() + 1, given.len())
        );
        params.extend(given);
        self.execute(&sql, &params).await?;
        // Who may make servers need not be allowed to read them.
        let sql = format!("{} WHERE m.id = $1", select());
        self.fetch_one(&sql, &[&id]).await
    }

    /// Changes a server.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`SLUG_TAKEN`].
    pub async fn mcp_server_update(
        &self,
        who: &Subject,
        row: &McpServerRow,
        fields: &McpServerFields,
        sealed: &Sealed,
    ) -> Result<McpServerRow> {
        who.may(Action::Update, &row.object())?;
        let (secrets, key) = split(sealed);
        let user = who.user_id();
        let mut params: Vec<SqlParam<'_>> = vec![&row.id, &secrets, &key, &user];
        let given = fields.params();
        let sql = format!(
            "UPDATE mcp_server_configs SET secrets = $2, secrets_key_id = $3, updated_by = $4, \
             updated_at = now(), ({FIELDS}) = ROW ({}) WHERE id = $1",
            places(params.len() + 1, given.len())
        );
        params.extend(given);
        self.execute(&sql, &params).await?;
        let sql = format!("{} WHERE m.id = $1", select());
        self.fetch_one(&sql, &[&row.id]).await
    }

    /// Deletes a server, with the tokens for it; chats forget it.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn mcp_server_delete(&self, who: &Subject, row: &McpServerRow) -> Result<()> {
        who.may(Action::Delete, &row.object())?;
        for sql in [
            "DELETE FROM mcp_server_configs WHERE id = $1",
            "UPDATE chats SET mcp_server_ids = array_remove(mcp_server_ids, $1) \
             WHERE $1 = ANY (mcp_server_ids)",
        ] {
            self.execute(sql, &[&row.id]).await?;
        }
        Ok(())
    }

    /// Sets who may use a server.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn mcp_server_acl_set(
        &self,
        who: &Subject,
        row: &McpServerRow,
        users: &AccessList,
        groups: &AccessList,
    ) -> Result<()> {
        who.may(Action::Share, &row.object())?;
        let sql = "UPDATE mcp_server_configs SET user_acl = $2, group_acl = $3, \
                   updated_at = now() WHERE id = $1";
        self.execute(sql, &[&row.id, &Json(users), &Json(groups)])
            .await?;
        Ok(())
    }
}
