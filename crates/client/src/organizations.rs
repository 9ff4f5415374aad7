//! Organizations and their members.

use api_types::{CreateOrganizationRequest, Organization, OrganizationMemberWithUserData};

use crate::call::segment;
use crate::{Client, Error};

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
}
