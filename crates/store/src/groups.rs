//! Groups of organizations, and who belongs to them.

use std::collections::HashMap;

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::{FromRow, record};
use crate::{Result, StoreError, Time};

/// Unique index of group names: another group of the organization has it.
pub const GROUP_NAME_TAKEN: &str = "groups_name_key";
/// The user is no member of the group's organization.
pub const NO_MEMBER: &str = "group_members_organization_id_user_id_fkey";

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

record! {
    /// A member of a group.
    pub struct GroupMemberRow {
        /// The user.
        pub id: Uuid,
        /// Its name.
        pub username: String,
        /// Its real name.
        pub name: String,
        /// Its address.
        pub email: String,
        /// Its picture.
        pub avatar_url: String,
        /// `active`, `dormant` or `suspended`.
        pub status: String,
        /// How it signs in.
        pub login_type: String,
        /// Whether it is a service account.
        pub is_service_account: bool,
        /// When it was made.
        pub created_at: Time,
        /// When it was last changed.
        pub updated_at: Time,
        /// When it was last seen.
        pub last_seen_at: Time,
    }
}

/// Columns of [`GroupRow`] and where they come from.
const GROUPS: &str = "SELECT g.*, o.name AS organization_name, \
    o.display_name AS organization_display_name, \
    CASE WHEN g.id = g.organization_id \
      THEN (SELECT count(*) FROM organization_members m JOIN users u ON u.id = m.user_id \
            WHERE m.organization_id = g.id AND NOT u.deleted AND NOT u.is_system) \
      ELSE (SELECT count(*) FROM group_members m JOIN users u ON u.id = m.user_id \
            WHERE m.group_id = g.id AND NOT u.deleted AND NOT u.is_system) END AS member_count \
    FROM groups g JOIN organizations o ON o.id = g.organization_id AND NOT o.deleted";

/// How a group is named.
#[derive(Debug, Clone, Copy)]
pub enum GroupRef<'a> {
    /// By id.
    Id(Uuid),
    /// By name, within an organization.
    Name(Uuid, &'a str),
}

/// A group to be made or as it shall be.
#[derive(Debug)]
pub struct GroupFields<'a> {
    /// Unique name within the organization.
    pub name: &'a str,
    /// Name for people.
    pub display_name: &'a str,
    /// Picture.
    pub avatar_url: &'a str,
    /// Daily cost that each member may cause.
    pub quota_allowance: i32,
}

