//! The log of who came to which app: one entry for all requests of an hour that look alike.

use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use super::{AppVisit, proxy};
use crate::{Control, Result};

/// Requests that look alike make one entry in this time.
const SAME_VISIT: Duration = Duration::from_hours(1);
/// Visits remembered at most; beyond, one may be logged twice.
const MAX_REMEMBERED: u64 = 100_000;

/// Visits that are in the log already.
pub(crate) struct RecentVisits(moka::sync::Cache<u64, ()>);

impl Default for RecentVisits {
    fn default() -> Self {
        RecentVisits(
            moka::sync::Cache::builder()
                .max_capacity(MAX_REMEMBERED)
                .time_to_live(SAME_VISIT)
                .build(),
        )
    }
}

impl RecentVisits {
    /// Whether it is the first of its kind for a while.
    fn is_new(&self, visit: &AppVisit) -> bool {
        let mut hasher = std::hash::DefaultHasher::new();
        (visit.workspace_id, &visit.agent_name, visit.kind, &visit.ip).hash(&mut hasher);
        (
            &visit.user_agent,
            visit.user_id,
            &visit.slug_or_port,
            visit.status,
        )
            .hash(&mut hasher);
        self.0.entry(hasher.finish()).or_insert(()).is_fresh()
    }
}

impl Control {
    /// Notes a visit, unless one like it was noted within the hour.
    pub async fn app_visit_note(&self, visit: &AppVisit) -> Result<()> {
        if !self.visits().is_new(visit) {
            return Ok(());
        }
        let conn = self.store().conn().await?;
        Ok(conn.app_visit_insert(&proxy(), visit).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_that_look_alike_are_one() {
        let recent = RecentVisits::default();
        let visit = AppVisit {
            at: chrono::Utc::now(),
            workspace_id: uuid::Uuid::nil(),
            agent_name: "main".to_owned(),
            kind: "workspace_app",
            ip: "10.0.0.1".to_owned(),
            user_agent: "browser".to_owned(),
            user_id: None,
            slug_or_port: "code".to_owned(),
            status: 200,
        };
        assert!(recent.is_new(&visit));
        let later = AppVisit {
            at: chrono::Utc::now(),
            ..visit.clone()
        };
        assert!(!recent.is_new(&later));
        assert!(recent.is_new(&AppVisit {
            status: 404,
            ..visit
        }));
    }
}
