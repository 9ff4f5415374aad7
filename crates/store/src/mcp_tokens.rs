//! Tokens by which users gave access to their accounts at MCP servers.

use authz::{Action, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::users::user_object;
use crate::{Result, StoreError, Time, Tx};

record! {
    /// A user's tokens for a server, sealed.
    pub struct McpTokenRow {
        /// For which server.
        pub mcp_server_config_id: Uuid,
        /// Whose.
        pub user_id: Uuid,
        /// Opens the server; sealed.
        pub access_token: String,
        /// Digest of the key that sealed it.
        pub access_token_key_id: Option<String>,
        /// Gets the next one; sealed, empty if there is none.
        pub refresh_token: String,
        /// Digest of the key that sealed it.
        pub refresh_token_key_id: Option<String>,
        /// How it is presented.
        pub token_type: String,
        /// Until when it is good; none if that is not known.
        pub expiry: Option<Time>,
        /// Why no next one can be got, for administrators; empty while one can.
        pub refresh_failure: String,
        /// Counts changes: a refresh that took too long changes nothing.
        pub version: i64,
    }
}

/// Tokens as they shall be, sealed each with the digest of its key.
#[derive(Debug, Clone)]
pub struct McpTokenFields {
    /// Opens the server.
    pub access: (String, Option<String>),
    /// Gets the next one.
    pub refresh: (String, Option<String>),
    /// How it is presented.
    pub token_type: String,
    /// Until when it is good.
    pub expiry: Option<Time>,
}

const TOKENS: &str = "SELECT mcp_server_config_id, user_id, access_token, access_token_key_id, \
    refresh_token, refresh_token_key_id, token_type, expiry, refresh_failure, version \
    FROM mcp_server_user_tokens";

impl Conn {
    /// A user's tokens for all servers.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read what is personal of that user.
    pub async fn mcp_token_list(&self, who: &Subject, user: Uuid) -> Result<Vec<McpTokenRow>> {
        who.may(Action::ReadPersonal, &user_object(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = format!("{TOKENS} WHERE user_id = $1");
        self.fetch(&sql, &[&user]).await
    }

    /// A user's tokens for one server.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there are none, or the subject may not read them.
    pub async fn mcp_token_read(
        &self,
        who: &Subject,
        user: Uuid,
        server: Uuid,
    ) -> Result<McpTokenRow> {
        who.may(Action::ReadPersonal, &user_object(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = format!("{TOKENS} WHERE user_id = $1 AND mcp_server_config_id = $2");
        self.fetch_one(&sql, &[&user, &server]).await
    }

    /// The token that a user's sign-in by OpenID Connect left; none if there is none, or it is past
    /// its time.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read what is personal of that user.
    pub async fn oidc_token_read(
        &self,
        who: &Subject,
        user: Uuid,
    ) -> Result<Option<api_types::Secret<String>>> {
        who.may(Action::ReadPersonal, &user_object(user))
            .map_err(|_| StoreError::NotFound)?;
        // The year 1 is never.
        let sql = "SELECT oauth_access_token FROM user_links WHERE user_id = $1 \
                   AND login_type = 'oidc' AND oauth_access_token <> '' \
                   AND (oauth_expiry > now() OR oauth_expiry < '0002-01-01')";
        let row = self.query_opt(sql, &[&user]).await?;
        let token: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
        Ok(token.map(Into::into))
    }
}

impl Tx {
    /// Sets a user's tokens for a server.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn mcp_token_set(
        &self,
        who: &Subject,
        user: Uuid,
        server: Uuid,
        fields: &McpTokenFields,
    ) -> Result<()> {
        who.may(Action::UpdatePersonal, &user_object(user))?;
        let sql = "INSERT INTO mcp_server_user_tokens (mcp_server_config_id, user_id, \
                   access_token, access_token_key_id, refresh_token, refresh_token_key_id, \
                   token_type, expiry) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                   ON CONFLICT (mcp_server_config_id, user_id) DO UPDATE SET \
                   access_token = excluded.access_token, \
                   access_token_key_id = excluded.access_token_key_id, \
                   refresh_token = excluded.refresh_token, \
                   refresh_token_key_id = excluded.refresh_token_key_id, \
                   token_type = excluded.token_type, expiry = excluded.expiry, \
                   refresh_failure = '', updated_at = now(), \
                   version = mcp_server_user_tokens.version + 1";
        self.execute(
            sql,
            &[
                &server,
                &user,
                &fields.access.0,
                &fields.access.1,
                &fields.refresh.0,
                &fields.refresh.1,
                &fields.token_type,
                &fields.expiry,
            ],
        )
        .await?;
        Ok(())
    }

    /// Replaces tokens by those that were got for them, unless they changed since; whether they
    /// were replaced.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn mcp_token_refreshed(
        &self,
        who: &Subject,
        old: &McpTokenRow,
        fields: &McpTokenFields,
    ) -> Result<bool> {
        who.may(Action::UpdatePersonal, &user_object(old.user_id))?;
        let sql = "UPDATE mcp_server_user_tokens SET access_token = $4, access_token_key_id = $5, \
                   refresh_token = $6, refresh_token_key_id = $7, token_type = $8, expiry = $9, \
                   refresh_failure = '', updated_at = now(), version = version + 1 \
                   WHERE mcp_server_config_id = $1 AND user_id = $2 AND version = $3";
        let changed = self
            .execute(
                sql,
                &[
                    &old.mcp_server_config_id,
                    &old.user_id,
                    &old.version,
                    &fields.access.0,
                    &fields.access.1,
                    &fields.refresh.0,
                    &fields.refresh.1,
                    &fields.token_type,
                    &fields.expiry,
                ],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Notes that no next token can be got, unless they changed since.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn mcp_token_failed(
        &self,
        who: &Subject,
        old: &McpTokenRow,
        reason: &str,
    ) -> Result<()> {
        who.may(Action::UpdatePersonal, &user_object(old.user_id))?;
        let sql = "UPDATE mcp_server_user_tokens SET refresh_failure = $4, updated_at = now(), \
                   version = version + 1 \
                   WHERE mcp_server_config_id = $1 AND user_id = $2 AND version = $3";
        let (server, user) = (&old.mcp_server_config_id, &old.user_id);
        self.execute(sql, &[server, user, &old.version, &reason])
            .await?;
        Ok(())
    }

    /// Forgets a user's tokens for a server.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn mcp_token_delete(&self, who: &Subject, user: Uuid, server: Uuid) -> Result<()> {
        who.may(Action::UpdatePersonal, &user_object(user))?;
        let sql = "DELETE FROM mcp_server_user_tokens \
                   WHERE user_id = $1 AND mcp_server_config_id = $2";
        self.execute(sql, &[&user, &server]).await?;
        Ok(())
    }

    /// Forgets all tokens for a server: what they were given for is no more.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn mcp_tokens_forget(
        &self,
        who: &Subject,
        server: &crate::mcp_servers::McpServerRow,
    ) -> Result<()> {
        who.may(Action::Update, &server.object())?;
        let sql = "DELETE FROM mcp_server_user_tokens WHERE mcp_server_config_id = $1";
        self.execute(sql, &[&server.id]).await?;
        Ok(())
    }
}
