//! Use of many workspaces, written down at once: when each was last used, and until when that
//! lets it run.
//!
//! Rows that somebody else holds are passed over and named, so that a batch never waits while it
//! holds rows itself: it can neither delay a build nor be one end of a deadlock.

use authz::{Action, Object, ResourceType, Subject, authorize};
use uuid::Uuid;

use super::WORKSPACE_CHANGED;
use crate::row::record;
use crate::{Result, Time, Tx};

record! {
    /// What decides how far use moves a deadline.
    pub struct BumpFacts {
        /// The workspace.
        pub workspace_id: Uuid,
        /// Its latest build, which has started it.
        pub build_id: Uuid,
        /// Whether the build is ours to change until the end of the transaction. If not, somebody
        /// else is changing it: ask again.
        pub held: bool,
        /// When it stops.
        pub deadline: Time,
        /// The deadline never gets beyond.
        pub max_deadline: Option<Time>,
        /// How long use lets it run.
        pub activity_bump_ms: i64,
        /// How long a start lets it run.
        pub ttl_ms: i64,
        /// When it starts by itself.
        pub autostart_schedule: Option<String>,
        /// Days on which that is not allowed.
        pub autostart_block_days: i16,
    }
}

/// Activity is written by those who may update any workspace.
fn may_note(who: &Subject) -> Result<()> {
    let any = Object::new(ResourceType::Workspace);
    Ok(authorize(who, Action::Update, &any)?)
}

impl Tx {
    /// Notes when workspaces were last used. Gives those back that could not be written now.
    pub async fn workspaces_used(&self, who: &Subject, uses: &[(Uuid, Time)]) -> Result<Vec<Uuid>> {
        may_note(who)?;
        let (ids, times): (Vec<Uuid>, Vec<Time>) = uses.iter().copied().unzip();
        let sql = "WITH want AS (SELECT * FROM unnest($1::uuid[], $2::timestamptz[]) AS x (id, at)), \
             free AS (SELECT w.id, want.at FROM workspaces w JOIN want ON want.id = w.id \
                 FOR NO KEY UPDATE OF w SKIP LOCKED), \
             done AS (UPDATE workspaces w SET last_used_at = greatest(w.last_used_at, free.at) \
                 FROM free WHERE w.id = free.id RETURNING w.id) \
             SELECT w.id FROM workspaces w JOIN want ON want.id = w.id \
             WHERE NOT EXISTS (SELECT 1 FROM done WHERE done.id = w.id)";
        let rows = self.query(sql, &[&ids, &times]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// What the deadlines of workspaces depend on: those that run, have a deadline, and belong to
    /// a template that lets use move it.
    pub async fn workspaces_bump_facts(
        &self,
        who: &Subject,
        workspaces: &[Uuid],
    ) -> Result<Vec<BumpFacts>> {
        may_note(who)?;
        // Deadlines of builds that we hold are read from the rows as they are held.
        let sql = "WITH facts AS (SELECT w.id AS workspace_id, b.id AS build_id, b.deadline, \
                 b.max_deadline, t.activity_bump_ms, w.autostart_schedule, \
                 coalesce(CASE WHEN t.allow_user_autostop THEN w.ttl_ms ELSE t.default_ttl_ms END, \
                     0) AS ttl_ms, t.autostart_block_days \
                 FROM workspaces w JOIN templates t ON t.id = w.template_id \
                 JOIN workspace_builds b ON b.workspace_id = w.id \
                     AND b.build_number = w.latest_build_number \
                 JOIN provisioner_jobs j ON j.id = b.job_id \
                 WHERE w.id = ANY($1) AND NOT w.deleted AND b.transition = 'start' \
                     AND j.job_status = 'succeeded' AND b.deadline IS NOT NULL \
                     AND t.activity_bump_ms > 0), \
             held AS (SELECT b.id, b.deadline, b.max_deadline FROM workspace_builds b \
                 WHERE b.id IN (SELECT build_id FROM facts) \
                 FOR NO KEY UPDATE SKIP LOCKED) \
             SELECT f.workspace_id, f.build_id, h.id IS NOT NULL AS held, \
                 coalesce(h.deadline, f.deadline) AS deadline, \
                 CASE WHEN h.id IS NULL THEN f.max_deadline ELSE h.max_deadline END AS max_deadline, \
                 f.activity_bump_ms, f.ttl_ms, f.autostart_schedule, f.autostart_block_days \
             FROM facts f LEFT JOIN held h ON h.id = f.build_id";
        self.fetch(sql, &[&workspaces]).await
    }

    /// Moves the deadlines of builds that are held, and says so to who watches their workspaces.
    pub async fn workspaces_bump(
        &self,
        who: &Subject,
        deadlines: &[(&BumpFacts, Time)],
    ) -> Result<()> {
        may_note(who)?;
        let builds: Vec<Uuid> = deadlines.iter().map(|(f, _)| f.build_id).collect();
        let workspaces: Vec<Uuid> = deadlines.iter().map(|(f, _)| f.workspace_id).collect();
        let times: Vec<Time> = deadlines.iter().map(|(_, at)| *at).collect();
        let sql = "UPDATE workspace_builds b SET deadline = n.deadline, updated_at = now() \
             FROM unnest($1::uuid[], $2::timestamptz[]) AS n (id, deadline) WHERE b.id = n.id";
        self.execute(sql, &[&builds, &times]).await?;
        let sql = "SELECT pg_notify($1, id::text)::text FROM unnest($2::uuid[]) AS n (id)";
        self.query(sql, &[&WORKSPACE_CHANGED, &workspaces]).await?;
        Ok(())
    }
}
