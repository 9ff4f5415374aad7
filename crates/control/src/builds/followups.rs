//! What follows a build: the start behind the stop of a restart. Any replica takes it up;
//! the build number decides which one wins.

use authz::{Subject, System};
use store::UserRef;
use store::workspace_builds::Followup;
use uuid::Uuid;

use super::Wanted;
use crate::{Control, Error, Result};

impl Control {
    /// Starts whatever shall follow builds that have ended well. A follow-up that cannot be
    /// started is marked with the reason.
    pub(crate) async fn workspace_build_followups_run(&self) -> Result<()> {
        let system = Subject::system(System::Provisioner);
        let due = self
            .store()
            .conn()
            .await?
            .workspace_build_followups_due(&system)
            .await?;
        for (workspace, next) in due {
            let outcome = self.followup(workspace, &next).await;
            let (child, error) = match outcome {
                Ok(child) => (
                    child,
                    child
                        .is_none()
                        .then(|| "another build came first".to_owned()),
                ),
                Err(error) => (None, Some(error.to_string())),
            };
            if let Some(error) = &error {
                tracing::warn!(%workspace, %error, "cannot start the build behind another");
            }
            let tx = self.store().begin(&system).await?;
            let parent = next.parent_build_id;
            tx.workspace_build_followup_end(&system, parent, child, error.as_deref())
                .await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn followup(&self, workspace: Uuid, next: &Followup) -> Result<Option<Uuid>> {
        let policy = &self.settings().policy;
        let who = self
            .store()
            .subject_read(next.initiator_id, authz::Scope::all(), policy)
            .await?;
        let conn = self.store().conn().await?;
        let system = Subject::system(System::Provisioner);
        let initiator = UserRef::Id(next.initiator_id);
        if conn.user_read(&system, &initiator).await?.status != "active" {
            return Err(Error::forbidden(
                "Whoever asked for this build is not active any more.",
            ));
        }
        let row = conn.workspace_read(&who, workspace).await?;
        drop(conn);
        if row.api.latest_build.id != next.parent_build_id {
            return Ok(None);
        }
        let wanted = Wanted {
            transition: next.transition.as_str().into(),
            version: next.template_version_id,
            preset: next.template_version_preset_id,
            values: next.rich_parameter_values.clone(),
            reason: next.reason.clone(),
            log_level: next.log_level.clone(),
            ..Wanted::default()
        };
        self.build_start(&who, &row, &wanted, None).await
    }
}
