//! Sessions with apps as they happen, written down every half minute. Short ones with the same app
//! that follow each other within a minute are one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use control::Control;
use control::apps::{AccessMethod, AppSession};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::token::Grant;

/// Time between reports.
const REPORT: Duration = Duration::from_secs(30);
/// Requests that follow each other so closely are one session.
const SAME_SESSION: TimeDelta = TimeDelta::minutes(1);
/// Sessions at once; those beyond are not counted.
const MAX_SESSIONS: usize = 20_000;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    user: Uuid,
    workspace: Uuid,
    agent: Uuid,
    method: AccessMethod,
    app: String,
}

struct Active {
    id: Uuid,
    started_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    requests: i32,
    /// Requests under way.
    open: u32,
    /// Something happened since the last report.
    news: bool,
}

/// All sessions. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<Key, Active>>>);

/// A request under way; dropping it ends it.
pub(crate) struct Use {
    sessions: Sessions,
    key: Key,
}

impl Drop for Use {
    fn drop(&mut self) {
        self.sessions.end(&self.key, Utc::now());
    }
}

impl Sessions {
    /// A request begins.
    pub(super) fn begin(&self, grant: &Grant, now: DateTime<Utc>) -> Use {
        let key = Key {
            user: grant.viewer_id.unwrap_or(grant.user_id),
            workspace: grant.workspace_id,
            agent: grant.agent_id,
            method: grant.request.access_method,
            app: grant.request.label().to_owned(),
        };
        let mut sessions = self.0.lock();
        if sessions.len() < MAX_SESSIONS || sessions.contains_key(&key) {
            let active = sessions.entry(key.clone()).or_insert_with(|| Active {
                id: Uuid::new_v4(),
                started_at: now,
                last_at: now,
                requests: 0,
                open: 0,
                news: true,
            });
            active.requests = active.requests.saturating_add(1);
            active.open += 1;
            active.last_at = now;
            active.news = true;
        }
        drop(sessions);
        Use {
            sessions: self.clone(),
            key,
        }
    }

    fn end(&self, key: &Key, now: DateTime<Utc>) {
        if let Some(active) = self.0.lock().get_mut(key) {
            active.open = active.open.saturating_sub(1);
            active.last_at = active.last_at.max(now);
            active.news = true;
        }
    }

    /// What is to be written down at `now`. Sessions that are over are forgotten.
    fn report(&self, now: DateTime<Utc>) -> Vec<AppSession> {
        let mut news = Vec::new();
        self.0.lock().retain(|key, active| {
            if active.open > 0 {
                active.last_at = now;
                active.news = true;
            }
            if std::mem::take(&mut active.news) {
                news.push(AppSession {
                    id: active.id,
                    user_id: key.user,
                    workspace_id: key.workspace,
                    agent_id: key.agent,
                    access_method: key.method.as_str().to_owned(),
                    slug_or_port: key.app.clone(),
                    started_at: active.started_at,
                    ended_at: active.last_at,
                    requests: active.requests,
                });
            }
            active.open > 0 || now - active.last_at < SAME_SESSION
        });
        news
    }

    /// Writes down what happens until `cancel`, and once more then.
    pub(super) async fn run(&self, control: &Control, cancel: CancellationToken) {
        loop {
            let over = tokio::select! {
                () = cancel.cancelled() => true,
                () = tokio::time::sleep(REPORT) => false,
            };
            let news = self.report(Utc::now());
            if !news.is_empty()
                && let Err(error) = control.app_sessions_note(&news).await
            {
                tracing::warn!(%error, "sessions with apps were not noted");
            }
            if over {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::apps::{AppRequest, AppTarget};

    fn grant(app: &str) -> Grant {
        let target = AppTarget {
            owner_id: Uuid::from_u128(1),
            workspace_id: Uuid::from_u128(2),
            agent_id: Uuid::from_u128(3),
            agent_name: "main".to_owned(),
            app_url: String::new(),
            cors_behavior: "simple".into(),
            is_port: false,
            condition: control::apps::AppCondition {
                name: String::new(),
                health: "healthy".into(),
                lifecycle: "ready".into(),
            },
        };
        let request = AppRequest {
            app_slug_or_port: app.to_owned(),
            ..AppRequest::default()
        };
        Grant::new(request, &target, None, Utc::now())
    }

    #[test]
    fn requests_close_together_are_one_session() {
        let sessions = Sessions::default();
        let start = Utc::now();
        let at = |seconds| start + TimeDelta::seconds(seconds);
        for second in 0..10 {
            let one = sessions.begin(&grant("code"), at(second));
            sessions.end(&one.key, at(second));
            std::mem::forget(one);
        }
        let long = sessions.begin(&grant("shell"), at(0));
        let first = sessions.report(at(30));
        assert_eq!(first.len(), 2);
        let code = first.iter().find(|s| s.slug_or_port == "code").unwrap();
        assert_eq!((code.requests, code.ended_at), (10, at(9)));
        // The open one goes on, the other has no news and is forgotten in time.
        let second = sessions.report(at(100));
        assert_eq!(second.len(), 1);
        assert_eq!(second[0].ended_at, at(100));
        assert_eq!(sessions.0.lock().len(), 1);
        drop(long);
        assert_eq!(sessions.report(Utc::now()).len(), 1);
    }
}
