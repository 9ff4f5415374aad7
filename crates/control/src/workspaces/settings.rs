//! What owners set of a workspace: name, schedule, time to live, updates, dormancy, favourite.

use api_types::{
    ResolveAutostartResponse, UpdateWorkspaceAutostartRequest, UpdateWorkspaceTtlRequest, Workspace,
};
use authz::{Action, Subject};
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use store::workspaces::WorkspaceRow;
use store::{AuditAction, AuditDiff, AuditEntry, Held};
use uuid::Uuid;

use super::create::name_conflict;
use super::names::check_name;
use crate::builds::parameters::needs_input;
use crate::schedule::{Cron, MAX_TTL, MIN_TTL};
use crate::{Control, Error, Kind, Result};

/// Fields of a workspace that the audit log tells the changes of.
pub(super) const TRACKED: &[&str] = &[
    "id",
    "name",
    "owner_id",
    "template_id",
    "autostart_schedule",
    "ttl_ms",
    "dormant_at",
    "deleting_at",
    "automatic_updates",
    "favorite",
    "next_start_at",
];

/// How far ahead an extended deadline must lie.
const MIN_EXTENSION: TimeDelta = TimeDelta::minutes(29);

/// How many days ahead an allowed start is looked for.
const START_HORIZON: usize = 64;

/// Reads an autostart schedule.
pub(super) fn schedule(text: &str) -> Result<Cron, String> {
    Cron::weekly(text).map_err(|error| error.to_string())
}

/// The first start of a schedule on a day that is not blocked.
pub(crate) fn next_start(text: &str, blocked: i16, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let cron = Cron::weekly(text).ok()?;
    let mut at = now;
    for _ in 0..START_HORIZON {
        at = cron.next(at)?;
        let day = at
            .with_timezone(&cron.zone())
            .weekday()
            .num_days_from_monday();
        if blocked & (1 << day) == 0 {
            return Some(at);
        }
    }
    None
}

/// Refuses a time to live that cannot be meant.
pub(super) fn check_ttl(ms: i64) -> Result<(), String> {
    let (min, max) = (MIN_TTL.as_millis() as i64, MAX_TTL.as_millis() as i64);
    if ms < min {
        return Err("time until shutdown must be at least one minute".to_owned());
    }
    if ms > max {
        return Err("time until shutdown must be less than 30 days".to_owned());
    }
    Ok(())
}

impl Control {
    /// Reads, changes and writes a workspace, with its audit entry, in one transaction.
    /// `None`: nothing had to be changed.
    pub(super) async fn workspace_set(
        &self,
        who: &Subject,
        id: Uuid,
        change: impl FnOnce(&WorkspaceRow, &mut Workspace) -> Result<bool>,
    ) -> Result<Option<Workspace>> {
        let tx = self.store().begin(who).await?;
        tx.hold(Held::Workspace, id).await?;
        let row = tx.workspace_read(who, id).await?;
        who.may(Action::Update, &row.object())?;
        if row.deleted {
            return Err(Error::new(
                Kind::NotAllowed,
                format!(
                    "Workspace {:?} is deleted and cannot be updated.",
                    row.api.name
                ),
            ));
        }
        let mut after = row.api.clone();
        if !change(&row, &mut after)? {
            return Ok(None);
        }
        let written = tx.workspace_update(who, &row, &after).await;
        written.map_err(|error| name_conflict(error, &after.name))?;
        let deadline = after.latest_build.deadline;
        if deadline != row.api.latest_build.deadline {
            tx.workspace_set_deadline(who, &row, deadline).await?;
        }
        tx.audit(
            AuditEntry::new(AuditAction::Write, "workspace", id, &after.name)
                .org(after.organization_id)
                .diff(AuditDiff::between(&row.api, &after, TRACKED, &[])),
        )
        .await?;
        let shown = self.workspace_shown(tx.workspace_read(who, id).await?, who);
        tx.commit().await?;
        Ok(Some(shown))
    }

    /// Renames a workspace.
    pub async fn workspace_rename(&self, who: &Subject, id: Uuid, name: &str) -> Result<()> {
        if !self.settings().allow_workspace_renames {
            let row = self.store().conn().await?.workspace_read(who, id).await?;
            if name.is_empty() || row.api.name == name {
                return Ok(());
            }
            return Err(
                Error::invalid("Workspace renames are not allowed.").with_detail(
                    "Renaming may destroy data that templates name after the workspace. Start the \
                 server with --allow-workspace-renames to allow it.",
                ),
            );
        }
        self.workspace_set(who, id, |_, after| {
            if name.is_empty() || after.name == name {
                return Ok(false);
            }
            check_name("name", "workspace_name", name)?;
            name.clone_into(&mut after.name);
            Ok(true)
        })
        .await?;
        Ok(())
    }

    /// Sets when a workspace starts by itself; none or empty: never.
    pub async fn workspace_set_autostart(
        &self,
        who: &Subject,
        id: Uuid,
        request: UpdateWorkspaceAutostartRequest,
    ) -> Result<()> {
        let text = request.schedule.filter(|text| !text.trim().is_empty());
        if let Some(text) = &text {
            schedule(text).map_err(|detail| {
                Error::invalid("Invalid autostart schedule.").with_field("schedule", detail)
            })?;
        }
        self.workspace_set(who, id, |row, after| {
            let Some(text) = text else {
                after.autostart_schedule = None;
                after.next_start_at = None;
                return Ok(true);
            };
            if !row.allow_user_autostart {
                return Err(Error::invalid(
                    "Autostart is not allowed for workspaces using this template.",
                )
                .with_field("schedule", "Autostart is not allowed for this template."));
            }
            let next = next_start(&text, row.autostart_block_days, Utc::now());
            after.next_start_at = Some(next.ok_or_else(|| {
                Error::invalid("The template allows autostart on none of the schedule's days.")
                    .with_field("schedule", "Choose other days of the week.")
            })?);
            after.autostart_schedule = Some(text);
            Ok(true)
        })
        .await?;
        Ok(())
    }

