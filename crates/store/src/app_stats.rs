//! Sessions with apps: how long, how many requests; and the log of who came.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::{Result, Time};

/// A session with an app.
#[derive(Debug, Clone, PartialEq)]
pub struct AppSession {
    /// Names the session; a later report of it replaces the earlier.
    pub id: Uuid,
    /// Who used the app; the workspace's owner if that is not known.
    pub user_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// The agent.
    pub agent_id: Uuid,
    /// `path`, `subdomain` or `terminal`.
    pub access_method: String,
    /// Which app, or which port.
    pub slug_or_port: String,
    /// When it began.
    pub started_at: Time,
    /// When it ended, or until when it is known to last.
    pub ended_at: Time,
    /// Requests within it.
    pub requests: i32,
}

/// Somebody came to an app.
#[derive(Debug, Clone)]
pub struct AppVisit {
    /// When.
    pub at: Time,
    /// The workspace.
    pub workspace_id: Uuid,
    /// Name of the agent.
    pub agent_name: String,
    /// `workspace_app` or `port_forwarding`.
    pub kind: &'static str,
    /// From where; empty if unknown.
    pub ip: String,
    /// The browser, as it calls itself.
    pub user_agent: String,
    /// Who; none if not signed in.
    pub user_id: Option<Uuid>,
    /// Which app, or which port.
    pub slug_or_port: String,
    /// How the request was answered.
    pub status: i32,
}

impl Conn {
    /// Writes sessions down.
    pub async fn app_sessions_upsert(&self, who: &Subject, sessions: &[AppSession]) -> Result<()> {
        authz::authorize(who, Action::Update, &Object::new(ResourceType::Workspace))?;
        fn column<T>(sessions: &[AppSession], of: impl Fn(&AppSession) -> T) -> Vec<T> {
            sessions.iter().map(of).collect()
        }
        let sql = "INSERT INTO workspace_app_stats (session_id, user_id, workspace_id, agent_id, \
                 access_method, slug_or_port, session_started_at, session_ended_at, requests) \
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], \
                 $6::text[], $7::timestamptz[], $8::timestamptz[], $9::int[]) \
             ON CONFLICT (user_id, agent_id, session_id) DO UPDATE SET \
                 session_ended_at = EXCLUDED.session_ended_at, requests = EXCLUDED.requests";
        self.execute(
            sql,
            &[
                &column(sessions, |s| s.id),
                &column(sessions, |s| s.user_id),
                &column(sessions, |s| s.workspace_id),
                &column(sessions, |s| s.agent_id),
                &column(sessions, |s| s.access_method.clone()),
                &column(sessions, |s| s.slug_or_port.clone()),
                &column(sessions, |s| s.started_at),
                &column(sessions, |s| s.ended_at),
                &column(sessions, |s| s.requests),
            ],
        )
        .await?;
        Ok(())
    }

    /// Deletes sessions that ended before `before`; how many.
    pub async fn app_sessions_purge(&self, who: &Subject, before: Time) -> Result<u64> {
        authz::authorize(who, Action::Delete, &Object::new(ResourceType::System))?;
        let sql = "DELETE FROM workspace_app_stats WHERE session_ended_at < $1";
        self.execute(sql, &[&before]).await
    }

    /// Adds a visit to the log of connections.
    pub async fn app_visit_insert(&self, who: &Subject, visit: &AppVisit) -> Result<()> {
        authz::authorize(
            who,
            Action::Update,
            &Object::new(ResourceType::ConnectionLog),
        )?;
        let sql = "INSERT INTO connection_logs (id, connect_time, organization_id, \
                 workspace_owner_id, workspace_id, workspace_name, agent_name, type, ip, code, \
                 user_agent, user_id, slug_or_port) \
             SELECT gen_random_uuid(), $1, w.organization_id, w.owner_id, w.id, w.name, $3, $4, \
                 nullif($5, ''), $6, $7, $8, $9 FROM workspaces w WHERE w.id = $2";
        self.execute(
            sql,
            &[
                &visit.at,
                &visit.workspace_id,
                &visit.agent_name,
                &visit.kind,
                &visit.ip,
                &visit.status,
                &visit.user_agent,
                &visit.user_id,
                &visit.slug_or_port,
            ],
        )
        .await?;
        Ok(())
    }
}
