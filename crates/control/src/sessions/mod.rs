//! From the credential of a request to who acts.
//!
//! A session is read with one query and remembered for a few seconds. Whatever
//! changes a user's rights or keys announces it in its own transaction
//! ([`store::Conn::sessions_forget`]), and every replica forgets at once; while
//! no announcements can be heard, nothing is remembered.

mod cache;
mod uses;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use authz::{Action, Subject, System};
use sha2::{Digest as _, Sha256};
use store::{AuditAction, AuditDiff, AuditEntry, SessionRow, Time, UserRow};
use subtle::ConstantTimeEq as _;

use crate::{Control, Error};
pub(crate) use cache::Cache;
pub(crate) use uses::Uses;

/// Length of the public part of a key.
pub const KEY_ID_LEN: usize = 10;
/// Length of the secret part of a key.
pub const KEY_SECRET_LEN: usize = 22;

/// Uses are noted at most this often per key.
const NOTE_EVERY: Duration = Duration::from_hours(1);

/// A request's key, found good.
pub struct Session {
    /// Who acts; without the origin of a request.
    pub who: Subject,
    /// The user.
    pub user: UserRow,
    /// Public part of the key.
    pub key_id: String,
    /// How the key came to be: `password`, `token`, …
    pub login_type: String,
    /// Name of a token.
    pub token_name: String,
    /// When the key ends.
    pub expires_at: Time,
    hashed_secret: Vec<u8>,
    last_used: Time,
    lifetime_seconds: i64,
}

/// Why a credential does not make a session. The texts are for the person who
/// holds it.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No credential.
    #[error("No session token was sent. Sign in first.")]
    Missing,
    /// Not of the form of a key.
    #[error("The session token is not of the form of an API key.")]
    Malformed,
    /// No such key, or the secret is not its own.
    #[error("The API key is unknown. It may have been deleted, or you signed out.")]
    Unknown,
    /// Past its end.
    #[error("The API key expired at {0}.")]
    Expired(String),
    /// The user may not act.
    #[error("User is not active (status = {0:?}). Contact an admin to reactivate the account.")]
    Inactive(String),
    /// The question could not be answered.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// The two parts of a key.
pub(crate) fn split_token(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('-')?;
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
    let good =
        id.len() == KEY_ID_LEN && secret.len() == KEY_SECRET_LEN && plain(id) && plain(secret);
    good.then_some((id, secret))
}

pub(crate) fn hash_secret(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl Control {
    /// Opens the session of a token. `activate` wakes a dormant user, as every
    /// request that needs a user does.
    ///
    /// # Errors
    /// [`SessionError`] says why not.
    pub async fn session_open(
        &self,
        token: &str,
        ip: Option<IpAddr>,
        activate: bool,
    ) -> Result<Arc<Session>, SessionError> {
        let (id, secret) = split_token(token).ok_or(SessionError::Malformed)?;
        let session = match self.inner.sessions.get(id) {
            Some(session) => session,
            None => self.session_load(id).await?,
        };
        let same: bool = hash_secret(secret)
            .ct_eq(session.hashed_secret.as_slice())
            .into();
        if !same {
            return Err(SessionError::Unknown);
        }
        let now = chrono::Utc::now();
        if session.expires_at <= now {
            return Err(SessionError::Expired(session.expires_at.to_rfc3339()));
        }
        match session.user.status.as_str() {
            "active" => {}
            "dormant" if activate => {
                self.user_wake(&session.user).await?;
                // Read again: now active.
                return Box::pin(self.session_open(token, ip, false)).await;
            }
            status => return Err(SessionError::Inactive(status.to_owned())),
        }
        self.session_note(&session, now, ip);
        Ok(session)
    }

    async fn session_load(&self, id: &str) -> Result<Arc<Session>, SessionError> {
        let generation = self.inner.sessions.generation();
        let row = self.store().session_read(id).await.map_err(Error::from)?;
        let row = row.ok_or(SessionError::Unknown)?;
        let session = Arc::new(self.session(row));
        if self.store().is_listening() {
            self.inner.sessions.put(generation, session.clone());
        }
        Ok(session)
    }

    fn session(&self, row: SessionRow) -> Session {
        Session {
            who: row.subject(&self.settings().policy),
            user: row.user,
            key_id: row.key_id,
            login_type: row.login_type,
            token_name: row.token_name,
            expires_at: row.expires_at,
            hashed_secret: row.hashed_secret,
            last_used: row.last_used,
            lifetime_seconds: row.lifetime_seconds,
        }
    }

    /// Notes a use if the last one is long ago, and lets the key slide.
    fn session_note(&self, session: &Session, now: Time, ip: Option<IpAddr>) {
        let hour = chrono::Duration::seconds(NOTE_EVERY.as_secs().cast_signed());
        let lifetime = chrono::Duration::try_seconds(session.lifetime_seconds).unwrap_or_default();
        let slides = !self.settings().disable_session_expiry_refresh
            && session.login_type != "token"
            && session.expires_at - now <= lifetime - hour;
        if now - session.last_used < hour && !slides {
            return;
        }
        self.inner.uses.note(store::KeyUse {
            key_id: session.key_id.clone(),
            user_id: session.user.id,
            at: now,
            ip: ip.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string()),
            expires_at: slides.then(|| now + lifetime),
        });
    }

    /// Makes a dormant user active because it acts.
    async fn user_wake(&self, user: &UserRow) -> Result<(), Error> {
        let system = Subject::system(System::Core);
        system.may(Action::Update, &user.object())?;
        let tx = self.store().begin(&system).await?;
        if tx.user_wake(&system, user.id).await? {
            let mut after = user.clone();
            "active".clone_into(&mut after.status);
            let diff = AuditDiff::between(user, &after, &["status"], &[]);
            let entry = AuditEntry::new(AuditAction::Write, "user", user.id, &user.username);
            tx.audit(entry.diff(diff).by(user.id)).await?;
        }
        tx.sessions_forget(Some(user.id)).await?;
        tx.commit().await?;
        self.sessions_forget(Some(user.id));
        Ok(())
    }

    /// Forgets remembered sessions here, after a commit that voids them; other
    /// replicas learn it by the transaction's own announcement.
    pub(crate) fn sessions_forget(&self, user: Option<uuid::Uuid>) {
        self.inner.sessions.forget(user);
    }

    /// Forgets what others announce, writes down uses, deletes what is past its
    /// retention, until cancelled.
    pub async fn sessions_run(&self, cancel: tokio_util::sync::CancellationToken) {
        let work = async {
            tokio::join!(
                self.sessions_listen(),
                self.uses_run(),
                self.retention_run()
            )
        };
        tokio::select! {
            _ = work => {}
            () = cancel.cancelled() => {}
        }
        self.uses_flush().await;
    }

    async fn sessions_listen(&self) {
        loop {
            match self.store().listen(store::SESSIONS_CHANNEL).await {
                Ok(mut voided) => loop {
                    // Anything but an id means everyone, the hint of a missed
                    // announcement included.
                    let payload = voided.recv().await;
                    self.inner.sessions.forget(payload.parse().ok());
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot hear of voided sessions yet");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_tokens_split() {
        assert_eq!(
            split_token("abcdefghij-0123456789012345678901"),
            Some(("abcdefghij", "0123456789012345678901"))
        );
        for bad in [
            "",
            "-",
            "abcdefghij",
            "abcdefghij-",
            "abcdefghij-012345678901234567890!",
            "é-é",
            "abcdefghi-0123456789012345678901",
            "abcdefghij-01234567890123456789012",
        ] {
            assert_eq!(split_token(bad), None, "{bad}");
        }
    }
}
