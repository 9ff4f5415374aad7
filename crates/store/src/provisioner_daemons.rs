//! Provisioner daemons: who offers to run jobs, and when they were last seen.

use std::collections::BTreeMap;

use api_types::{MatchedProvisioners, ProvisionerDaemon, ProvisionerDaemonJob, ProvisionerType};
use authz::{Action, Object, ResourceType, Subject, authorize};
use chrono::{DateTime, Utc};
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::StoreError;
use crate::cols::Cols;
use crate::conn::Conn;

/// The key that daemons inside the server process stand under.
pub const BUILT_IN_KEY: Uuid = Uuid::from_u128(1);

/// A daemon not heard of for this many seconds counts as offline.
pub const STALE_SECONDS: f64 = 90.0;

/// A daemon as it announces itself.
#[derive(Debug, Clone)]
pub struct NewDaemon {
    /// The organization whose jobs it takes.
    pub organization_id: Uuid,
    /// The key that it signed in with.
    pub key_id: Uuid,
    /// Unique within the organization.
    pub name: String,
    /// Provisioners that it runs.
    pub provisioners: Vec<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its version.
    pub version: String,
    /// Level of the daemon protocol that it speaks.
    pub api_version: String,
    /// The server process that runs or serves it.
    pub replica_id: Uuid,
}

fn object(organization: Uuid) -> Object {
    Object::new(ResourceType::ProvisionerDaemon).org(organization)
}

