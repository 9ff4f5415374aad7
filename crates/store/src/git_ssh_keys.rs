//! Git SSH keys: one pair per user.

use authz::{Action, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::users::user_object;
use crate::{Result, StoreError, Time};

/// A pair. Not printable: it holds the private key.
pub struct GitSshKeyRow {
    /// Whose it is.
    pub user_id: Uuid,
    /// In OpenSSH's form.
    pub private_key: String,
    /// As in `authorized_keys`.
    pub public_key: String,
    /// When the user got its first one.
    pub created_at: Time,
    /// When this one was made.
    pub updated_at: Time,
}

impl Conn {
    /// The pair of a user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read what is personal
    /// of that user.
    pub async fn git_ssh_key_read(&self, who: &Subject, user: Uuid) -> Result<GitSshKeyRow> {
        who.may(Action::ReadPersonal, &user_object(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT user_id, private_key, public_key, created_at, updated_at \
                   FROM git_ssh_keys WHERE user_id = $1";
        let row = self.query_one(sql, &[&user]).await?;
        Ok(GitSshKeyRow {
            user_id: row.try_get(0)?,
            private_key: row.try_get(1)?,
            public_key: row.try_get(2)?,
            created_at: row.try_get(3)?,
            updated_at: row.try_get(4)?,
        })
    }

    /// Gives a user a pair, in place of the one it had.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn git_ssh_key_set(
        &self,
        who: &Subject,
        user: Uuid,
        private_key: &str,
        public_key: &str,
    ) -> Result<()> {
        who.may(Action::UpdatePersonal, &user_object(user))?;
        let sql = "INSERT INTO git_ssh_keys (user_id, private_key, public_key) VALUES ($1, $2, $3) \
                   ON CONFLICT (user_id) DO UPDATE SET private_key = excluded.private_key, \
                   public_key = excluded.public_key, updated_at = now()";
        self.execute(sql, &[&user, &private_key, &public_key])
            .await?;
        Ok(())
    }
}
