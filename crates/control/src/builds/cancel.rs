//! Cancelling builds, and their Terraform state for those who maintain templates.

use authz::{Action, Subject};
use store::{AuditAction, AuditEntry};
use uuid::Uuid;

use super::create::decode_state;
use crate::templates::cancelled;
use crate::{Control, Error, Kind, Result};

impl Control {
    /// Cancels a build. With `expected` only if its job stands so.
    pub async fn workspace_build_cancel(
        &self,
        who: &Subject,
        id: Uuid,
        expected: Option<&str>,
    ) -> Result<()> {
        if let Some(expected) = expected
            && !matches!(expected, "running" | "pending")
        {
            let shown: String = expected.chars().take(64).collect();
            return Err(Error::invalid(format!(
                "Invalid expect_status {shown:?}. Only 'running' or 'pending' are allowed."
            )));
        }
        let tx = self.store().begin(who).await?;
        let row = tx.workspace_build_read(who, id).await?;
        who.may(Action::Update, &row.workspace)?;
        // What waits has changed nothing yet: that may always be withdrawn.
        let may = expected == Some("pending") || row.allow_cancel || who.is_owner();
        if !may {
            return Err(Error::forbidden(
                "User is not allowed to cancel workspace builds. Owner role is required.",
            ));
        }
        let before = tx.provisioner_job_cancel(row.api.job.id).await?;
        cancelled(before.clone())?;
        if expected.is_some_and(|e| e != before.as_str()) {
            return Err(Error::new(
                Kind::PreconditionFailed,
                "Job is not in the expected state.",
            )
            .with_detail(format!("The job is {before}.")));
        }
        tx.workspace_changed(row.api.workspace_id).await?;
        tx.audit(AuditEntry::new(
            AuditAction::Write,
            "workspace_build",
            id,
            "",
        ))
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The Terraform state of a build.
    pub async fn workspace_build_state(&self, who: &Subject, id: Uuid) -> Result<Vec<u8>> {
        let conn = self.store().conn().await?;
        let row = conn.workspace_build_read(who, id).await?;
        Ok(conn.workspace_build_state(who, &row).await?)
    }

    /// Replaces the Terraform state of a build; `state` is base64.
    pub async fn workspace_build_set_state(
        &self,
        who: &Subject,
        id: Uuid,
        state: &str,
    ) -> Result<()> {
        let state = decode_state(state)?;
        let tx = self.store().begin(who).await?;
        let row = tx.workspace_build_read(who, id).await?;
        tx.workspace_build_set_state(who, &row, &state).await?;
        tx.audit(AuditEntry::new(
            AuditAction::Write,
            "workspace_build",
            id,
            "",
        ))
        .await?;
        tx.commit().await?;
        Ok(())
    }
}
