//! Provisioners of an organization: daemons, their jobs, their keys.

use api_types::{
    CreateProvisionerKeyRequest, CreateProvisionerKeyResponse, ProvisionerDaemon, ProvisionerJob,
    ProvisionerKey,
};
use uuid::Uuid;

use crate::call::segment;
use crate::{Client, Error};

/// Which daemons to list.
#[derive(Debug, Clone, Default)]
pub struct ProvisionerQuery {
    /// At most so many; 0 is the server's own limit.
    pub limit: u32,
    /// Those that are gone too.
    pub offline: bool,
    /// Statuses, separated by commas; empty is all.
    pub status: String,
    /// Seen within so many milliseconds; 0 is any time.
    pub max_age_ms: u64,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct ProvisionerJobQuery {
    /// At most so many; 0 is the server's own limit.
    pub limit: u32,
    /// Statuses, separated by commas; empty is all.
    pub status: String,
    /// Who caused them; empty is anybody.
    pub initiator: String,
}

impl Client {
    /// Provisioner daemons of an organization.
    pub async fn provisioner_daemons(
        &self,
        organization: &str,
        query: &ProvisionerQuery,
    ) -> Result<Vec<ProvisionerDaemon>, Error> {
        self.get(&of(organization, "provisionerdaemons"))
            .query_if("limit", Some(query.limit).filter(|l| *l > 0))
            .query_if("offline", query.offline.then_some(true))
            .query_if("status", Some(&query.status).filter(|s| !s.is_empty()))
            .query_if("max_age_ms", Some(query.max_age_ms).filter(|age| *age > 0))
            .decode()
            .await
    }

    /// Jobs of an organization, the newest first.
    pub async fn provisioner_jobs(
        &self,
        organization: &str,
        query: &ProvisionerJobQuery,
    ) -> Result<Vec<ProvisionerJob>, Error> {
        self.get(&of(organization, "provisionerjobs"))
            .query_if("limit", Some(query.limit).filter(|l| *l > 0))
            .query_if("status", Some(&query.status).filter(|s| !s.is_empty()))
            .query_if(
                "initiator",
                Some(&query.initiator).filter(|i| !i.is_empty()),
            )
            .decode()
            .await
    }

    /// One job.
    pub async fn provisioner_job(
        &self,
        organization: &str,
        job: Uuid,
    ) -> Result<ProvisionerJob, Error> {
        self.get(&format!("{}/{job}", of(organization, "provisionerjobs")))
            .decode()
            .await
    }

    /// Keys by which daemons of other machines sign in, without their text.
    pub async fn provisioner_keys(&self, organization: &str) -> Result<Vec<ProvisionerKey>, Error> {
        self.get(&of(organization, "provisionerkeys"))
            .decode()
            .await
    }

    /// Creates a key; the answer alone holds its text.
    pub async fn provisioner_key_create(
        &self,
        organization: &str,
        body: &CreateProvisionerKeyRequest,
    ) -> Result<CreateProvisionerKeyResponse, Error> {
        self.post(&of(organization, "provisionerkeys"))
            .json(body)
            .decode()
            .await
    }

    /// Deletes a key.
    pub async fn provisioner_key_delete(
        &self,
        organization: &str,
        name: &str,
    ) -> Result<(), Error> {
        self.delete(&format!(
            "{}/{}",
            of(organization, "provisionerkeys"),
            segment(name)
        ))
        .done()
        .await
    }
}

fn of(organization: &str, what: &str) -> String {
    format!("/api/v2/organizations/{}/{what}", segment(organization))
}
