//! Organizations: making, changing, deleting.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::{OrganizationRow, Result, StoreError};

/// Unique index of names: another organization has it.
pub const ORGANIZATION_NAME_TAKEN: &str = "organizations_name_key";

record! {
    /// What stands in the way of deleting an organization.
    pub struct OrganizationContents {
        /// Workspaces that are not deleted.
        pub workspaces: i64,
        /// Templates that are not deleted.
        pub templates: i64,
        /// Groups beside Everyone.
        pub groups: i64,
        /// Members beside whoever asks.
        pub members: i64,
    }
}

impl Conn {
    /// Makes an organization with its group Everyone.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`ORGANIZATION_NAME_TAKEN`].
    pub async fn organization_create(
        &self,
        who: &Subject,
        id: Uuid,
        new: &api_types::CreateOrganizationRequest,
    ) -> Result<()> {
        who.may(Action::Create, &Object::new(ResourceType::Organization))?;
        let sql = "WITH made AS (INSERT INTO organizations (id, name, display_name, description, \
                       icon) VALUES ($1, $2, $3, $4, $5) RETURNING id) \
                   INSERT INTO groups (id, organization_id, name) SELECT id, id, 'Everyone' \
                   FROM made";
        self.execute(
            sql,
            &[
                &id,
                &new.name,
                &new.display_name,
                &new.description,
                &new.icon,
            ],
        )
        .await?;
        Ok(())
    }

    /// Writes what may be changed of an organization.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`ORGANIZATION_NAME_TAKEN`].
    pub async fn organization_update(&self, who: &Subject, new: &OrganizationRow) -> Result<()> {
        who.may(Action::Update, &new.object())?;
        let sql = "UPDATE organizations SET name = $2, display_name = $3, description = $4, \
                   icon = $5, default_org_member_roles = $6, shareable_workspace_owners = $7, \
                   updated_at = now() WHERE id = $1 AND NOT deleted";
        let changed = self
            .execute(
                sql,
                &[
                    &new.id,
                    &new.name,
                    &new.display_name,
                    &new.description,
                    &new.icon,
                    &new.default_org_member_roles,
                    &new.shareable_workspace_owners,
                ],
            )
            .await?;
        if changed == 0 {
            return Err(StoreError::NotFound);
        }
        Ok(())
    }

    /// Ends the sharing of an organization's workspaces, but for those of service accounts if
    /// these may still share.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn organization_unshare(
        &self,
        who: &Subject,
        organization: &OrganizationRow,
    ) -> Result<()> {
        who.may(Action::Update, &organization.object())?;
        let keep_service = organization.shareable_workspace_owners == "service_accounts";
        let sql = "UPDATE workspaces w SET user_acl = '{}', group_acl = '{}' FROM users u \
                   WHERE u.id = w.owner_id AND w.organization_id = $1 \
                   AND NOT ($2 AND u.is_service_account)";
        self.execute(sql, &[&organization.id, &keep_service])
            .await?;
        Ok(())
    }

    /// What an organization still holds.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`] unless the subject may delete it.
    pub async fn organization_contents(
        &self,
        who: &Subject,
        organization: &OrganizationRow,
    ) -> Result<OrganizationContents> {
        who.may(Action::Delete, &organization.object())?;
        let sql = "SELECT \
            (SELECT count(*) FROM workspaces WHERE organization_id = $1 AND NOT deleted) \
                AS workspaces, \
            (SELECT count(*) FROM templates WHERE organization_id = $1 AND NOT deleted) \
                AS templates, \
            (SELECT count(*) FROM groups WHERE organization_id = $1 AND id <> $1) AS groups, \
            (SELECT count(*) FROM organization_members m JOIN users u ON u.id = m.user_id \
                WHERE m.organization_id = $1 AND NOT u.deleted AND NOT u.is_system \
                AND u.id IS DISTINCT FROM $2) AS members";
        self.fetch_one(sql, &[&organization.id, &who.user_id()])
            .await
    }

    /// Deletes an organization: its name is free again, its history stays.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn organization_delete(
        &self,
        who: &Subject,
        organization: &OrganizationRow,
    ) -> Result<()> {
        who.may(Action::Delete, &organization.object())?;
        let sql = "DELETE FROM organization_members WHERE organization_id = $1";
        self.execute(sql, &[&organization.id]).await?;
        let sql = "UPDATE organizations SET deleted = true, updated_at = now() WHERE id = $1";
        self.execute(sql, &[&organization.id]).await?;
        Ok(())
    }
}
