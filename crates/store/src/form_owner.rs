//! What a template's form is told of the person who fills it in.

use authz::{Action, Object, ResourceType, Subject, authorize};
use uuid::Uuid;

use crate::StoreError;
use crate::cols::Cols;
use crate::conn::Conn;

/// An owner without secrets.
#[derive(Debug, Clone)]
pub struct FormOwner {
    /// Username.
    pub username: String,
    /// Real name.
    pub name: String,
    /// Address.
    pub email: String,
    /// How they sign in.
    pub login_type: String,
    /// Public half of the Git key; empty if there is none.
    pub ssh_public_key: String,
    /// Names of groups in the organization.
    pub groups: Vec<String>,
    /// Site roles.
    pub site_roles: Vec<String>,
    /// Roles in the organization.
    pub org_roles: Vec<String>,
}

impl Conn {
    /// The owner of a workspace to be, for whoever runs jobs.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such user.
    pub async fn form_owner_read(
        &self,
        who: &Subject,
        owner: Uuid,
        organization: Uuid,
    ) -> Result<FormOwner, StoreError> {
        authorize(
            who,
            Action::Read,
            &Object::new(ResourceType::ProvisionerJobs),
        )?;
        let row = self
            .query_opt(
                "SELECT u.username, u.name, u.email, u.login_type, coalesce(k.public_key, ''),
                        ARRAY(SELECT g.name FROM groups g WHERE g.organization_id = $2
                              AND (g.id = $2 OR EXISTS (SELECT 1 FROM group_members m
                                   WHERE m.group_id = g.id AND m.user_id = u.id))
                              ORDER BY g.name),
                        u.roles,
                        coalesce((SELECT m.roles FROM organization_members m
                            WHERE m.user_id = u.id AND m.organization_id = $2), '{}')
                 FROM users u LEFT JOIN git_ssh_keys k ON k.user_id = u.id
                 WHERE u.id = $1",
                &[&owner, &organization],
            )
            .await?
            .ok_or(StoreError::NotFound)?;
        let mut c = Cols::new(&row);
        Ok(FormOwner {
            username: c.next()?,
            name: c.next()?,
            email: c.next()?,
            login_type: c.next()?,
            ssh_public_key: c.next()?,
            groups: c.next()?,
            site_roles: c.next()?,
            org_roles: c.next()?,
        })
    }
}
