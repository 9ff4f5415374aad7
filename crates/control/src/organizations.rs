//! Organizations and their members.

use api_types::{Organization, OrganizationMemberWithUserData, SlimRole};
use authz::{Subject, System};
use store::custom_roles::CustomRoleRow;
use store::{MemberRow, OrganizationRef, OrganizationRow};
use uuid::Uuid;

use crate::{Control, Result};

impl Control {
    /// One organization.
    pub async fn organization_read(
        &self,
        who: &Subject,
        which: &OrganizationRef,
    ) -> Result<Organization> {
        let row = self
            .store()
            .conn()
            .await?
            .organization_read(who, which)
            .await?;
        Ok(organization(row))
    }

    /// All that may be read; only those of a member if given.
    pub async fn organization_list(
        &self,
        who: &Subject,
        member: Option<Uuid>,
    ) -> Result<Vec<Organization>> {
        let rows = self
            .store()
            .conn()
            .await?
            .organization_list(who, member)
            .await?;
        Ok(rows.into_iter().map(organization).collect())
    }

    /// Members that may be read.
    pub async fn organization_member_list(
        &self,
        who: &Subject,
        which: &OrganizationRef,
    ) -> Result<Vec<OrganizationMemberWithUserData>> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, which).await?;
        let rows = conn.organization_member_list(who, organization.id).await?;
        let system = Subject::system(System::Core);
        let custom = conn.custom_role_list(&system, organization.id).await?;
        Ok(rows.into_iter().map(|row| member(row, &custom)).collect())
    }

    /// One member.
    pub async fn organization_member_read(
        &self,
        who: &Subject,
        which: &OrganizationRef,
        user: Uuid,
    ) -> Result<OrganizationMemberWithUserData> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, which).await?;
        let row = conn
            .organization_member_read(who, organization.id, user)
            .await?;
        let system = Subject::system(System::Core);
        let custom = conn.custom_role_list(&system, organization.id).await?;
        Ok(member(row, &custom))
    }
}

pub(crate) fn organization(row: OrganizationRow) -> Organization {
    Organization {
        id: row.id,
        name: row.name,
        display_name: row.display_name,
        icon: row.icon,
        description: row.description,
        created_at: row.created_at,
        updated_at: row.updated_at,
        is_default: row.is_default,
        default_org_member_roles: row.default_org_member_roles,
    }
}

fn member(row: MemberRow, custom: &[CustomRoleRow]) -> OrganizationMemberWithUserData {
    let roles = organization_roles(row.organization_id, &row.roles, custom);
    OrganizationMemberWithUserData {
        username: row.username,
        name: row.name,
        avatar_url: row.avatar_url,
        email: row.email,
        status: row.status.as_str().into(),
        login_type: row.login_type.as_str().into(),
        last_seen_at: Some(row.last_seen_at),
        user_created_at: row.user_created_at,
        user_updated_at: row.user_updated_at,
        is_service_account: row.is_service_account,
        global_roles: site_roles(&row.global_roles),
        has_ai_seat: false,
        user_id: row.user_id,
        organization_id: row.organization_id,
        created_at: row.created_at,
        updated_at: row.updated_at,
        roles,
    }
}

/// Stored site roles as shown to people.
pub(crate) fn site_roles(names: &[String]) -> Vec<SlimRole> {
    slim(names, authz::site_roles(), &[], "")
}

/// Stored roles of a member as shown to people; `custom` are the organization's own.
pub(crate) fn organization_roles(
    organization: Uuid,
    names: &[String],
    custom: &[CustomRoleRow],
) -> Vec<SlimRole> {
    slim(names, authz::org_roles(), custom, &organization.to_string())
}

fn slim(
    names: &[String],
    known: &[authz::RoleInfo],
    custom: &[CustomRoleRow],
    organization: &str,
) -> Vec<SlimRole> {
    let known = known.iter().map(|role| (role.name, role.display_name));
    let custom = custom
        .iter()
        .map(|role| (role.name.as_str(), role.display_name.as_str()));
    let all: Vec<_> = known.chain(custom).collect();
    let shown = |name: &String| all.iter().find(|(known, _)| known == name);
    names
        .iter()
        .filter_map(shown)
        .map(|(name, display_name)| SlimRole {
            name: (*name).to_owned(),
            display_name: (*display_name).to_owned(),
            organization_id: organization.to_owned(),
        })
        .collect()
}
