//! What whoever holds the database may do when nobody can sign in: a new
//! password, a new owner. No request reaches these rules.

use api_types::{CreateUserRequestWithOrgs, LoginType, User, UserStatus};
use authz::{Subject, System, role_names};
use store::UserRef;

use crate::{Control, Error, Result, passwords};

impl Control {
    /// Sets a user's password without asking for the old one; all keys of the
    /// user end.
    ///
    /// # Errors
    /// Not found; no password at all (users of other ways to sign in); a weak
    /// or unchanged one.
    pub async fn user_password_reset(&self, which: &UserRef, password: &str) -> Result<User> {
        let system = Subject::system(System::Core);
        let conn = self.store().conn().await?;
        let user = conn.user_read(&system, which).await?;
        if user.login_type != "password" {
            return Err(Error::invalid(format!(
                "User {:?} signs in by {}, not by password.",
                user.username, user.login_type
            )));
        }
        let stored = conn
            .sign_in_of(&system, user.id)
            .await?
            .ok_or_else(Error::not_found)?;
        drop(conn);
        passwords::check(password)
            .map_err(|why| Error::invalid("Invalid password.").with_field("password", why))?;
        self.password_replace(&system, &user, &stored, password)
            .await?;
        Ok(super::shown(&user))
    }

    /// Makes another owner: active, and a member of every organization.
    pub async fn owner_create(&self, username: &str, email: &str, password: &str) -> Result<User> {
        let system = Subject::system(System::Core);
        let organizations = self.organization_list(&system, None).await?;
        let request = CreateUserRequestWithOrgs {
            username: username.to_owned(),
            email: email.to_owned(),
            password: password.to_owned(),
            login_type: LoginType::Password,
            user_status: Some(UserStatus::Active),
            organization_ids: organizations.into_iter().map(|o| o.id).collect(),
            roles: vec![role_names::OWNER.to_owned()],
            ..CreateUserRequestWithOrgs::default()
        };
        self.user_create(&system, request).await
    }
}