impl Conn {
    /// Adds a daemon, or takes over the row of an earlier one of that name; answers its id.
    pub async fn provisioner_daemon_upsert(
        &self,
        who: &Subject,
        daemon: &NewDaemon,
    ) -> Result<Uuid, StoreError> {
        authorize(who, Action::Create, &object(daemon.organization_id))?;
        let row = self
            .query_one(
                "INSERT INTO provisioner_daemons
                     (id, created_at, organization_id, key_id, name, provisioners, tags, version,
                      api_version, replica_id, last_seen_at)
                 VALUES ($1, now(), $2, $3, $4, $5, $6, $7, $8, $9, now())
                 ON CONFLICT (organization_id, lower(name), (coalesce(tags ->> 'owner', '')))
                 DO UPDATE SET key_id = excluded.key_id, provisioners = excluded.provisioners,
                     tags = excluded.tags, version = excluded.version,
                     api_version = excluded.api_version, replica_id = excluded.replica_id,
                     last_seen_at = excluded.last_seen_at
                 RETURNING id",
                &[
                    &Uuid::new_v4(),
                    &daemon.organization_id,
                    &daemon.key_id,
                    &daemon.name,
                    &daemon.provisioners,
                    &Json(&daemon.tags),
                    &daemon.version,
                    &daemon.api_version,
                    &daemon.replica_id,
                ],
            )
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Notes that these daemons are alive.
    pub async fn provisioner_daemons_seen(
        &self,
        who: &Subject,
        ids: &[Uuid],
    ) -> Result<(), StoreError> {
        self.provisioner_daemons_last_seen(who, ids, Some(Utc::now()))
            .await
    }

    /// Marks these daemons as gone, so that nobody waits for them.
    pub async fn provisioner_daemons_leave(
        &self,
        who: &Subject,
        ids: &[Uuid],
    ) -> Result<(), StoreError> {
        self.provisioner_daemons_last_seen(who, ids, None).await
    }

    async fn provisioner_daemons_last_seen(
        &self,
        who: &Subject,
        ids: &[Uuid],
        at: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        let daemons = Object::new(ResourceType::ProvisionerDaemon);
        authorize(who, Action::Update, &daemons)?;
        self.execute(
            "UPDATE provisioner_daemons SET last_seen_at = $2 WHERE id = ANY($1)",
            &[&ids, &at],
        )
        .await?;
        Ok(())
    }

    /// How many daemons could take a job with these tags, and how many are there now.
    pub async fn provisioner_daemons_matching(
        &self,
        organization: Uuid,
        provisioner: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<MatchedProvisioners, StoreError> {
        let row = self
            .query_one(
                "SELECT count(*), count(*) FILTER
                            (WHERE last_seen_at > now() - make_interval(secs => $4)),
                        max(last_seen_at)
                 FROM provisioner_daemons d
                 WHERE organization_id = $1 AND $2 = ANY(provisioners)
                   AND CASE WHEN $3 = '{\"scope\": \"organization\", \"owner\": \"\"}'::jsonb
                            THEN d.tags = $3 ELSE d.tags @> $3 END",
                &[&organization, &provisioner, &Json(tags), &STALE_SECONDS],
            )
            .await?;
        Ok(MatchedProvisioners {
            count: row.try_get(0)?,
            available: row.try_get(1)?,
            most_recently_seen: row.try_get(2)?,
        })
    }

    /// Daemons of an organization, newest first, with the job each works on and the one
    /// before.
    pub async fn provisioner_daemon_list(
        &self,
        who: &Subject,
        organization: Uuid,
        ids: &[Uuid],
        limit: i64,
    ) -> Result<Vec<ProvisionerDaemon>, StoreError> {
        authorize(who, Action::Read, &object(organization)).map_err(|_| StoreError::NotFound)?;
        let rows = self
            .query(
                "SELECT d.id, d.organization_id, d.key_id, d.created_at, d.last_seen_at, d.name,
                        d.version, d.api_version, d.provisioners, d.tags,
                        CASE WHEN d.last_seen_at IS NULL
                               OR d.last_seen_at < now() - make_interval(secs => $4)
                             THEN 'offline'
                             WHEN current.id IS NOT NULL THEN 'busy' ELSE 'idle' END,
                        CASE WHEN d.key_id = $5 THEN 'built-in' ELSE '' END,
                        current.id, current.job_status, current.name, current.icon,
                        current.display_name,
                        previous.id, previous.job_status, previous.name, previous.icon,
                        previous.display_name
                 FROM provisioner_daemons d
                 LEFT JOIN LATERAL (SELECT j.id, j.job_status, t.name, t.icon, t.display_name
                     FROM provisioner_jobs j
                     LEFT JOIN workspace_builds b ON b.job_id = j.id
                     LEFT JOIN template_versions tv
                         ON tv.id = b.template_version_id OR tv.job_id = j.id
                     LEFT JOIN templates t ON t.id = tv.template_id
                     WHERE j.worker_id = d.id AND j.completed_at IS NULL
                     ORDER BY j.started_at DESC LIMIT 1) current ON TRUE
                 LEFT JOIN LATERAL (SELECT j.id, j.job_status, t.name, t.icon, t.display_name
                     FROM provisioner_jobs j
                     LEFT JOIN workspace_builds b ON b.job_id = j.id
                     LEFT JOIN template_versions tv
                         ON tv.id = b.template_version_id OR tv.job_id = j.id
                     LEFT JOIN templates t ON t.id = tv.template_id
                     WHERE j.worker_id = d.id AND j.completed_at IS NOT NULL
                     ORDER BY j.started_at DESC LIMIT 1) previous ON TRUE
                 WHERE d.organization_id = $1 AND (cardinality($2::uuid[]) = 0 OR d.id = ANY($2))
                 ORDER BY d.created_at DESC, d.name LIMIT $3",
                &[&organization, &ids, &limit, &STALE_SECONDS, &BUILT_IN_KEY],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let mut cols = Cols::new(row);
                let mut daemon = ProvisionerDaemon {
                    id: cols.next()?,
                    organization_id: cols.next()?,
                    key_id: cols.next()?,
                    created_at: cols.next()?,
                    last_seen_at: cols.next::<Option<DateTime<Utc>>>()?,
                    name: cols.next()?,
                    version: cols.next()?,
                    api_version: cols.next()?,
                    provisioners: cols
                        .next::<Vec<String>>()?
                        .into_iter()
                        .map(ProvisionerType::from)
                        .collect(),
                    tags: cols.next::<Json<_>>()?.0,
                    status: Some(cols.text()?),
                    key_name: Some(cols.next()?),
                    current_job: None,
                    previous_job: None,
                };
                daemon.current_job = daemon_job(&mut cols)?;
                daemon.previous_job = daemon_job(&mut cols)?;
                Ok(daemon)
            })
            .collect()
    }
}

fn daemon_job(cols: &mut Cols<'_>) -> Result<Option<ProvisionerDaemonJob>, StoreError> {
    let id: Option<Uuid> = cols.next()?;
    let status: Option<&str> = cols.next()?;
    let name: Option<String> = cols.next()?;
    let icon: Option<String> = cols.next()?;
    let display_name: Option<String> = cols.next()?;
    Ok(id.map(|id| ProvisionerDaemonJob {
        id,
        status: status.unwrap_or_default().into(),
        template_name: name.unwrap_or_default(),
        template_icon: icon.unwrap_or_default(),
        template_display_name: display_name.unwrap_or_default(),
    }))
}
