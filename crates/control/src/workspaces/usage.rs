//! Notes of use, which keep a workspace from stopping under its user.

use api_types::PostWorkspaceUsageRequest;
use authz::{Action, Subject};
use chrono::{DateTime, TimeDelta, Utc};
use store::workspaces::WorkspaceRow;
use uuid::Uuid;

use super::settings::next_start;
use crate::{Control, Error, Result};

impl Control {
    /// Notes that a workspace is in use, and moves its deadline accordingly.
    pub async fn workspace_used(
        &self,
        who: &Subject,
        id: Uuid,
        request: &PostWorkspaceUsageRequest,
    ) -> Result<()> {
        let named = (
            request.agent_id.is_nil(),
            request.app_name.as_str().is_empty(),
        );
        match named {
            (true, true) => {}
            (false, false) => known_app(request.app_name.as_str())?,
            (true, false) => {
                return Err(Error::invalid("Invalid request")
                    .with_field("agent_id", "must be set when app_name is set"));
            }
            (false, true) => {
                return Err(Error::invalid("Invalid request")
                    .with_field("app_name", "must be set when agent_id is set"));
            }
        }
        let tx = self.store().begin(who).await?;
        let row = tx.workspace_read(who, id).await?;
        who.may(Action::Update, &row.object())?;
        let agents = || {
            row.api
                .latest_build
                .resources
                .iter()
                .flat_map(|r| &r.agents)
        };
        if !request.agent_id.is_nil() && !agents().any(|a| a.id == request.agent_id) {
            return Err(Error::invalid("Invalid request")
                .with_field("agent_id", "is no agent of this workspace"));
        }
        tx.workspace_used(who, &row).await?;
        let bump = tx.template_activity_bump(row.api.template_id).await?;
        if let Some(deadline) = bumped(&row, bump, Utc::now()) {
            tx.workspace_set_deadline(who, &row, Some(deadline)).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

fn known_app(name: &str) -> Result<()> {
    if matches!(name, "vscode" | "jetbrains" | "reconnecting-pty" | "ssh") {
        return Ok(());
    }
    Err(Error::invalid("Invalid request").with_field("app_name", "unknown app name"))
}

/// The deadline after use now, if it is to be moved: in the last twentieth of the interval
/// nothing is gained by writing.
fn bumped(row: &WorkspaceRow, bump_ms: i64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let build = &row.api.latest_build;
    let deadline = build.deadline?;
    let running = build.transition.as_str() == "start" && build.job.status.as_str() == "succeeded";
    if !running || bump_ms <= 0 {
        return None;
    }
    let mut interval = TimeDelta::milliseconds(bump_ms);
    let ttl = TimeDelta::milliseconds(row.api.ttl_ms.unwrap_or(0));
    let start = row.api.autostart_schedule.as_deref();
    if let Some(next) = start.and_then(|text| next_start(text, row.autostart_block_days, now))
        && next < now + interval
    {
        interval = next - now + ttl;
    }
    if deadline - interval * 19 / 20 >= now {
        return None;
    }
    let wanted = deadline.max(now + interval);
    Some(build.max_deadline.map_or(wanted, |max| wanted.min(max))).filter(|d| *d != deadline)
}
