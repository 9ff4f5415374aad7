//! What comes behind a build when it succeeds: the start behind the stop of a restart.

use api_types::WorkspaceBuildParameter;
use authz::{Action, Object, ResourceType, Subject, authorize};
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::{StoreError, Tx};

/// What shall follow a build when it succeeds.
#[derive(Debug, Clone)]
pub struct Followup {
    /// The build it follows.
    pub parent_build_id: Uuid,
    /// Who asked for it.
    pub initiator_id: Uuid,
    /// `start`.
    pub transition: String,
    /// Why.
    pub reason: String,
    /// The version, if another than the parent's.
    pub template_version_id: Option<Uuid>,
    /// The preset.
    pub template_version_preset_id: Option<Uuid>,
    /// Parameters.
    pub rich_parameter_values: Vec<WorkspaceBuildParameter>,
    /// `debug` or empty.
    pub log_level: String,
}

impl Tx {
    /// Notes what shall follow a build of this transaction.
    pub async fn workspace_build_followup_insert(&self, next: &Followup) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO workspace_build_followups (parent_build_id, created_at, initiator_id,
                 transition, reason, template_version_id, template_version_preset_id,
                 rich_parameter_values, log_level)
             VALUES ($1, now(), $2, $3, $4, $5, $6, $7, $8)",
            &[
                &next.parent_build_id,
                &next.initiator_id,
                &next.transition,
                &next.reason,
                &next.template_version_id,
                &next.template_version_preset_id,
                &Json(&next.rich_parameter_values),
                &next.log_level,
            ],
        )
        .await?;
        Ok(())
    }

    /// Notes what became of a follow-up: the build it led to, or why it did not.
    pub async fn workspace_build_followup_end(
        &self,
        who: &Subject,
        parent: Uuid,
        child: Option<Uuid>,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        authorize(
            who,
            Action::Update,
            &Object::new(ResourceType::WorkspaceBuildOrchestration),
        )?;
        self.execute(
            "UPDATE workspace_build_followups SET child_build_id = $2, error = $3,
                 status = CASE WHEN $2::uuid IS NOT NULL THEN 'completed' ELSE 'failed' END
             WHERE parent_build_id = $1 AND status = 'pending'",
            &[&parent, &child, &error],
        )
        .await?;
        Ok(())
    }

    /// Forgets what should follow a build that did not succeed.
    pub async fn workspace_build_followup_cancel(
        &self,
        who: &Subject,
        parent: Uuid,
    ) -> Result<(), StoreError> {
        authorize(
            who,
            Action::Update,
            &Object::new(ResourceType::WorkspaceBuildOrchestration),
        )?;
        self.execute(
            "UPDATE workspace_build_followups SET status = 'canceled'
             WHERE parent_build_id = $1 AND status = 'pending'",
            &[&parent],
        )
        .await?;
        Ok(())
    }
}

impl Conn {
    /// Follow-ups whose build has ended well: each with its workspace.
    pub async fn workspace_build_followups_due(
        &self,
        who: &Subject,
    ) -> Result<Vec<(Uuid, Followup)>, StoreError> {
        authorize(
            who,
            Action::Read,
            &Object::new(ResourceType::WorkspaceBuildOrchestration),
        )?;
        let rows = self
            .query(
                "SELECT b.workspace_id, f.parent_build_id, f.initiator_id, f.transition, f.reason,
                        f.template_version_id, f.template_version_preset_id,
                        f.rich_parameter_values, f.log_level
                 FROM workspace_build_followups f
                 JOIN workspace_builds b ON b.id = f.parent_build_id
                 JOIN provisioner_jobs j ON j.id = b.job_id
                 WHERE f.status = 'pending' AND j.job_status = 'succeeded'
                 ORDER BY f.created_at LIMIT 100",
                &[],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let mut cols = Cols::new(row);
                Ok((
                    cols.next()?,
                    Followup {
                        parent_build_id: cols.next()?,
                        initiator_id: cols.next()?,
                        transition: cols.next()?,
                        reason: cols.next()?,
                        template_version_id: cols.next()?,
                        template_version_preset_id: cols.next()?,
                        rich_parameter_values: cols.next::<Json<_>>()?.0,
                        log_level: cols.next()?,
                    },
                ))
            })
            .collect()
    }
}
