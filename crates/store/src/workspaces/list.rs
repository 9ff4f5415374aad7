//! Lists of workspaces: filtered, counted and cut in the database, in one round trip.

use std::fmt::Write as _;

use authz::{Action, Columns, ResourceType, Subject, filter};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::read::{self, JOINS, WorkspaceRow};
use crate::StoreError;
use crate::cols::Cols;
use crate::conn::{Conn, SqlParam, filter_params};
use crate::workspace_builds::{BUILD_JOINS, STATUS};

/// Most workspaces that one answer holds.
pub const MAX_WORKSPACES: i64 = 10_000;

/// Which workspaces to list. Names are compared without regard to case.
#[derive(Debug, Clone, Default)]
pub struct WorkspaceFilter {
    /// Only these.
    pub ids: Vec<Uuid>,
    /// Only of this owner.
    pub owner_id: Option<Uuid>,
    /// Only of owners of this username.
    pub owner: Option<String>,
    /// Only of templates of this name.
    pub template: Option<String>,
    /// Only of these templates.
    pub template_ids: Vec<Uuid>,
    /// Only of organizations of this name or id.
    pub organization: Option<String>,
    /// Only those whose name holds this.
    pub name: Option<String>,
    /// Only those of this status.
    pub status: Option<String>,
    /// Only those with an agent of this status.
    pub has_agent: Option<String>,
    /// Only healthy ones, or only others.
    pub healthy: Option<bool>,
    /// Only dormant ones, or only others.
    pub dormant: Option<bool>,
    /// Only those whose version is not the active one, or only others.
    pub outdated: Option<bool>,
    /// Only those with an agent that is started by hand, or only others.
    pub has_external_agent: Option<bool>,
    /// Only those shared with others, or only not shared ones.
    pub shared: Option<bool>,
    /// Only those shared with this user.
    pub shared_with_user: Option<Uuid>,
    /// Only those shared with this group.
    pub shared_with_group: Option<Uuid>,
    /// Only those used before.
    pub last_used_before: Option<DateTime<Utc>>,
    /// Only those used after.
    pub last_used_after: Option<DateTime<Utc>>,
    /// Only those whose latest build has these parameters, and these values if given.
    pub params: Vec<(String, Option<String>)>,
    /// How many; 0 means as many as there are, up to [`MAX_WORKSPACES`].
    pub limit: i64,
    /// How many to skip.
    pub offset: i64,
}

/// A part of a list.
#[derive(Debug)]
pub struct WorkspacePage {
    /// The part.
    pub workspaces: Vec<WorkspaceRow>,
    /// How many there are in all.
    pub count: i64,
}

const COLUMNS: Columns = Columns {
    id: "w.id",
    owner: Some("w.owner_id"),
    organization: Some("w.organization_id"),
    user_acl: Some("w.user_acl"),
    group_acl: Some("w.group_acl"),
};

const DORMANT: Columns = Columns {
    user_acl: None,
    group_acl: None,
    ..COLUMNS
};

/// Status of an agent `a` as the rules tell it.
const AGENT_STATUS: &str = "CASE WHEN a.first_connected_at IS NULL THEN \
        CASE WHEN a.connection_timeout_seconds > 0 AND now() - a.created_at > \
             make_interval(secs => a.connection_timeout_seconds) THEN 'timeout' ELSE 'connecting' END \
    WHEN a.disconnected_at >= a.last_connected_at \
        OR now() - a.last_connected_at > interval '30 seconds' THEN 'disconnected' \
    ELSE 'connected' END";

const AGENTS: &str = "FROM workspace_agents a JOIN workspace_resources r ON r.id = a.resource_id \
    WHERE r.job_id = j.id AND NOT a.deleted AND a.parent_id IS NULL";

/// Conditions with their parameters.
struct Where<'a> {
    sql: String,
    params: Vec<SqlParam<'a>>,
}

impl<'a> Where<'a> {
    /// Adds a condition; `$?` in it becomes the parameter.
    fn and(&mut self, condition: &str, value: SqlParam<'a>) {
        self.params.push(value);
        let placeholder = format!("${}", self.params.len());
        let _ = write!(self.sql, " AND {}", condition.replace("$?", &placeholder));
    }

    fn and_some<T: tokio_postgres::types::ToSql + Sync>(
        &mut self,
        condition: &str,
        value: Option<&'a T>,
    ) {
        if let Some(value) = value {
            self.and(condition, value);
        }
    }
}

