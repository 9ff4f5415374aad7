//! Jobs and daemons of an organization, for those who look after them.

use api_types::{ProvisionerDaemon, ProvisionerJob};
use authz::Subject;
use store::OrganizationRef;
use store::provisioner_jobs::ProvisionerJobFilter;
use uuid::Uuid;

use crate::{Control, Result};

/// How many are answered unless another number is asked for.
const DEFAULT_LIMIT: i64 = 50;
/// Most that are answered.
const MAX_LIMIT: i64 = 1000;

/// Which daemons to list.
#[derive(Debug, Clone, Default)]
pub struct DaemonFilter {
    /// Only these.
    pub ids: Vec<Uuid>,
    /// Only those of these states.
    pub status: Vec<String>,
    /// Offline ones too.
    pub offline: bool,
    /// How many.
    pub limit: i64,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Only these.
    pub ids: Vec<Uuid>,
    /// Only those of these states.
    pub status: Vec<String>,
    /// Only those started by this user.
    pub initiator: Option<Uuid>,
    /// How many.
    pub limit: i64,
}

fn limit(asked: i64) -> i64 {
    if asked <= 0 {
        DEFAULT_LIMIT
    } else {
        asked.min(MAX_LIMIT)
    }
}

impl Control {
    /// Daemons of an organization.
    pub async fn provisioner_daemon_list(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        by: &DaemonFilter,
    ) -> Result<Vec<ProvisionerDaemon>> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?;
        let list = conn
            .provisioner_daemon_list(who, organization.id, &by.ids, limit(by.limit))
            .await?;
        let wanted = |daemon: &ProvisionerDaemon| {
            let status = daemon.status.as_ref().map_or("", |s| s.as_str());
            let listed = by.status.iter().any(|s| s == status);
            listed || (by.status.is_empty() && (status != "offline" || by.offline))
        };
        Ok(list.into_iter().filter(wanted).collect())
    }

    /// Jobs of an organization, newest first.
    pub async fn provisioner_job_list(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        by: &JobFilter,
    ) -> Result<Vec<ProvisionerJob>> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?;
        let filter = ProvisionerJobFilter {
            ids: by.ids.clone(),
            status: by.status.clone(),
            initiator: by.initiator,
            limit: limit(by.limit),
        };
        Ok(conn
            .provisioner_job_list(who, organization.id, &filter)
            .await?)
    }

    /// A job of an organization.
    pub async fn provisioner_job_read(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        id: Uuid,
    ) -> Result<ProvisionerJob> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?;
        Ok(conn.provisioner_job_read(who, organization.id, id).await?)
    }
}
