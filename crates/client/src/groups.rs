//! Groups of an organization.

use api_types::{CreateGroupRequest, Group, PatchGroupRequest};
use uuid::Uuid;

use crate::call::segment;
use crate::{Client, Error};

impl Client {
    /// Groups of an organization.
    pub async fn groups(&self, organization: &str) -> Result<Vec<Group>, Error> {
        self.get(&of(organization)).decode().await
    }

    /// One group, by its name.
    pub async fn group_by_name(&self, organization: &str, name: &str) -> Result<Group, Error> {
        self.get(&format!("{}/{}", of(organization), segment(name)))
            .decode()
            .await
    }

    /// Creates a group.
    pub async fn group_create(
        &self,
        organization: &str,
        body: &CreateGroupRequest,
    ) -> Result<Group, Error> {
        self.post(&of(organization)).json(body).decode().await
    }

    /// Changes a group and its members.
    pub async fn group_update(&self, id: Uuid, body: &PatchGroupRequest) -> Result<Group, Error> {
        self.patch(&format!("/api/v2/groups/{id}"))
            .json(body)
            .decode()
            .await
    }

    /// Deletes a group.
    pub async fn group_delete(&self, id: Uuid) -> Result<(), Error> {
        self.delete(&format!("/api/v2/groups/{id}")).done().await
    }
}

fn of(organization: &str) -> String {
    format!("/api/v2/organizations/{}/groups", segment(organization))
}
