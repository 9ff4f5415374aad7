//! Keys that are good for apps alone: what a browser holds at the hosts of apps.

use api_types::Secret;
use authz::{Scope, Subject};
use chrono::Utc;
use store::{AuditAction, AuditDiff, AuditEntry};

use crate::api_keys::KeySpec;
use crate::sessions::Session;
use crate::{Control, Error, Result};

/// The scope of such a key.
const SCOPE: &str = "coder:application_connect";

/// A key for apps.
pub type AppKey = Secret<String>;

impl Control {
    /// Makes a key for apps out of a session; it ends with the session, or earlier.
    pub async fn app_key_create(&self, who: &Subject, session: &Session) -> Result<AppKey> {
        let rest = (session.expires_at - Utc::now())
            .to_std()
            .unwrap_or_default();
        let spec = KeySpec {
            user: session.user.id,
            login_type: "password",
            token_name: String::new(),
            lifetime: rest.min(self.settings().default_token_lifetime),
            scope: Scope::from_stored(&[SCOPE.to_owned()], &["*:*".to_owned()]),
        };
        // A key may not beget one that reaches further than itself.
        if !who.scope().covers(&spec.scope) {
            return Err(Error::forbidden(
                "The key that you use does not reach to the apps of workspaces.",
            )
            .with_detail("Sign in to the dashboard, and open the app again."));
        }
        let tx = self.store().begin(who).await?;
        let key = self.key_insert(&tx, who, spec).await?;
        let after = serde_json::json!({ "user_id": session.user.id, "scope": SCOPE });
        let diff = AuditDiff::between(&(), &after, &["user_id", "scope"], &[]);
        let entry = AuditEntry::new(
            AuditAction::Create,
            "api_key",
            session.user.id,
            &session.user.username,
        );
        tx.audit(entry.diff(diff)).await?;
        tx.commit().await?;
        Ok(key)
    }
}
