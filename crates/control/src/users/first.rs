//! The first user, which makes a fresh server somebody's.

use api_types::{CreateFirstUserRequest, CreateFirstUserResponse};
use authz::{Origin, Subject, System, role_names};
use std::sync::Arc;
use store::user_changes::NewUser;
use store::{AuditAction, AuditDiff, AuditEntry, OrganizationRef, UserRef};
use uuid::Uuid;

use super::TRACKED;
use crate::{Control, Error, Result, git_ssh_keys, names, passwords};

impl Control {
    /// Whether there is a first user already.
    pub async fn first_user_exists(&self) -> Result<bool> {
        Ok(self.store().conn().await?.user_count().await? > 0)
    }

    /// Makes the first user: active, an owner, in the default organization.
    pub async fn first_user_create(
        &self,
        request: CreateFirstUserRequest,
        origin: Arc<Origin>,
    ) -> Result<CreateFirstUserResponse> {
        let exists = || Error::conflict("The initial user has already been created.");
        if self.first_user_exists().await? {
            return Err(exists());
        }
        let username = if request.username.is_empty() {
            names::username_from(&request.email)
        } else {
            request.username
        };
        names::name(&username).map_err(|why| Error::field("username", why))?;
        names::email(&request.email).map_err(|why| Error::field("email", why))?;
        names::real(&request.name).map_err(|why| Error::field("name", why))?;
        passwords::check(&request.password).map_err(|why| {
            Error::invalid("Password not strong enough!").with_field("password", why)
        })?;
        let hash = passwords::hash(&request.password).await?;
        let (private, public) =
            git_ssh_keys::generate(&self.settings().ssh_keygen_algorithm).await?;

        let system = Subject::system(System::Core).with_origin(origin);
        let tx = self.store().begin(&system).await?;
        // Two that come at once: the second finds the first's.
        tx.lock("first user").await?;
        if tx.user_count().await? > 0 {
            return Err(exists());
        }
        let id = Uuid::new_v4();
        let organization = tx
            .organization_read(&system, &OrganizationRef::Default)
            .await?
            .id;
        let roles = [role_names::OWNER.to_owned()];
        let new = NewUser {
            id,
            username: &username,
            email: &request.email,
            name: &request.name,
            status: "active",
            login_type: "password",
            roles: &roles,
            hashed_password: &hash,
            service_account: false,
        };
        tx.user_create(&system, &new).await?;
        tx.member_create(&system, organization, id).await?;
        tx.git_ssh_key_set(&system, id, &private, &public).await?;
        let user = tx.user_read(&system, &UserRef::Id(id)).await?;
        let diff = AuditDiff::between(&(), &user, TRACKED, &["hashed_password"]);
        let entry = AuditEntry::new(AuditAction::Create, "user", id, &username);
        tx.audit(entry.diff(diff).by(id)).await?;
        tx.commit().await?;
        Ok(CreateFirstUserResponse {
            user_id: id,
            organization_id: organization,
        })
    }
}
