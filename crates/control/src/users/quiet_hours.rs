//! When a user's workspaces may be stopped for what their template requires.

use api_types::UserQuietHoursScheduleResponse;
use authz::Subject;
use chrono::Utc;
use store::{AuditAction, AuditDiff, AuditEntry, UserRef};
use uuid::Uuid;

use crate::schedule::Cron;
use crate::{Control, Error, Result};

impl Control {
    /// A user's quiet hours: its own, else those of the deployment.
    pub async fn user_quiet_hours_read(
        &self,
        who: &Subject,
        which: &UserRef,
    ) -> Result<UserQuietHoursScheduleResponse> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        let own = conn.user_quiet_hours(who, user.id).await?;
        self.quiet_hours_shown(&own)
    }

    /// Sets a user's quiet hours; empty takes them back to the deployment's. Workspaces that
    /// run already keep their deadlines.
    pub async fn user_quiet_hours_set(
        &self,
        who: &Subject,
        which: &UserRef,
        schedule: &str,
    ) -> Result<UserQuietHoursScheduleResponse> {
        let tx = self.store().begin(who).await?;
        let user = tx.user_read(who, which).await?;
        let old = tx.user_quiet_hours(who, user.id).await?;
        if !self.settings().allow_custom_quiet_hours {
            return Err(Error::forbidden(
                "Users cannot set custom quiet hours schedules in this deployment.",
            ));
        }
        let schedule = schedule.trim();
        let shown = self.quiet_hours_shown(schedule)?;
        tx.user_quiet_hours_set(who, user.id, schedule).await?;
        let facts = |text: &str| serde_json::json!({"quiet_hours_schedule": text});
        let tracked = &["quiet_hours_schedule"];
        let diff = AuditDiff::between(&facts(&old), &facts(schedule), tracked, &[]);
        let entry = AuditEntry::new(AuditAction::Write, "user", user.id, &user.username);
        tx.audit(entry.diff(diff)).await?;
        tx.commit().await?;
        Ok(shown)
    }

    fn quiet_hours_shown(&self, own: &str) -> Result<UserQuietHoursScheduleResponse> {
        let raw = match own {
            "" => self.settings().default_quiet_hours_schedule.as_str(),
            own => own,
        };
        let cron = Cron::daily(raw).map_err(|why| Error::field("schedule", why.to_string()))?;
        let next = cron
            .next(Utc::now())
            .ok_or_else(|| Error::field("schedule", "never comes"))?;
        Ok(UserQuietHoursScheduleResponse {
            raw_schedule: raw.to_owned(),
            user_set: !own.is_empty(),
            user_can_set: self.settings().allow_custom_quiet_hours,
            time: next.with_timezone(&cron.zone()).format("%H:%M").to_string(),
            timezone: cron.zone().name().to_owned(),
            next,
        })
    }

    /// What a user chose last for the parameters of a template.
    pub async fn user_autofill(
        &self,
        who: &Subject,
        which: &UserRef,
        template: Uuid,
    ) -> Result<Vec<api_types::UserParameter>> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        Ok(conn.user_autofill(who, user.id, template).await?)
    }
}
