//! Keys with which servers sign what they hand out, shared by all servers of a database.

use api_types::Secret;
use authz::{Action, Object, ResourceType, Subject, authorize};
use uuid::Uuid;

use crate::conn::Conn;
use crate::{Result, Time};

/// A signing key.
#[derive(Debug, Clone)]
pub struct CryptoKeyRow {
    /// Its number among the keys of its feature.
    pub sequence: i32,
    /// The key, as hexadecimal digits.
    pub secret: Secret<String>,
    /// Since when it signs.
    pub starts_at: Time,
    /// After which nothing that it signed is accepted.
    pub deletes_at: Option<Time>,
}

fn may(who: &Subject, action: Action) -> Result<()> {
    Ok(authorize(
        who,
        action,
        &Object::new(ResourceType::CryptoKey),
    )?)
}

impl Conn {
    /// Keys of a feature that are not deleted at `now`, newest first.
    pub async fn crypto_key_list(
        &self,
        who: &Subject,
        feature: &str,
        now: Time,
    ) -> Result<Vec<CryptoKeyRow>> {
        may(who, Action::Read)?;
        let sql = "SELECT sequence, secret, starts_at, deletes_at FROM crypto_keys \
             WHERE feature = $1 AND (deletes_at IS NULL OR deletes_at > $2) \
             ORDER BY sequence DESC";
        let rows = self.query(sql, &[&feature, &now]).await?;
        rows.iter()
            .map(|row| {
                Ok(CryptoKeyRow {
                    sequence: row.try_get(0)?,
                    secret: Secret::new(row.try_get(1)?),
                    starts_at: row.try_get(2)?,
                    deletes_at: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Adds the next key of a feature after `latest` (0 for the first), and lets the older ones
    /// go at `old_until`. Does nothing if another server was faster.
    pub async fn crypto_key_rotate(
        &self,
        who: &Subject,
        feature: &str,
        latest: i32,
        now: Time,
        old_until: Time,
    ) -> Result<()> {
        may(who, Action::Create)?;
        // Three random UUIDs hold 366 random bits.
        let secret: String = [(); 3]
            .map(|()| Uuid::new_v4().simple().to_string())
            .concat();
        let sql = "WITH added AS (INSERT INTO crypto_keys (feature, sequence, secret, starts_at) \
                 VALUES ($1, $2 + 1, $3, $4) ON CONFLICT DO NOTHING RETURNING sequence) \
             UPDATE crypto_keys SET deletes_at = $5 \
             WHERE feature = $1 AND deletes_at IS NULL AND sequence <= $2 \
               AND EXISTS (SELECT 1 FROM added)";
        self.execute(sql, &[&feature, &latest, &secret, &now, &old_until])
            .await?;
        Ok(())
    }
}
