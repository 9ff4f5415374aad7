//! Browsers of users that want to be told by push.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::{Result, StoreError};

/// Most browsers of one user; the oldest give way.
const MAX_SUBSCRIPTIONS: i64 = 32;

record! {
    /// A browser.
    pub struct WebpushRow {
        /// The id.
        pub id: Uuid,
        /// Whose.
        pub user_id: Uuid,
        /// Where messages for it go.
        pub endpoint: String,
        /// The key that messages are sealed for, in base64url.
        pub endpoint_p256dh_key: String,
        /// The secret that messages are sealed with, in base64url.
        pub endpoint_auth_key: String,
    }
}

fn object(user: Uuid) -> Object {
    Object::new(ResourceType::WebpushSubscription).owner(user)
}

impl Conn {
    /// The browsers of a user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn webpush_list(&self, who: &Subject, user: Uuid) -> Result<Vec<WebpushRow>> {
        who.may(Action::Read, &object(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT id, user_id, endpoint, endpoint_p256dh_key, endpoint_auth_key \
                   FROM webpush_subscriptions WHERE user_id = $1 ORDER BY created_at";
        self.fetch(sql, &[&user]).await
    }

    /// Adds a browser, or renews its keys.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn webpush_add(
        &self,
        who: &Subject,
        user: Uuid,
        endpoint: &str,
        p256dh: &str,
        auth: &str,
    ) -> Result<()> {
        who.may(Action::Create, &object(user))?;
        let sql = "INSERT INTO webpush_subscriptions (id, user_id, endpoint, endpoint_p256dh_key, \
                     endpoint_auth_key) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (user_id, endpoint) DO UPDATE SET \
                     endpoint_p256dh_key = excluded.endpoint_p256dh_key, \
                     endpoint_auth_key = excluded.endpoint_auth_key, created_at = now()";
        self.execute(sql, &[&Uuid::new_v4(), &user, &endpoint, &p256dh, &auth])
            .await?;
        let sql = "DELETE FROM webpush_subscriptions WHERE user_id = $1 AND id NOT IN \
                   (SELECT id FROM webpush_subscriptions WHERE user_id = $1 \
                    ORDER BY created_at DESC, id LIMIT $2)";
        self.execute(sql, &[&user, &MAX_SUBSCRIPTIONS]).await?;
        Ok(())
    }

    /// Takes a browser away.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; [`StoreError::NotFound`] if it is not there.
    pub async fn webpush_delete(&self, who: &Subject, user: Uuid, endpoint: &str) -> Result<()> {
        who.may(Action::Delete, &object(user))?;
        let sql = "DELETE FROM webpush_subscriptions WHERE user_id = $1 AND endpoint = $2";
        match self.execute(sql, &[&user, &endpoint]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }
}
