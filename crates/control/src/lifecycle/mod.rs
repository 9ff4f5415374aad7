//! What workspaces do by themselves: start and stop on schedule, come to rest, go.
//!
//! Every replica looks; the build number decides which one's build is made, and a workspace is
//! put to rest in the same transaction.

mod rules;

use std::time::Duration;

use api_types::WorkspaceTransition;
use authz::{Subject, System};
use chrono::{DateTime, Utc};
use store::Tx;
use store::workspaces::{DUE_PAGE, LifecycleFacts, WorkspaceRow};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::builds::Wanted;
use crate::{Control, Result};
pub(crate) use rules::Step;
use rules::next_step;

/// Shortest time between two looks, whatever the options say: each is a query over all
/// workspaces.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

impl Control {
    /// Looks for what is due, until cancelled.
    pub async fn lifecycle_run(&self, cancel: CancellationToken) {
        let interval = self.settings().autobuild_poll_interval.max(MIN_INTERVAL);
        loop {
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = cancel.cancelled() => return,
            }
            if let Err(error) = self.lifecycle_tick(Utc::now()).await {
                tracing::warn!(%error, "cannot look for workspaces that start or stop by themselves");
            }
        }
    }

    /// Takes every step that is due at this time. One that cannot be taken is told in the log
    /// and tried again at the next look.
    pub async fn lifecycle_tick(&self, now: DateTime<Utc>) -> Result<()> {
        let who = Subject::system(System::Autostart);
        let mut after = None;
        loop {
            let conn = self.store().conn().await?;
            let due = conn.workspaces_due(&who, now, after).await?;
            drop(conn);
            for facts in &due {
                self.lifecycle_step_told(&who, facts, now).await;
            }
            if due.len() < DUE_PAGE {
                return Ok(());
            }
            after = due.last().map(|facts| facts.id);
        }
    }

    async fn lifecycle_step_told(&self, who: &Subject, facts: &LifecycleFacts, now: DateTime<Utc>) {
        let Some(step) = next_step(facts, now) else {
            return;
        };
        let workspace = facts.id;
        match self.lifecycle_step(who, facts, step, now).await {
            Ok(true) => {
                tracing::info!(%workspace, reason = step.reason(), "a workspace took a step by itself");
            }
            // Another replica was faster, it is not due any more, or no daemon is there to do it.
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%workspace, reason = step.reason(), %error, "a workspace cannot take its step");
            }
        }
    }

    async fn lifecycle_step(
        &self,
        who: &Subject,
        facts: &LifecycleFacts,
        step: Step,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let conn = self.store().conn().await?;
        let row = conn.workspace_read(who, facts.id).await?;
        let last = &row.api.latest_build;
        // What was read at first may be of the past.
        if row.deleted || last.transition.as_str() != facts.transition {
            return Ok(false);
        }
        if step == Step::Rest {
            drop(conn);
            return self.workspace_rest(who, facts.id, now).await;
        }
        let version = match step {
            Step::Autostart if takes_active(&row) => row.api.template_active_version_id,
            _ => last.template_version_id,
        };
        let source = conn.template_version_source(version).await?;
        let tags = crate::templates::job_tags(row.api.owner_id, &source.job_tags);
        let organization = row.api.organization_id;
        let daemons = conn.provisioner_daemons_matching(organization, "terraform", &tags);
        if daemons.await?.available == 0 {
            return Ok(false);
        }
        drop(conn);
        let wanted = Wanted {
            transition: match step {
                Step::Autostart => WorkspaceTransition::Start,
                Step::Delete => WorkspaceTransition::Delete,
                _ => WorkspaceTransition::Stop,
            },
            version: (version != last.template_version_id).then_some(version),
            reason: step.reason().to_owned(),
            due: Some((step, now)),
            ..Wanted::default()
        };
        Ok(self.build_start(who, &row, &wanted, None).await?.is_some())
    }
}

/// Whether a step that was found to be due is due still. The caller holds the workspace: since it
/// was looked at, somebody may have used or woken it, or given it more time.
pub(crate) async fn still_due(
    tx: &Tx,
    who: &Subject,
    workspace: Uuid,
    step: Step,
    now: DateTime<Utc>,
) -> Result<bool> {
    let facts = tx.workspace_due(who, now, workspace).await?;
    Ok(facts.is_some_and(|facts| next_step(&facts, now) == Some(step)))
}

/// Whether starts by schedule take the template's active version.
fn takes_active(row: &WorkspaceRow) -> bool {
    row.api.automatic_updates.as_str() == "always" || row.api.template_require_active_version
}
