//! The SSH key with which a user's workspaces reach Git hosts.

use std::convert::Infallible;

use api_types::GitSshKey;
use authz::{Action, Subject};
use ssh_key::rand_core::{TryCryptoRng, TryRng};
use ssh_key::{Algorithm, EcdsaCurve, LineEnding, PrivateKey};
use store::git_ssh_keys::GitSshKeyRow;
use store::{AuditAction, AuditDiff, AuditEntry, UserRef, user_object};

use crate::{Control, Error, Result};

/// Randomness of the system for the key library.
struct Random;

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> std::result::Result<u32, Infallible> {
        Ok(rand::random())
    }

    fn try_next_u64(&mut self) -> std::result::Result<u64, Infallible> {
        Ok(rand::random())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> std::result::Result<(), Infallible> {
        rand::fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Random {}

/// A new pair: private key in OpenSSH's form, public key as one line.
pub(crate) async fn generate(algorithm: &str) -> Result<(String, String)> {
    let algorithm = match algorithm {
        "ecdsa" => Algorithm::Ecdsa {
            curve: EcdsaCurve::NistP256,
        },
        "rsa4096" => Algorithm::Rsa { hash: None },
        _ => Algorithm::Ed25519,
    };
    // Seconds for RSA: not on a thread that serves requests.
    let pair = tokio::task::spawn_blocking(move || {
        let key = PrivateKey::random(&mut Random, algorithm)?;
        let public = format!("{}\n", key.public_key().to_openssh()?);
        Ok::<_, ssh_key::Error>((key.to_openssh(LineEnding::LF)?.to_string(), public))
    });
    pair.await
        .map_err(Error::internal)?
        .map_err(Error::internal)
}

impl Control {
    /// The public key of a user.
    pub async fn git_ssh_key_read(&self, who: &Subject, which: &UserRef) -> Result<GitSshKey> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        Ok(shown(&conn.git_ssh_key_read(who, user.id).await?))
    }

    /// Gives a user a new key.
    pub async fn git_ssh_key_regenerate(
        &self,
        who: &Subject,
        which: &UserRef,
    ) -> Result<GitSshKey> {
        let user = self.store().conn().await?.user_read(who, which).await?;
        who.may(Action::UpdatePersonal, &user_object(user.id))?;
        let (private, public) = generate(&self.settings().ssh_keygen_algorithm).await?;
        let tx = self.store().begin(who).await?;
        let old = tx.git_ssh_key_read(who, user.id).await;
        tx.git_ssh_key_set(who, user.id, &private, &public).await?;
        let new = tx.git_ssh_key_read(who, user.id).await?;
        let facts = |public: &str, private: &str| serde_json::json!({"user_id": user.id, "public_key": public, "private_key": private});
        let before = old.map_or(serde_json::Value::Null, |k| {
            facts(&k.public_key, &k.private_key)
        });
        let after = facts(&new.public_key, &new.private_key);
        let diff = AuditDiff::between(
            &before,
            &after,
            &["user_id", "public_key"],
            &["private_key"],
        );
        let entry = AuditEntry::new(AuditAction::Write, "git_ssh_key", user.id, &new.public_key);
        tx.audit(entry.diff(diff)).await?;
        tx.commit().await?;
        Ok(shown(&new))
    }
}

fn shown(row: &GitSshKeyRow) -> GitSshKey {
    GitSshKey {
        user_id: row.user_id,
        created_at: row.created_at,
        updated_at: row.updated_at,
        public_key: row.public_key.clone(),
    }
}
