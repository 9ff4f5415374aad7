//! Dormancy: workspaces that lie unused come to rest, and may be deleted later.

use api_types::Workspace;
use authz::Subject;
use chrono::{DateTime, TimeDelta, Utc};
use store::workspaces::WorkspaceRow;
use store::{AuditAction, AuditDiff, AuditEntry, Held, Tx};
use uuid::Uuid;

use super::settings::{TRACKED, next_start};
use crate::lifecycle::{Step, still_due};
use crate::{Control, Result};

fn rest(row: &WorkspaceRow, after: &mut Workspace, now: DateTime<Utc>) {
    after.dormant_at = Some(now);
    after.deleting_at = (row.dormant_autodelete_ms > 0)
        .then(|| now + TimeDelta::milliseconds(row.dormant_autodelete_ms));
    after.next_start_at = None;
}

/// Puts a workspace to rest as part of a transaction.
pub(crate) async fn workspace_rest_in(
    tx: &Tx,
    who: &Subject,
    row: &WorkspaceRow,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut after = row.api.clone();
    rest(row, &mut after, now);
    tx.workspace_update(who, row, &after).await?;
    let diff = AuditDiff::between(&row.api, &after, TRACKED, &[]);
    let entry = AuditEntry::new(AuditAction::Write, "workspace", after.id, &after.name);
    let entry = entry.org(after.organization_id).diff(diff);
    tx.audit(entry.by(after.owner_id)).await?;
    Ok(())
}

impl Control {
    /// Puts a workspace to rest or wakes it; `None`: it was so already.
    pub async fn workspace_set_dormant(
        &self,
        who: &Subject,
        id: Uuid,
        dormant: bool,
    ) -> Result<Option<Workspace>> {
        self.workspace_set(who, id, |row, after| {
            if row.api.dormant_at.is_some() == dormant {
                return Ok(false);
            }
            let now = Utc::now();
            if dormant {
                rest(row, after, now);
            } else {
                after.dormant_at = None;
                after.deleting_at = None;
                after.last_used_at = now;
                after.next_start_at = after
                    .autostart_schedule
                    .as_deref()
                    .and_then(|text| next_start(text, row.autostart_block_days, now));
            }
            Ok(true)
        })
        .await
    }

    /// Puts an unused workspace to rest; false if that is not due any more.
    pub(crate) async fn workspace_rest(
        &self,
        who: &Subject,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let tx = self.store().begin(who).await?;
        tx.hold(Held::Workspace, id).await?;
        if !still_due(&tx, who, id, Step::Rest, now).await? {
            return Ok(false);
        }
        let row = tx.workspace_read(who, id).await?;
        workspace_rest_in(&tx, who, &row, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