impl Conn {
    /// Undeleted workspaces that `who` may read: its own favourites first, then running
    /// ones, then by owner and name.
    pub async fn workspace_list(
        &self,
        who: &Subject,
        by: &WorkspaceFilter,
    ) -> Result<WorkspacePage, StoreError> {
        let awake = filter(who, Action::Read, ResourceType::Workspace);
        let dormant = filter(who, Action::Read, ResourceType::WorkspaceDormant);
        if awake.is_empty() && dormant.is_empty() {
            return Ok(WorkspacePage {
                workspaces: Vec::new(),
                count: 0,
            });
        }
        let me = who.user_id().unwrap_or_default();
        let limit = if by.limit <= 0 {
            MAX_WORKSPACES
        } else {
            by.limit.min(MAX_WORKSPACES)
        };
        let (if_awake, awake_params) = awake.render(&COLUMNS, 4);
        let (if_dormant, dormant_params) = dormant.render(&DORMANT, 4 + awake_params.len());
        let mut cond = Where {
            sql: String::new(),
            params: vec![&me, &limit, &by.offset],
        };
        cond.params.extend(filter_params(&awake_params));
        cond.params.extend(filter_params(&dormant_params));
        let _ = write!(
            cond.sql,
            "NOT w.deleted AND CASE WHEN w.dormant_at IS NULL THEN {if_awake} ELSE {if_dormant} END"
        );
        conditions(&mut cond, by);
        let sql = format!(
            "WITH page AS MATERIALIZED ( \
                 SELECT w.id, count(*) OVER () AS total, \
                        row_number() OVER (ORDER BY (w.owner_id = $1 AND w.favorite) DESC, \
                            ({STATUS} = 'running') DESC, lower(wu.username), lower(w.name)) AS place \
                 FROM workspaces w {JOINS} JOIN provisioner_jobs j ON j.id = b.job_id \
                 WHERE {conditions} ORDER BY place LIMIT $2 OFFSET $3) \
             SELECT page.total, {columns} FROM page JOIN workspaces w ON w.id = page.id \
             {JOINS} {BUILD_JOINS} ORDER BY page.place",
            conditions = cond.sql,
            columns = *read::COLUMNS,
        );
        let rows = self.query(&sql, &cond.params).await?;
        let mut page = WorkspacePage {
            workspaces: Vec::with_capacity(rows.len()),
            count: 0,
        };
        for row in &rows {
            let mut cols = Cols::new(row);
            page.count = cols.next()?;
            page.workspaces.push(read::read(&mut cols)?);
        }
        if rows.is_empty() && by.offset > 0 {
            page.count = self.count(&cond).await?;
        }
        Ok(page)
    }

    /// How many there are when the page lies beyond the end.
    async fn count(&self, cond: &Where<'_>) -> Result<i64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM workspaces w {JOINS} JOIN provisioner_jobs j ON j.id = b.job_id \
             WHERE $1::uuid IS NOT NULL AND $2::bigint IS NOT NULL AND $3::bigint IS NOT NULL \
               AND {}",
            cond.sql
        );
        Ok(self.query_one(&sql, &cond.params).await?.try_get(0)?)
    }
}

fn conditions<'a>(cond: &mut Where<'a>, by: &'a WorkspaceFilter) {
    if !by.ids.is_empty() {
        cond.and("w.id = ANY($?)", &by.ids);
    }
    if !by.template_ids.is_empty() {
        cond.and("w.template_id = ANY($?)", &by.template_ids);
    }
    cond.and_some("w.owner_id = $?", by.owner_id.as_ref());
    cond.and_some("wu.username_lower = lower($?)", by.owner.as_ref());
    cond.and_some("lower(t.name) = lower($?)", by.template.as_ref());
    cond.and_some(
        "(lower(o.name) = lower($?) OR o.id::text = lower($?))",
        by.organization.as_ref(),
    );
    cond.and_some("strpos(lower(w.name), lower($?)) > 0", by.name.as_ref());
    cond.and_some(&format!("{STATUS} = $?"), by.status.as_ref());
    cond.and_some(
        &format!("EXISTS (SELECT 1 {AGENTS} AND {AGENT_STATUS} = $?)"),
        by.has_agent.as_ref(),
    );
    cond.and_some(
        &format!(
            "$? = NOT EXISTS (SELECT 1 {AGENTS} AND ({AGENT_STATUS} <> 'connected' OR \
             a.lifecycle_state IN ('start_error', 'shutting_down', 'shutdown_timeout', \
             'shutdown_error', 'off')))"
        ),
        by.healthy.as_ref(),
    );
    cond.and_some("(w.dormant_at IS NOT NULL) = $?", by.dormant.as_ref());
    cond.and_some(
        "(b.template_version_id <> t.active_version_id) = $?",
        by.outdated.as_ref(),
    );
    cond.and_some(
        "coalesce(b.has_external_agent, false) = $?",
        by.has_external_agent.as_ref(),
    );
    cond.and_some(
        "(w.user_acl <> '{}' OR w.group_acl <> '{}') = $?",
        by.shared.as_ref(),
    );
    cond.and_some(
        "w.user_acl ? ($?::uuid)::text",
        by.shared_with_user.as_ref(),
    );
    cond.and_some(
        "w.group_acl ? ($?::uuid)::text",
        by.shared_with_group.as_ref(),
    );
    cond.and_some("w.last_used_at <= $?", by.last_used_before.as_ref());
    cond.and_some("w.last_used_at >= $?", by.last_used_after.as_ref());
    for (name, value) in &by.params {
        cond.and(
            "EXISTS (SELECT 1 FROM workspace_build_parameters p \
             WHERE p.workspace_build_id = b.id AND lower(p.name) = lower($?)",
            name,
        );
        if value.is_some() {
            cond.and_some("lower(p.value) = lower($?)", value.as_ref());
        }
        cond.sql.push(')');
    }
}
