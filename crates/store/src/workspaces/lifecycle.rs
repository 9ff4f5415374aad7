//! Which workspaces are to be started, stopped, put to rest or deleted by themselves.

use authz::{Action, Object, ResourceType, Subject, authorize};
use uuid::Uuid;

use crate::conn::Conn;
use crate::row::record;
use crate::{StoreError, Time};

/// Most workspaces that are read at once.
pub const DUE_PAGE: usize = 500;

record! {
    /// What decides about a workspace's next step.
    pub struct LifecycleFacts {
        /// The workspace.
        pub id: Uuid,
        /// Status of its owner.
        pub owner_status: String,
        /// What its latest build was for.
        pub transition: String,
        /// When that build was asked for.
        pub built_at: Time,
        /// How that build's job stands.
        pub job_status: String,
        /// When that job ended.
        pub ended_at: Option<Time>,
        /// When it must stop.
        pub deadline: Option<Time>,
        /// When it starts by itself.
        pub autostart_schedule: Option<String>,
        /// When it was last used.
        pub last_used_at: Time,
        /// Since when it is dormant.
        pub dormant_at: Option<Time>,
        /// When it is to be deleted.
        pub deleting_at: Option<Time>,
        /// Whether owners may have their workspaces start by themselves.
        pub allow_user_autostart: bool,
        /// Days on which that is not allowed.
        pub autostart_block_days: i16,
        /// How long a failed build is left alone; 0 for ever.
        pub failure_ttl_ms: i64,
        /// How long a workspace may lie unused; 0 for ever.
        pub time_til_dormant_ms: i64,
        /// How long a dormant one is kept; 0 for ever.
        pub time_til_dormant_autodelete_ms: i64,
    }
}

/// Chooses workspaces for which something may be due at `$1`. As narrow as the rules: what is
/// never taken up but always chosen would be looked at for ever.
macro_rules! due_select {
    () => {
        "SELECT w.id, u.status AS owner_status, b.transition, b.created_at AS built_at, \
             j.job_status, j.completed_at AS ended_at, b.deadline, \
             w.autostart_schedule, w.last_used_at, w.dormant_at, w.deleting_at, \
             t.allow_user_autostart, t.autostart_block_days, t.failure_ttl_ms, \
             t.time_til_dormant_ms, t.time_til_dormant_autodelete_ms \
         FROM workspaces w \
         JOIN users u ON u.id = w.owner_id \
         JOIN templates t ON t.id = w.template_id \
         JOIN workspace_builds b ON b.workspace_id = w.id \
              AND b.build_number = w.latest_build_number \
         JOIN provisioner_jobs j ON j.id = b.job_id \
         WHERE NOT w.deleted AND j.completed_at IS NOT NULL AND ( \
             w.dormant_at IS NULL AND ( \
                 b.transition = 'start' AND j.job_status <> 'failed' \
                     AND (b.deadline <= $1 OR u.status = 'suspended') \
                 OR b.transition = 'stop' AND j.job_status <> 'failed' \
                     AND w.autostart_schedule IS NOT NULL \
                     AND t.allow_user_autostart AND u.status = 'active' \
                     AND (w.next_start_at IS NULL OR w.next_start_at <= $1) \
                 OR b.transition <> 'delete' AND j.job_status = 'failed' AND t.failure_ttl_ms > 0 \
                     AND j.completed_at <= $1 - t.failure_ttl_ms * interval '1 millisecond' \
                 OR t.time_til_dormant_ms > 0 \
                     AND w.last_used_at <= $1 - t.time_til_dormant_ms * interval '1 millisecond') \
             OR w.dormant_at IS NOT NULL AND w.deleting_at <= $1)"
    };
}

impl Conn {
    /// Workspaces for which something may be due at this time, by id; those behind `after`,
    /// [`DUE_PAGE`] at most. The rules look more closely.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`] for others than the system.
    pub async fn workspaces_due(
        &self,
        who: &Subject,
        now: Time,
        after: Option<Uuid>,
    ) -> Result<Vec<LifecycleFacts>, StoreError> {
        authorize(who, Action::Read, &Object::new(ResourceType::System))?;
        let sql = concat!(
            due_select!(),
            " AND ($2::uuid IS NULL OR w.id > $2) ORDER BY w.id LIMIT $3"
        );
        self.fetch(sql, &[&now, &after, &(DUE_PAGE as i64)]).await
    }

    /// One of them, if something may still be due for it.
    ///
    /// # Errors
    /// As for [`Conn::workspaces_due`].
    pub async fn workspace_due(
        &self,
        who: &Subject,
        now: Time,
        id: Uuid,
    ) -> Result<Option<LifecycleFacts>, StoreError> {
        authorize(who, Action::Read, &Object::new(ResourceType::System))?;
        let sql = concat!(due_select!(), " AND w.id = $2");
        self.fetch_opt(sql, &[&now, &id]).await
    }
}
