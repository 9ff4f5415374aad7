//! Roles that organizations make themselves.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::{Result, StoreError, Time};

/// Another role of the organization has the name; without regard to case.
pub const ROLE_NAME_TAKEN: [&str; 2] = ["custom_roles_name_key", "custom_roles_pkey"];

record! {
    /// A role of an organization's own.
    pub struct CustomRoleRow {
        /// The organization.
        pub organization_id: Uuid,
        /// Its name.
        pub name: String,
        /// Name for people.
        pub display_name: String,
        /// `<resource type>:<action>` each, on everything of the organization.
        pub permissions: Vec<String>,
        /// When it was made.
        pub created_at: Time,
        /// When it was last changed.
        pub updated_at: Time,
    }
}

fn object(organization: Uuid) -> Object {
    Object::new(ResourceType::AssignOrgRole).org(organization)
}

impl Conn {
    /// The organization's own roles, by name.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn custom_role_list(
        &self,
        who: &Subject,
        organization: Uuid,
    ) -> Result<Vec<CustomRoleRow>> {
        who.may(Action::Read, &object(organization))?;
        let sql = "SELECT * FROM custom_roles WHERE organization_id = $1 ORDER BY name";
        self.fetch(sql, &[&organization]).await
    }

    /// Makes a role. What it may grant is for the rules to say.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`ROLE_NAME_TAKEN`].
    pub async fn custom_role_create(
        &self,
        who: &Subject,
        organization: Uuid,
        name: &str,
        display_name: &str,
        permissions: &[String],
    ) -> Result<CustomRoleRow> {
        who.may(Action::Create, &object(organization))?;
        let sql = "INSERT INTO custom_roles (organization_id, name, display_name, permissions) \
                   VALUES ($1, $2, $3, $4) RETURNING *";
        self.fetch_one(sql, &[&organization, &name, &display_name, &permissions])
            .await
    }

    /// Changes a role.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Forbidden`].
    pub async fn custom_role_update(
        &self,
        who: &Subject,
        organization: Uuid,
        name: &str,
        display_name: &str,
        permissions: &[String],
    ) -> Result<CustomRoleRow> {
        who.may(Action::Update, &object(organization))?;
        let sql = "UPDATE custom_roles SET display_name = $3, permissions = $4, \
                   updated_at = now() WHERE organization_id = $1 AND name = $2 RETURNING *";
        self.fetch_one(sql, &[&organization, &name, &display_name, &permissions])
            .await
    }

    /// Deletes a role, also from its holders.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Forbidden`].
    pub async fn custom_role_delete(
        &self,
        who: &Subject,
        organization: Uuid,
        name: &str,
    ) -> Result<()> {
        who.may(Action::Delete, &object(organization))?;
        let sql = "DELETE FROM custom_roles WHERE organization_id = $1 AND name = $2";
        match self.execute(sql, &[&organization, &name]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }
}
