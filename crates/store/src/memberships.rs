//! Memberships of organizations: joining, leaving, roles.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::{Result, StoreError};

/// Primary key of memberships: the user is a member already.
pub const ALREADY_MEMBER: &str = "organization_members_pkey";

fn member_object(organization: Uuid, user: Uuid) -> Object {
    Object::new(ResourceType::OrganizationMember)
        .id(user)
        .org(organization)
        .owner(user)
}

impl Conn {
    /// Makes a user a member.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`ALREADY_MEMBER`].
    pub async fn member_create(&self, who: &Subject, organization: Uuid, user: Uuid) -> Result<()> {
        who.may(
            Action::Create,
            &Object::new(ResourceType::OrganizationMember).org(organization),
        )?;
        let sql = "INSERT INTO organization_members (organization_id, user_id) VALUES ($1, $2)";
        self.execute(sql, &[&organization, &user]).await?;
        Ok(())
    }

    /// Ends a membership, and those of the organization's groups.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Forbidden`].
    pub async fn member_delete(&self, who: &Subject, organization: Uuid, user: Uuid) -> Result<()> {
        who.may(Action::Delete, &member_object(organization, user))?;
        let sql = "DELETE FROM organization_members WHERE organization_id = $1 AND user_id = $2";
        match self.execute(sql, &[&organization, &user]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Sets the roles of a member. Which ones may be given is for the rules to say.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Forbidden`].
    pub async fn member_roles_set(
        &self,
        who: &Subject,
        organization: Uuid,
        user: Uuid,
        roles: &[String],
    ) -> Result<()> {
        who.may(
            Action::Assign,
            &Object::new(ResourceType::AssignOrgRole).org(organization),
        )?;
        let sql = "UPDATE organization_members SET roles = $3, updated_at = now() \
                   WHERE organization_id = $1 AND user_id = $2";
        match self.execute(sql, &[&organization, &user, &roles]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Roles of a user in each of its organizations.
    ///
    /// # Errors
    /// As for any query.
    pub async fn member_roles_of(
        &self,
        who: &Subject,
        user: Uuid,
    ) -> Result<Vec<(Uuid, Vec<String>)>> {
        let sql = "SELECT organization_id, roles FROM organization_members WHERE user_id = $1";
        let rows = self.query(sql, &[&user]).await?;
        let mut found = Vec::new();
        for row in &rows {
            let organization: Uuid = row.try_get(0)?;
            if who
                .may(Action::Read, &member_object(organization, user))
                .is_ok()
            {
                found.push((organization, row.try_get(1)?));
            }
        }
        Ok(found)
    }
}
