//! Signing in with a password, and out.

use std::sync::Arc;

use api_types::{
    AuthMethod, AuthMethods, LoginWithPasswordRequest, Secret, ValidateUserPasswordResponse,
};
use authz::{Origin, Scope, Subject, System};
use store::{AuditAction, AuditEntry, UserRef};

use crate::api_keys::KeySpec;
use crate::sessions::Session;
use crate::{Control, Error, Kind, Result, passwords};

impl Control {
    /// Signs a user in: a new key of a session. Unknown addresses and wrong
    /// passwords take the same time and get the same answer.
    pub async fn sign_in(
        &self,
        request: LoginWithPasswordRequest,
        origin: Arc<Origin>,
    ) -> Result<Secret<String>> {
        let system = Subject::system(System::Core).with_origin(origin.clone());
        let found = self
            .store()
            .conn()
            .await?
            .sign_in_read(&system, &request.email)
            .await?;
        let stored = found
            .as_ref()
            .map_or("", |user| user.hashed_password.as_str());
        // Longer ones cannot have been set; hashing them would only cost time.
        let short = request.password.len() <= passwords::MAX_LEN;
        let right = passwords::verify(stored, if short { &request.password } else { "" }).await?;
        let wrong = || Error::new(Kind::Unauthorized, "Incorrect email or password.");
        let Some(found) = found else {
            return Err(wrong());
        };
        if !right || !short {
            self.sign_in_failed(&system, found.user).await?;
            return Err(wrong());
        }
        if self.settings().disable_password_auth {
            return Err(Error::forbidden("Password authentication is disabled."));
        }
        if found.login_type != "password" {
            return Err(Error::forbidden(format!(
                "Incorrect login type, attempting to use \"password\" but user is of login type \"{}\".",
                found.login_type
            )));
        }
        if found.status == "suspended" {
            return Err(Error::new(
                Kind::Unauthorized,
                "Your account is suspended. Contact an admin to reactivate your account.",
            ));
        }
        let tx = self.store().begin(&system).await?;
        if found.status == "dormant" {
            tx.user_wake(&system, found.user).await?;
            tx.sessions_forget(Some(found.user)).await?;
        }
        let user = tx.user_read(&system, &UserRef::Id(found.user)).await?;
        let spec = KeySpec {
            user: found.user,
            login_type: "password",
            token_name: String::new(),
            lifetime: self.settings().session_duration,
            scope: Scope::all(),
        };
        let token = self.key_insert(&tx, &system, spec).await?;
        let entry = AuditEntry::new(AuditAction::Login, "api_key", user.id, &user.username);
        tx.audit(entry.by(user.id)).await?;
        tx.commit().await?;
        self.sessions_forget(Some(found.user));
        Ok(token)
    }

    async fn sign_in_failed(&self, system: &Subject, user: uuid::Uuid) -> Result<()> {
        let tx = self.store().begin(system).await?;
        let name = tx.user_read(system, &UserRef::Id(user)).await?.username;
        let entry = AuditEntry::new(AuditAction::Login, "api_key", user, &name);
        tx.audit(entry.by(user).status(401)).await?;
        Ok(tx.commit().await?)
    }

    /// Ends a session, and the keys that apps were given.
    pub async fn sign_out(&self, who: &Subject, session: &Session) -> Result<()> {
        // One may always leave, even with a key that may do little else.
        let system = Subject::system(System::Core);
        let tx = self.store().begin(who).await?;
        tx.api_key_delete(&system, &session.key_id).await?;
        tx.api_keys_delete_of(&system, session.user.id, true)
            .await?;
        let entry = AuditEntry::new(
            AuditAction::Logout,
            "api_key",
            session.user.id,
            &session.user.username,
        );
        tx.audit(entry).await?;
        tx.sessions_forget(Some(session.user.id)).await?;
        tx.commit().await?;
        self.sessions_forget(Some(session.user.id));
        Ok(())
    }

    /// Ways to sign in.
    pub fn auth_methods(&self, terms_of_service_url: &str) -> AuthMethods {
        AuthMethods {
            terms_of_service_url: terms_of_service_url.to_owned(),
            password: AuthMethod {
                enabled: !self.settings().disable_password_auth,
            },
            ..AuthMethods::default()
        }
    }

    /// Whether a password would do.
    pub fn password_validate(&self, password: &str) -> ValidateUserPasswordResponse {
        match passwords::check(password) {
            Ok(()) => ValidateUserPasswordResponse {
                valid: true,
                details: String::new(),
            },
            Err(details) => ValidateUserPasswordResponse {
                valid: false,
                details,
            },
        }
    }
}
