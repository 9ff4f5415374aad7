//! Memberships of organizations and groups: joining, leaving, roles.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::{Result, StoreError, Time};

/// Primary key of memberships: the user is a member already.
pub const ALREADY_MEMBER: &str = "organization_members_pkey";

record! {
    /// A row of `groups` with the organization's names.
    pub struct GroupRow {
        /// The id; that of Everyone is the organization's.
        pub id: Uuid,
        /// The organization.
        pub organization_id: Uuid,
        /// Its name.
        pub organization_name: String,
        /// Its name for people.
        pub organization_display_name: String,
        /// Unique name within it.
        pub name: String,
        /// Name for people.
        pub display_name: String,
        /// Picture.
        pub avatar_url: String,
        /// Daily cost that each member may cause.
        pub quota_allowance: i32,
        /// `user` or `oidc`.
        pub source: String,
        /// How many members it has.
        pub member_count: i64,
        /// When it was made.
        pub created_at: Time,
    }
}

impl GroupRow {
    /// The object of decisions: members may read their groups.
    pub fn object(&self) -> Object {
        Object::new(ResourceType::Group)
            .id(self.id)
            .org(self.organization_id)
            .readable_by_group(self.id)
    }
}

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

    /// Groups that the subject may read: of an organization, of a member, or all.
    ///
    /// # Errors
    /// As for any query.
    pub async fn group_list(
        &self,
        who: &Subject,
        organization: Option<Uuid>,
        member: Option<Uuid>,
    ) -> Result<Vec<GroupRow>> {
        let sql = "SELECT g.*, o.name AS organization_name, \
                   o.display_name AS organization_display_name, \
                   CASE WHEN g.id = g.organization_id \
                     THEN (SELECT count(*) FROM organization_members m WHERE m.organization_id = g.id) \
                     ELSE (SELECT count(*) FROM group_members m WHERE m.group_id = g.id) END AS member_count \
                   FROM groups g JOIN organizations o ON o.id = g.organization_id AND NOT o.deleted \
                   WHERE ($1::uuid IS NULL OR g.organization_id = $1) \
                   AND ($2::uuid IS NULL \
                     OR EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = g.id AND m.user_id = $2) \
                     OR g.id = g.organization_id AND EXISTS (SELECT 1 FROM organization_members m \
                        WHERE m.organization_id = g.id AND m.user_id = $2)) \
                   ORDER BY g.name, g.id";
        let mut rows: Vec<GroupRow> = self.fetch(sql, &[&organization, &member]).await?;
        rows.retain(|group| who.may(Action::Read, &group.object()).is_ok());
        Ok(rows)
    }
}
