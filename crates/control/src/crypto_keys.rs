//! Keys with which servers sign what they hand out.

use api_types::Secret;
use authz::{Subject, System};
use chrono::{DateTime, TimeDelta, Utc};
use store::crypto_keys::CryptoKeyRow;

use crate::{Control, Error, Result};

/// How long a key signs.
const SIGNS_FOR: TimeDelta = TimeDelta::days(30);
/// How long what an older key signed is accepted after that; longer than any token lives.
const VERIFIES_FOR: TimeDelta = TimeDelta::hours(25);

/// A signing key.
pub struct CryptoKey {
    /// Its number, which goes into what it signs.
    pub sequence: i32,
    /// The key.
    pub secret: Secret<Vec<u8>>,
}

impl From<&CryptoKeyRow> for CryptoKey {
    fn from(row: &CryptoKeyRow) -> Self {
        Self {
            sequence: row.sequence,
            secret: Secret::new(row.secret.expose().as_bytes().to_vec()),
        }
    }
}

impl Control {
    /// The key that signs for a feature now; made if there is none, or the last is old.
    pub async fn crypto_key_signing(&self, feature: &str, now: DateTime<Utc>) -> Result<CryptoKey> {
        let who = Subject::system(System::KeyRotator);
        let conn = self.store().conn().await?;
        let keys = conn.crypto_key_list(&who, feature, now).await?;
        let latest = keys.first();
        if let Some(key) = latest
            && now - key.starts_at < SIGNS_FOR
        {
            return Ok(key.into());
        }
        let sequence = latest.map_or(0, |key| key.sequence);
        conn.crypto_key_rotate(&who, feature, sequence, now, now + VERIFIES_FOR)
            .await?;
        let keys = conn.crypto_key_list(&who, feature, now).await?;
        keys.first()
            .map(Into::into)
            .ok_or_else(|| Error::internal(format!("no key for {feature} after its rotation")))
    }

    /// The keys of a feature whose work is still accepted, newest first.
    pub async fn crypto_key_list(
        &self,
        feature: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<CryptoKey>> {
        let who = Subject::system(System::KeyRotator);
        let conn = self.store().conn().await?;
        let keys = conn.crypto_key_list(&who, feature, now).await?;
        Ok(keys.iter().map(Into::into).collect())
    }
}