    /// Sets the time to live of later starts; none or 0 means for ever, at once.
    pub async fn workspace_set_ttl(
        &self,
        who: &Subject,
        id: Uuid,
        request: UpdateWorkspaceTtlRequest,
    ) -> Result<()> {
        let ttl = request.ttl_ms.filter(|ms| *ms != 0);
        if let Some(ms) = ttl {
            check_ttl(ms).map_err(|detail| Error::field("ttl_ms", detail))?;
        }
        self.workspace_set(who, id, |row, after| {
            if !row.allow_user_autostop {
                return Err(Error::field(
                    "ttl_ms",
                    "Custom autostop TTL is not allowed for workspaces using this template.",
                ));
            }
            after.ttl_ms = ttl;
            if ttl.is_none() && row.api.latest_build.deadline.is_some() {
                // What the template demands stays.
                after.latest_build.deadline = row.api.latest_build.max_deadline;
            }
            Ok(true)
        })
        .await?;
        Ok(())
    }

    /// Sets whether starts by schedule take the template's active version.
    pub async fn workspace_set_autoupdates(
        &self,
        who: &Subject,
        id: Uuid,
        updates: &str,
    ) -> Result<()> {
        if !matches!(updates, "always" | "never") {
            return Err(Error::invalid("Invalid request")
                .with_field("automatic_updates", "Must be always or never."));
        }
        self.workspace_set(who, id, |_, after| {
            after.automatic_updates = updates.into();
            Ok(true)
        })
        .await?;
        Ok(())
    }

    /// Marks a workspace as its owner's favourite, or no longer.
    pub async fn workspace_set_favorite(
        &self,
        who: &Subject,
        id: Uuid,
        favorite: bool,
    ) -> Result<()> {
        self.workspace_set(who, id, |row, after| {
            if who.user_id() != Some(row.api.owner_id) {
                return Err(Error::forbidden(if favorite {
                    "You can only favorite workspaces that you own."
                } else {
                    "You can only un-favorite workspaces that you own."
                }));
            }
            after.favorite = favorite;
            Ok(favorite != row.api.favorite)
        })
        .await?;
        Ok(())
    }

    /// Moves the deadline of a running workspace.
    pub async fn workspace_extend(
        &self,
        who: &Subject,
        id: Uuid,
        deadline: DateTime<Utc>,
    ) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let row = tx.workspace_read(who, id).await?;
        who.may(Action::Update, &row.object())?;
        let build = &row.api.latest_build;
        let refuse = |why: &str| Error::conflict(why.to_owned());
        if build.transition.as_str() != "start" {
            return Err(refuse("workspace must be started, current status: stopped"));
        }
        if build.job.status.as_str() != "succeeded" {
            return Err(refuse("workspace is still building"));
        }
        if build.deadline.is_none() {
            return Err(refuse("workspace shutdown is manual"));
        }
        if deadline < Utc::now() + MIN_EXTENSION {
            return Err(Error::invalid(
                "Cannot extend workspace: new deadline must be at least 30 minutes in the future",
            ));
        }
        if build.max_deadline.is_some_and(|max| deadline > max) {
            return Err(Error::invalid(
                "Cannot extend workspace: new deadline is greater than the maximum that the template allows",
            ));
        }
        tx.workspace_set_deadline(who, &row, Some(deadline)).await?;
        tx.audit(
            AuditEntry::new(AuditAction::Write, "workspace", id, &row.api.name)
                .org(row.api.organization_id),
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether a start by schedule would take another version that asks for input.
    pub async fn workspace_resolve_autostart(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<ResolveAutostartResponse> {
        let conn = self.store().conn().await?;
        let row = conn.workspace_read(who, id).await?;
        let (w, build) = (&row.api, &row.api.latest_build);
        let updates = w.automatic_updates.as_str() == "always" || w.template_require_active_version;
        if !updates || build.template_version_id == w.template_active_version_id {
            return Ok(ResolveAutostartResponse {
                parameter_mismatch: false,
            });
        }
        let parameters = conn
            .template_version_parameters(w.template_active_version_id)
            .await?;
        let last = conn.workspace_build_parameters(build.id).await?;
        Ok(ResolveAutostartResponse {
            parameter_mismatch: needs_input(&parameters, &last),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttl_has_bounds() {
        assert!(check_ttl(60_000).is_ok() && check_ttl(59_999).is_err());
        assert!(check_ttl(30 * 24 * 3_600_000).is_ok());
        assert!(check_ttl(i64::MAX).is_err() && check_ttl(i64::MIN).is_err());
    }

    #[test]
    fn the_next_start_skips_blocked_days() {
        let now = "2026-11-25T12:00:00Z".parse().unwrap(); // A Wednesday.
        let at = |blocked| next_start("0 9 * * *", blocked, now).map(|t| t.to_rfc3339());
        assert_eq!(at(0).as_deref(), Some("2026-11-26T09:00:00+00:00"));
        assert_eq!(at(1 << 3).as_deref(), Some("2026-11-27T09:00:00+00:00"));
        assert_eq!(at(crate::schedule::ALL_DAYS), None);
    }
}
