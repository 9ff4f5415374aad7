//! Users' own keys of model providers.

use authz::{Action, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::users::user_object;
use crate::{Result, StoreError, Tx};

record! {
    /// A sealed key of a user.
    pub struct UserKeyRow {
        /// Whose.
        pub user_id: Uuid,
        /// For which provider.
        pub ai_provider_id: Uuid,
        /// Sealed.
        pub api_key: String,
        /// Digest of the key that sealed it.
        pub api_key_key_id: Option<String>,
    }
}

impl Conn {
    /// The keys of a user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read what is personal of that user.
    pub async fn ai_user_keys(&self, who: &Subject, user: Uuid) -> Result<Vec<UserKeyRow>> {
        who.may(Action::ReadPersonal, &user_object(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT user_id, ai_provider_id, api_key, api_key_key_id \
                   FROM user_ai_provider_keys WHERE user_id = $1";
        self.fetch(sql, &[&user]).await
    }
}

impl Tx {
    /// Sets a user's key, already sealed.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn ai_user_key_set(
        &self,
        who: &Subject,
        user: Uuid,
        provider: Uuid,
        sealed: &(String, Option<String>),
    ) -> Result<()> {
        who.may(Action::UpdatePersonal, &user_object(user))?;
        let sql = "INSERT INTO user_ai_provider_keys (user_id, ai_provider_id, api_key, \
                   api_key_key_id) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (user_id, ai_provider_id) DO UPDATE SET \
                   api_key = excluded.api_key, api_key_key_id = excluded.api_key_key_id, \
                   updated_at = now()";
        self.execute(sql, &[&user, &provider, &sealed.0, &sealed.1])
            .await?;
        Ok(())
    }

    /// Takes a user's key away.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`], [`StoreError::NotFound`].
    pub async fn ai_user_key_delete(
        &self,
        who: &Subject,
        user: Uuid,
        provider: Uuid,
    ) -> Result<()> {
        who.may(Action::UpdatePersonal, &user_object(user))?;
        let sql = "DELETE FROM user_ai_provider_keys WHERE user_id = $1 AND ai_provider_id = $2";
        match self.execute(sql, &[&user, &provider]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }
}
