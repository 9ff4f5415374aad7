//! Making users.

use api_types::{CreateUserRequestWithOrgs, LoginType, User, UserStatus};
use authz::{Action, Object, ResourceType, Subject};
use store::user_changes::{EMAIL_TAKEN, NewUser, USERNAME_TAKEN};
use store::{AuditAction, AuditDiff, AuditEntry, OrganizationRef, UserRef};
use uuid::Uuid;

use super::{TRACKED, roles, shown};
use crate::{Control, Error, Result, git_ssh_keys, names, passwords};

/// Organizations that a user may be put into by one request.
const MAX_ORGANIZATIONS: usize = 100;

impl Control {
    /// Makes a user.
    pub async fn user_create(
        &self,
        who: &Subject,
        request: CreateUserRequestWithOrgs,
    ) -> Result<User> {
        who.may(Action::Create, &Object::new(ResourceType::User))?;
        self.check_new(&request)?;
        let login_type = match request.login_type {
            LoginType::Unset if request.service_account => LoginType::None,
            LoginType::Unset => LoginType::Password,
            ref given => given.clone(),
        };
        roles::check_site(who, &[], &request.roles)?;
        let hash = if login_type == LoginType::Password {
            passwords::hash(&request.password).await?
        } else {
            String::new()
        };
        let (private, public) =
            git_ssh_keys::generate(&self.settings().ssh_keygen_algorithm).await?;

        let tx = self.store().begin(who).await?;
        let id = Uuid::new_v4();
        let status = request
            .user_status
            .as_ref()
            .map_or("dormant", UserStatus::as_str);
        let new = NewUser {
            id,
            username: &request.username,
            email: &request.email,
            name: &request.name,
            status,
            login_type: login_type.as_str(),
            roles: &request.roles,
            hashed_password: &hash,
            service_account: request.service_account,
        };
        tx.user_create(who, &new).await.map_err(taken)?;
        for organization in &request.organization_ids {
            let which = if organization.is_nil() {
                OrganizationRef::Default
            } else {
                OrganizationRef::Id(*organization)
            };
            let organization = tx.organization_read(who, &which).await?.id;
            tx.member_create(who, organization, id).await?;
        }
        tx.git_ssh_key_set(who, id, &private, &public).await?;
        let user = tx.user_read(who, &UserRef::Id(id)).await?;
        let diff = AuditDiff::between(&(), &user, TRACKED, &[]);
        tx.audit(AuditEntry::new(AuditAction::Create, "user", id, &user.username).diff(diff))
            .await?;
        tx.commit().await?;
        Ok(shown(&user))
    }

    fn check_new(&self, request: &CreateUserRequestWithOrgs) -> Result<()> {
        names::name(&request.username).map_err(|why| Error::field("username", why))?;
        names::real(&request.name).map_err(|why| Error::field("name", why))?;
        if request.organization_ids.is_empty() {
            let why = "must name at least one organization";
            return Err(Error::field("organization_ids", why));
        }
        if request.organization_ids.len() > MAX_ORGANIZATIONS {
            return Err(Error::field(
                "organization_ids",
                "names too many organizations",
            ));
        }
        if !matches!(
            request.user_status,
            None | Some(UserStatus::Active | UserStatus::Dormant | UserStatus::Unset)
        ) {
            return Err(Error::field("user_status", "must be active or dormant"));
        }
        if request.service_account {
            if !request.email.is_empty() || !request.password.is_empty() {
                return Err(Error::invalid(
                    "A service account has neither e-mail address nor password.",
                ));
            }
            if !matches!(request.login_type, LoginType::None | LoginType::Unset) {
                return Err(Error::invalid("A service account has login type \"none\"."));
            }
            return Ok(());
        }
        names::email(&request.email).map_err(|why| Error::field("email", why))?;
        match request.login_type {
            LoginType::Password | LoginType::Unset if self.settings().disable_password_auth => Err(
                Error::forbidden("Password authentication is disabled on this deployment."),
            ),
            LoginType::Password | LoginType::Unset => {
                passwords::check(&request.password).map_err(|why| {
                    Error::invalid("Password not strong enough!").with_field("password", why)
                })
            }
            LoginType::None => Err(Error::invalid(
                "Login type \"none\" is for service accounts only; choose \"password\".",
            )),
            ref other => Err(Error::invalid(format!(
                "Login type \"{other}\" is not configured on this deployment; choose \"password\".",
            ))),
        }
    }
}

/// Tells which name of a user is taken.
pub(super) fn taken(error: store::StoreError) -> Error {
    if error.is_conflict(USERNAME_TAKEN) {
        Error::conflict("A user with this username already exists.").with_field(
            "username",
            "This value is already in use and should be unique.",
        )
    } else if error.is_conflict(EMAIL_TAKEN) {
        Error::conflict("A user with this e-mail address already exists.").with_field(
            "email",
            "This value is already in use and should be unique.",
        )
    } else {
        error.into()
    }
}
