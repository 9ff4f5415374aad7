//! API keys: what is shown of them, making and ending them.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::{Result, StoreError, Time};

/// Name of the unique index on names of tokens.
pub const TOKEN_NAME_TAKEN: &str = "api_keys_token_name_key";

record! {
    /// A key without its secret.
    pub struct ApiKeyRow {
        /// Public part.
        pub id: String,
        /// Whose it is.
        pub user_id: Uuid,
        /// Name of the user.
        pub username: String,
        /// How it came to be.
        pub login_type: String,
        /// Name of a token.
        pub token_name: String,
        /// Canonical names of scopes.
        pub scopes: Vec<String>,
        /// Entries `type:id`.
        pub allow_list: Vec<String>,
        /// Full life in seconds.
        pub lifetime_seconds: i64,
        /// End of its life.
        pub expires_at: Time,
        /// Last use, to the hour.
        pub last_used: Time,
        /// When it was made.
        pub created_at: Time,
        /// When it was last changed.
        pub updated_at: Time,
    }
}

impl ApiKeyRow {
    /// The object of decisions.
    pub fn object(&self) -> Object {
        key_object(self.user_id)
    }
}

/// A key of this user, as an object of decisions.
pub fn key_object(user: Uuid) -> Object {
    Object::new(ResourceType::ApiKey).owner(user)
}

/// A key to be made. Not printable: it holds the hash of the secret.
pub struct NewApiKey<'a> {
    /// Public part.
    pub id: &'a str,
    /// SHA-256 of the secret part.
    pub hashed_secret: &'a [u8],
    /// Whose it is.
    pub user_id: Uuid,
    /// How it comes to be.
    pub login_type: &'a str,
    /// Name of a token.
    pub token_name: &'a str,
    /// Canonical names of scopes.
    pub scopes: &'a [String],
    /// Entries `type:id`.
    pub allow_list: &'a [String],
    /// Full life in seconds.
    pub lifetime_seconds: i64,
    /// End of its life.
    pub expires_at: Time,
    /// Address of who made it.
    pub ip_address: &'a str,
}

const COLUMNS: &str = "SELECT k.id, k.user_id, u.username, k.login_type, k.token_name, k.scopes, \
    k.allow_list, k.lifetime_seconds, k.expires_at, k.last_used, k.created_at, k.updated_at \
    FROM api_keys k JOIN users u ON u.id = k.user_id AND NOT u.deleted";

impl Conn {
    /// Makes a key.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`TOKEN_NAME_TAKEN`].
    pub async fn api_key_create(&self, who: &Subject, new: &NewApiKey<'_>) -> Result<()> {
        who.may(Action::Create, &key_object(new.user_id))?;
        let sql = "INSERT INTO api_keys (id, hashed_secret, user_id, login_type, token_name, scopes, \
                   allow_list, lifetime_seconds, expires_at, ip_address) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        self.execute(
            sql,
            &[
                &new.id,
                &new.hashed_secret,
                &new.user_id,
                &new.login_type,
                &new.token_name,
                &new.scopes,
                &new.allow_list,
                &new.lifetime_seconds,
                &new.expires_at,
                &new.ip_address,
            ],
        )
        .await?;
        Ok(())
    }

    /// The key, if the subject may read it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn api_key_read(&self, who: &Subject, id: &str) -> Result<ApiKeyRow> {
        let row: Option<ApiKeyRow> = self
            .fetch_opt(&format!("{COLUMNS} WHERE k.id = $1"), &[&id])
            .await?;
        row.filter(|key| who.may(Action::Read, &key.object()).is_ok())
            .ok_or(StoreError::NotFound)
    }

    /// The token of this name, if the subject may read it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn token_read(&self, who: &Subject, user: Uuid, name: &str) -> Result<ApiKeyRow> {
        let sql =
            format!("{COLUMNS} WHERE k.user_id = $1 AND k.token_name = $2 AND k.token_name <> ''");
        let row: Option<ApiKeyRow> = self.fetch_opt(&sql, &[&user, &name]).await?;
        row.filter(|key| who.may(Action::Read, &key.object()).is_ok())
            .ok_or(StoreError::NotFound)
    }

    /// Tokens that the subject may read, newest last: of one user or of all.
    ///
    /// # Errors
    /// As for any query.
    pub async fn token_list(
        &self,
        who: &Subject,
        user: Option<Uuid>,
        expired: bool,
    ) -> Result<Vec<ApiKeyRow>> {
        let sql = format!(
            "{COLUMNS} WHERE k.login_type = 'token' AND ($1::uuid IS NULL OR k.user_id = $1) \
             AND ($2 OR k.expires_at > now()) ORDER BY k.created_at, k.id"
        );
        let mut rows: Vec<ApiKeyRow> = self.fetch(&sql, &[&user, &expired]).await?;
        rows.retain(|key| who.may(Action::Read, &key.object()).is_ok());
        Ok(rows)
    }

    /// Ends a key now, keeping its row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Forbidden`].
    pub async fn api_key_expire(&self, who: &Subject, id: &str) -> Result<ApiKeyRow> {
        let key = self.api_key_read(who, id).await?;
        who.may(Action::Update, &key.object())?;
        let sql = "UPDATE api_keys SET expires_at = least(expires_at, now()), updated_at = now() WHERE id = $1";
        self.execute(sql, &[&id]).await?;
        Ok(key)
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Forbidden`].
    pub async fn api_key_delete(&self, who: &Subject, id: &str) -> Result<ApiKeyRow> {
        let key = self.api_key_read(who, id).await?;
        who.may(Action::Delete, &key.object())?;
        self.execute("DELETE FROM api_keys WHERE id = $1", &[&id])
            .await?;
        Ok(key)
    }

    /// Deletes all keys of a user; only those of apps if told so.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn api_keys_delete_of(
        &self,
        who: &Subject,
        user: Uuid,
        apps_only: bool,
    ) -> Result<()> {
        who.may(Action::Delete, &key_object(user))?;
        let sql = "DELETE FROM api_keys WHERE user_id = $1 \
                   AND (NOT $2 OR scopes = '{coder:application_connect}')";
        self.execute(sql, &[&user, &apps_only]).await?;
        Ok(())
    }

    /// Deletes keys that expired before a point in time; how many.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn api_keys_purge(&self, who: &Subject, before: Time) -> Result<u64> {
        who.may(Action::Delete, &Object::new(ResourceType::ApiKey))?;
        self.execute("DELETE FROM api_keys WHERE expires_at < $1", &[&before])
            .await
    }
}
