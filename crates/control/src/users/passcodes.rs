//! Passwords set anew with a one-time passcode, and other ways to sign in.

use std::sync::Arc;

use api_types::{ChangePasswordWithOneTimePasscodeRequest, ConvertLoginRequest, LoginType};
use authz::{Origin, Subject, System};
use chrono::Utc;
use store::{AuditAction, AuditDiff, AuditEntry, UserRef};

use crate::{Control, Error, Kind, Result, passwords};

impl Control {
    /// Asks for a passcode by mail. Without a way to send mail nobody would ever get it: that
    /// is told, the same for every address.
    pub fn passcode_request(&self) -> Result<()> {
        self.password_sign_in()?;
        Err(Error::new(
            Kind::NotImplemented,
            "This deployment has no mail server, so it cannot send one-time passcodes.",
        )
        .with_detail(
            "Ask an administrator to set a new password for you, or, on the server's machine, \
             use `coder server reset-password`.",
        ))
    }

    /// Sets a password with a passcode; all keys of the user end. Unknown addresses and wrong
    /// passcodes take the same time and get the same answer.
    pub async fn passcode_use(
        &self,
        request: ChangePasswordWithOneTimePasscodeRequest,
        origin: Arc<Origin>,
    ) -> Result<()> {
        self.password_sign_in()?;
        passwords::check(&request.password)
            .map_err(|why| Error::invalid("Invalid password.").with_field("password", why))?;
        let system = Subject::system(System::Core).with_origin(origin);
        let conn = self.store().conn().await?;
        let found = conn.sign_in_read(&system, &request.email).await?;
        drop(conn);
        let now = Utc::now();
        let good = found.as_ref().filter(|user| {
            user.one_time_passcode_expires_at
                .is_some_and(|end| now < end)
        });
        let stored = good.map_or("", |user| user.hashed_one_time_passcode.as_str());
        let short = request.one_time_passcode.len() <= passwords::MAX_LEN;
        let given = if short {
            &request.one_time_passcode
        } else {
            ""
        };
        let right = passwords::verify(stored, given).await?;
        let Some(user) = good.filter(|_| right && short) else {
            return Err(Error::invalid("Incorrect email or one-time passcode."));
        };
        if passwords::verify(&user.hashed_password, &request.password).await? {
            return Err(Error::invalid("New password cannot match old password."));
        }
        let hash = passwords::hash(&request.password).await?;
        let tx = self.store().begin(&system).await?;
        tx.user_password_set(&system, user.user, &hash).await?;
        tx.api_keys_delete_of(&system, user.user, false).await?;
        let name = tx
            .user_read(&system, &UserRef::Id(user.user))
            .await?
            .username;
        let secret = |hash: &str| serde_json::json!({"hashed_password": hash});
        let secrets = &["hashed_password"];
        let diff = AuditDiff::between(&secret(&user.hashed_password), &secret(&hash), &[], secrets);
        let entry = AuditEntry::new(AuditAction::Write, "user", user.user, &name);
        tx.audit(entry.by(user.user).diff(diff).status(204)).await?;
        tx.sessions_forget(Some(user.user)).await?;
        tx.commit().await?;
        self.sessions_forget(Some(user.user));
        Ok(())
    }

    /// Begins to change how a user signs in, from a password to an identity provider.
    pub async fn login_convert(
        &self,
        who: &Subject,
        which: &UserRef,
        request: ConvertLoginRequest,
    ) -> Result<()> {
        let system = Subject::system(System::Core);
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        who.may(authz::Action::UpdatePersonal, &user.object())?;
        if !matches!(request.to_type, LoginType::Oidc | LoginType::Github) {
            return Err(Error::field("to_type", "must be oidc or github"));
        }
        if user.login_type != "password" {
            return Err(Error::invalid(format!(
                "Only users who sign in with a password can convert; this one uses {:?}.",
                user.login_type
            )));
        }
        let stored = conn.sign_in_of(&system, user.id).await?;
        drop(conn);
        let hash = stored.map(|user| user.hashed_password).unwrap_or_default();
        let short = request.password.len() <= passwords::MAX_LEN;
        let given = if short { &request.password } else { "" };
        if !passwords::verify(&hash, given).await? || !short {
            return Err(Error::new(Kind::Unauthorized, "Incorrect password."));
        }
        Err(Error::invalid(format!(
            "Login type {:?} is not configured on this deployment, so nobody can convert to it.",
            request.to_type.as_str()
        )))
    }

    fn password_sign_in(&self) -> Result<()> {
        if self.settings().disable_password_auth {
            return Err(Error::forbidden("Password authentication is disabled."));
        }
        Ok(())
    }
}
