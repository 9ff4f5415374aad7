//! Organizations and their members.

use api_types::{
    AssignableRoles, CreateOrganizationRequest, CustomRoleRequest, Organization,
    OrganizationMember, OrganizationMemberWithUserData, Role, UpdateRoles,
};
use serde_json::Value;

use crate::call::segment;
use crate::{Client, Error};

/// Which of someone's organizations to act in: the one of this name or id; without a name the default
/// one, else the first.
pub fn preferred_organization<'o>(
    mine: &'o [Organization],
    wanted: Option<&str>,
) -> Option<&'o Organization> {
    let mut all = mine.iter();
    match wanted {
        Some(name) => all.find(|one| one.name == name || one.id.to_string() == name),
        None => all.find(|one| one.is_default).or(mine.first()),
    }
}

impl Client {
    /// Every organization that one may see.
    pub async fn organizations(&self) -> Result<Vec<Organization>, Error> {
        self.get("/api/v2/organizations").decode().await
    }

    /// One organization, by `default`, id or name.
    pub async fn organization(&self, organization: &str) -> Result<Organization, Error> {
        self.get(&format!("/api/v2/organizations/{}", segment(organization)))
            .decode()
            .await
    }

    /// Creates an organization.
    pub async fn organization_create(
        &self,
        body: &CreateOrganizationRequest,
    ) -> Result<Organization, Error> {
        self.post("/api/v2/organizations").json(body).decode().await
    }

    /// Deletes an organization.
    pub async fn organization_delete(&self, organization: &str) -> Result<(), Error> {
        self.delete(&format!("/api/v2/organizations/{}", segment(organization)))
            .done()
            .await
    }

    /// Members with their names and roles.
    pub async fn organization_members(
        &self,
        organization: &str,
    ) -> Result<Vec<OrganizationMemberWithUserData>, Error> {
        self.get(&format!(
            "/api/v2/organizations/{}/members",
            segment(organization)
        ))
        .decode()
        .await
    }

    /// Adds a person.
    pub async fn organization_member_add(
        &self,
        organization: &str,
        user: &str,
    ) -> Result<OrganizationMember, Error> {
        self.post(&member(organization, user)).decode().await
    }

    /// Takes a person out.
    pub async fn organization_member_remove(
        &self,
        organization: &str,
        user: &str,
    ) -> Result<(), Error> {
        self.delete(&member(organization, user)).done().await
    }

    /// Replaces the roles of a member.
    pub async fn organization_member_roles_update(
        &self,
        organization: &str,
        user: &str,
        roles: Vec<String>,
    ) -> Result<OrganizationMember, Error> {
        self.put(&format!("{}/roles", member(organization, user)))
            .json(&UpdateRoles { roles })
            .decode()
            .await
    }

    /// Roles that members may have.
    pub async fn organization_roles(
        &self,
        organization: &str,
    ) -> Result<Vec<AssignableRoles>, Error> {
        self.get(&roles(organization)).decode().await
    }

    /// Creates a role of the organization's own.
    pub async fn organization_role_create(
        &self,
        organization: &str,
        body: &CustomRoleRequest,
    ) -> Result<Role, Error> {
        self.post(&roles(organization)).json(body).decode().await
    }

    /// Replaces a role of the organization's own.
    pub async fn organization_role_update(
        &self,
        organization: &str,
        body: &CustomRoleRequest,
    ) -> Result<Role, Error> {
        self.put(&roles(organization)).json(body).decode().await
    }

    /// One setting, such as `settings/workspace-sharing`, as JSON; of the whole
    /// deployment where no organization is given.
    pub async fn organization_setting(
        &self,
        organization: Option<&str>,
        setting: &str,
    ) -> Result<Value, Error> {
        self.get(&settings(organization, setting)).decode().await
    }

    /// Changes a setting; gives it as it is then.
    pub async fn organization_setting_update(
        &self,
        organization: Option<&str>,
        setting: &str,
        body: &Value,
    ) -> Result<Value, Error> {
        self.patch(&settings(organization, setting))
            .json(body)
            .decode()
            .await
    }
}

fn member(organization: &str, user: &str) -> String {
    format!(
        "/api/v2/organizations/{}/members/{}",
        segment(organization),
        segment(user)
    )
}

fn roles(organization: &str) -> String {
    format!(
        "/api/v2/organizations/{}/members/roles",
        segment(organization)
    )
}

fn settings(organization: Option<&str>, setting: &str) -> String {
    match organization {
        Some(organization) => format!(
            "/api/v2/organizations/{}/settings/{setting}",
            segment(organization)
        ),
        None => format!("/api/v2/settings/{setting}"),
    }
}