impl Conn {
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
        let sql = format!(
            "{GROUPS} \
                   WHERE ($1::uuid IS NULL OR g.organization_id = $1) \
                   AND ($2::uuid IS NULL \
                     OR EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = g.id AND m.user_id = $2) \
                     OR g.id = g.organization_id AND EXISTS (SELECT 1 FROM organization_members m \
                        WHERE m.organization_id = g.id AND m.user_id = $2)) \
                   ORDER BY g.name, g.id"
        );
        let mut rows: Vec<GroupRow> = self.fetch(&sql, &[&organization, &member]).await?;
        rows.retain(|group| who.may(Action::Read, &group.object()).is_ok());
        Ok(rows)
    }

    /// One group, if the subject may read it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it may not, or there is none.
    pub async fn group_read(&self, who: &Subject, which: GroupRef<'_>) -> Result<GroupRow> {
        let row: Option<GroupRow> = match which {
            GroupRef::Id(id) => {
                self.fetch_opt(&format!("{GROUPS} WHERE g.id = $1"), &[&id])
                    .await?
            }
            GroupRef::Name(organization, name) => {
                let sql =
                    format!("{GROUPS} WHERE g.organization_id = $1 AND lower(g.name) = lower($2)");
                self.fetch_opt(&sql, &[&organization, &name]).await?
            }
        };
        row.filter(|group| who.may(Action::Read, &group.object()).is_ok())
            .ok_or(StoreError::NotFound)
    }

    /// The members of a group that the subject may read, by username.
    ///
    /// # Errors
    /// As for any query.
    pub async fn group_member_list(
        &self,
        who: &Subject,
        group: &GroupRow,
    ) -> Result<Vec<GroupMemberRow>> {
        let mut lists = self
            .group_member_lists(who, std::slice::from_ref(group))
            .await?;
        Ok(lists.remove(&group.id).unwrap_or_default())
    }

    /// The same of several groups at once, by the groups' ids; a group without members that the
    /// subject may read is left out.
    ///
    /// # Errors
    /// As for any query.
    pub async fn group_member_lists(
        &self,
        who: &Subject,
        groups: &[GroupRow],
    ) -> Result<HashMap<Uuid, Vec<GroupMemberRow>>> {
        // The id of Everyone is that of its organization.
        let sql = "SELECT m.group_id, u.* FROM ( \
                     SELECT group_id, user_id FROM group_members WHERE group_id = ANY ($1) \
                     UNION SELECT organization_id, user_id FROM organization_members \
                       WHERE organization_id = ANY ($1)) m \
                   JOIN users u ON u.id = m.user_id AND NOT u.deleted AND NOT u.is_system \
                   ORDER BY u.username_lower";
        let organizations: HashMap<Uuid, Uuid> = groups
            .iter()
            .map(|group| (group.id, group.organization_id))
            .collect();
        let ids: Vec<Uuid> = organizations.keys().copied().collect();
        let mut lists: HashMap<Uuid, Vec<GroupMemberRow>> = HashMap::new();
        for row in self.query(sql, &[&ids]).await? {
            let group: Uuid = row.try_get("group_id")?;
            let member = GroupMemberRow::from_row(&row)?;
            let Some(organization) = organizations.get(&group) else {
                continue;
            };
            let object = Object::new(ResourceType::GroupMember)
                .id(member.id)
                .org(*organization)
                .owner(member.id);
            if who.may(Action::Read, &object).is_ok() {
                lists.entry(group).or_default().push(member);
            }
        }
        Ok(lists)
    }

    /// Makes a group.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`GROUP_NAME_TAKEN`].
    pub async fn group_create(
        &self,
        who: &Subject,
        id: Uuid,
        organization: Uuid,
        new: &GroupFields<'_>,
    ) -> Result<()> {
        let object = Object::new(ResourceType::Group).org(organization);
        who.may(Action::Create, &object)?;
        let sql = "INSERT INTO groups (id, organization_id, name, display_name, avatar_url, \
                   quota_allowance) VALUES ($1, $2, $3, $4, $5, $6)";
        let (name, display) = (&new.name, &new.display_name);
        let quota = &new.quota_allowance;
        self.execute(
            sql,
            &[&id, &organization, name, display, &new.avatar_url, quota],
        )
        .await?;
        Ok(())
    }

    /// Changes a group.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`GROUP_NAME_TAKEN`].
    pub async fn group_update(
        &self,
        who: &Subject,
        group: &GroupRow,
        new: &GroupFields<'_>,
    ) -> Result<()> {
        who.may(Action::Update, &group.object())?;
        let sql = "UPDATE groups SET name = $2, display_name = $3, avatar_url = $4, \
                   quota_allowance = $5 WHERE id = $1";
        let (name, display) = (&new.name, &new.display_name);
        let quota = &new.quota_allowance;
        self.execute(sql, &[&group.id, name, display, &new.avatar_url, quota])
            .await?;
        Ok(())
    }

    /// Brings users into a group and out of it; who is in or out already stays so.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict with [`NO_MEMBER`].
    pub async fn group_members_change(
        &self,
        who: &Subject,
        group: &GroupRow,
        add: &[Uuid],
        remove: &[Uuid],
    ) -> Result<()> {
        who.may(Action::Update, &group.object())?;
        let sql = "INSERT INTO group_members (group_id, organization_id, user_id) \
                   SELECT $1, $2, unnest($3::uuid[]) ON CONFLICT DO NOTHING";
        self.execute(sql, &[&group.id, &group.organization_id, &add])
            .await?;
        let sql = "DELETE FROM group_members WHERE group_id = $1 AND user_id = ANY ($2)";
        self.execute(sql, &[&group.id, &remove]).await?;
        Ok(())
    }

    /// Deletes a group, and what it was given on templates and workspaces.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn group_delete(&self, who: &Subject, group: &GroupRow) -> Result<()> {
        who.may(Action::Delete, &group.object())?;
        for table in ["templates", "workspaces"] {
            let sql = format!(
                "UPDATE {table} SET group_acl = group_acl - $1::uuid::text \
                 WHERE group_acl ? $1::uuid::text"
            );
            self.execute(&sql, &[&group.id]).await?;
        }
        self.execute("DELETE FROM groups WHERE id = $1", &[&group.id])
            .await?;
        Ok(())
    }
}
