//! Templates: what workspaces are made from, and who may use them.

use api_types::{Template, TransitionStats};
use authz::{AccessList, Action, Columns, Object, ResourceType, Subject, authorize, filter};
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::{StoreError, Tx};

/// Most templates that one list answers.
const MAX_TEMPLATES: i64 = 10_000;

/// Builds of a template that its build time statistics look back at.
const STATS_BUILDS: i64 = 100;

/// A template as stored: the API's shape, and what rights and schedules depend on.
#[derive(Debug, Clone)]
pub struct TemplateRow {
    /// The API's shape; the requirement days are filled from the bits below by the rules.
    pub api: Template,
    /// Days on which workspaces must stop, bit 0 is Monday.
    pub autostop_days: i16,
    /// Days on which autostart is not allowed.
    pub autostart_block_days: i16,
    /// Access by user.
    pub user_acl: AccessList,
    /// Access by group.
    pub group_acl: AccessList,
}

impl TemplateRow {
    /// The template as the decision sees it.
    pub fn object(&self) -> Object {
        object(
            self.api.id,
            self.api.organization_id,
            self.user_acl.clone(),
            self.group_acl.clone(),
        )
    }
}

/// A template as the decision sees it.
pub fn object(id: Uuid, organization: Uuid, users: AccessList, groups: AccessList) -> Object {
    Object::new(ResourceType::Template)
        .id(id)
        .org(organization)
        .acl(users, groups)
}

/// Which templates to list.
#[derive(Debug, Clone, Default)]
pub struct TemplateFilter {
    /// Only of this organization.
    pub organization_id: Option<Uuid>,
    /// Only of the organization of this name.
    pub organization: Option<String>,
    /// Part of the name.
    pub name: Option<String>,
    /// The whole name.
    pub exact_name: Option<String>,
    /// Part of the display name, or of the name where there is none.
    pub display_name: Option<String>,
    /// The whole display name.
    pub exact_display_name: Option<String>,
    /// Only these.
    pub ids: Vec<Uuid>,
    /// Deleted ones instead of the others.
    pub deleted: bool,
    /// Only deprecated ones, or only others.
    pub deprecated: Option<bool>,
    /// Only those whose active version has an external agent, or only others.
    pub has_external_agent: Option<bool>,
    /// Only those that agents may use, or only others.
    pub agents_allowed: Option<bool>,
    /// Only by this creator.
    pub author_id: Option<Uuid>,
    /// Only by the creator of this username.
    pub author: Option<String>,
}

macro_rules! template_columns {
    () => {
        "t.id, t.created_at, t.updated_at, t.organization_id, o.name, o.display_name, o.icon, \
         t.name, t.display_name, t.provisioner, t.active_version_id, \
         (SELECT count(DISTINCT w.owner_id) FROM workspaces w WHERE w.template_id = t.id \
            AND NOT w.deleted AND w.last_used_at > now() - interval '30 days'), \
         t.description, t.deprecated, t.deleted, t.icon, t.default_ttl_ms, t.activity_bump_ms, \
         t.time_til_autostop_notify_ms, t.autostop_requirement_weeks, t.created_by, u.username, \
         t.allow_user_autostart, t.allow_user_autostop, t.allow_user_cancel_workspace_jobs, \
         t.failure_ttl_ms, t.time_til_dormant_ms, t.time_til_dormant_autodelete_ms, \
         t.require_active_version, t.max_port_share_level, t.cors_behavior, \
         t.use_classic_parameter_flow, t.agents_allowed, t.disable_module_cache, \
         t.autostop_requirement_days, t.autostart_block_days, t.user_acl, t.group_acl \
         FROM templates t JOIN organizations o ON o.id = t.organization_id \
         JOIN users u ON u.id = t.created_by "
    };
}

fn read(row: &tokio_postgres::Row) -> Result<TemplateRow, StoreError> {
    let mut cols = Cols::new(row);
    let mut api = Template {
        id: cols.next()?,
        created_at: cols.next()?,
        updated_at: cols.next()?,
        organization_id: cols.next()?,
        organization_name: cols.next()?,
        organization_display_name: cols.next()?,
        organization_icon: cols.next()?,
        name: cols.next()?,
        display_name: cols.next()?,
        provisioner: cols.text()?,
        active_version_id: cols.next()?,
        active_user_count: cols.next()?,
        description: cols.next()?,
        deprecation_message: cols.next()?,
        deleted: cols.next()?,
        icon: cols.next()?,
        default_ttl_ms: cols.next()?,
        activity_bump_ms: cols.next()?,
        time_til_autostop_notify_ms: cols.next()?,
        ..Template::default()
    };
    api.autostop_requirement.weeks = cols.next()?;
    api.created_by_id = cols.next()?;
    api.created_by_name = cols.next()?;
    api.allow_user_autostart = cols.next()?;
    api.allow_user_autostop = cols.next()?;
    api.allow_user_cancel_workspace_jobs = cols.next()?;
    api.failure_ttl_ms = cols.next()?;
    api.time_til_dormant_ms = cols.next()?;
    api.time_til_dormant_autodelete_ms = cols.next()?;
    api.require_active_version = cols.next()?;
    api.max_port_share_level = cols.text()?;
    api.cors_behavior = cols.text()?;
    api.use_classic_parameter_flow = cols.next()?;
    api.agents_allowed = cols.next()?;
    api.disable_module_cache = cols.next()?;
    api.deprecated = !api.deprecation_message.is_empty();
    Ok(TemplateRow {
        api,
        autostop_days: cols.next()?,
        autostart_block_days: cols.next()?,
        user_acl: cols.next::<Json<_>>()?.0,
        group_acl: cols.next::<Json<_>>()?.0,
    })
}

fn readable(who: &Subject, row: TemplateRow) -> Result<TemplateRow, StoreError> {
    authorize(who, Action::Read, &row.object()).map_err(|_| StoreError::NotFound)?;
    Ok(row)
}

impl Conn {
    /// A template, deleted ones included.
    pub async fn template_read(&self, who: &Subject, id: Uuid) -> Result<TemplateRow, StoreError> {
        let row = self
            .query_opt(
                concat!("SELECT ", template_columns!(), "WHERE t.id = $1"),
                &[&id],
            )
            .await?
            .ok_or(StoreError::NotFound)?;
        readable(who, read(&row)?)
    }

    /// A template of an organization by its name.
    pub async fn template_read_by_name(
        &self,
        who: &Subject,
        organization: Uuid,
        name: &str,
    ) -> Result<TemplateRow, StoreError> {
        let row = self
            .query_opt(
                concat!(
                    "SELECT ",
                    template_columns!(),
                    "WHERE t.organization_id = $1 AND lower(t.name) = lower($2) AND NOT t.deleted"
                ),
                &[&organization, &name],
            )
            .await?
            .ok_or(StoreError::NotFound)?;
        readable(who, read(&row)?)
    }

    /// Templates that `who` may read, by name.
    pub async fn template_list(
        &self,
        who: &Subject,
        by: &TemplateFilter,
    ) -> Result<Vec<TemplateRow>, StoreError> {
        let allowed = filter(who, Action::Read, ResourceType::Template);
        if allowed.is_empty() {
            return Ok(Vec::new());
        }
        const COLUMNS: Columns = Columns {
            id: "t.id",
            owner: None,
            organization: Some("t.organization_id"),
            user_acl: Some("t.user_acl"),
            group_acl: Some("t.group_acl"),
        };
        let (condition, params) = allowed.render(&COLUMNS, 15);
        let sql = format!(
            concat!(
                "SELECT ",
                template_columns!(),
                "LEFT JOIN template_versions av ON av.id = t.active_version_id
                 WHERE t.deleted = $1
                   AND ($2::uuid IS NULL OR t.organization_id = $2)
                   AND ($3::text IS NULL OR lower(o.name) = lower($3))
                   AND ($4::text IS NULL OR strpos(lower(t.name), lower($4)) > 0)
                   AND ($5::text IS NULL OR lower(t.name) = lower($5))
                   AND ($6::text IS NULL OR strpos(lower(CASE WHEN t.display_name <> ''
                        THEN t.display_name ELSE t.name END),
                        CASE WHEN t.display_name <> '' THEN lower($6)
                        ELSE replace(lower($6), ' ', '') END) > 0)
                   AND ($7::text IS NULL OR lower(t.display_name) = lower($7))
                   AND (cardinality($8::uuid[]) = 0 OR t.id = ANY($8))
                   AND ($9::bool IS NULL OR (t.deprecated <> '') = $9)
                   AND ($10::bool IS NULL OR coalesce(av.has_external_agent, false) = $10)
                   AND ($11::bool IS NULL OR t.agents_allowed = $11)
                   AND ($12::uuid IS NULL OR t.created_by = $12)
                   AND ($13::text IS NULL OR lower(u.username) = lower($13))
                   AND {}
                 ORDER BY lower(t.name), t.id LIMIT $14"
            ),
            condition
        );
        let mut args: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![
            &by.deleted,
            &by.organization_id,
            &by.organization,
            &by.name,
            &by.exact_name,
            &by.display_name,
            &by.exact_display_name,
            &by.ids,
            &by.deprecated,
            &by.has_external_agent,
            &by.agents_allowed,
            &by.author_id,
            &by.author,
            &MAX_TEMPLATES,
        ];
        args.extend(crate::conn::filter_params(&params));
        self.query(&sql, &args).await?.iter().map(read).collect()
    }

    /// How long the latest builds of each template took, by transition, in milliseconds:
    /// median and 95th percentile. The templates come from a list that `who` may read.
    pub async fn template_build_times(
        &self,
        ids: &[Uuid],
    ) -> Result<Vec<(Uuid, String, TransitionStats)>, StoreError> {
        let rows = self
            .query(
                "SELECT t.id, b.transition,
                        percentile_cont(0.5) WITHIN GROUP (ORDER BY b.ms)::bigint,
                        percentile_cont(0.95) WITHIN GROUP (ORDER BY b.ms)::bigint
                 FROM unnest($1::uuid[]) t (id), LATERAL (
                     SELECT wb.transition,
                            extract(epoch FROM j.completed_at - j.started_at) * 1000 AS ms
                     FROM template_versions tv
                     JOIN workspace_builds wb ON wb.template_version_id = tv.id
                     JOIN provisioner_jobs j ON j.id = wb.job_id AND j.job_status = 'succeeded'
                     WHERE tv.template_id = t.id ORDER BY j.completed_at DESC LIMIT $2) b
                 GROUP BY t.id, b.transition",
                &[&ids, &STATS_BUILDS],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let stats = TransitionStats {
                    p50: row.try_get(2)?,
                    p95: row.try_get(3)?,
                };
                Ok((row.try_get(0)?, row.try_get(1)?, stats))
            })
            .collect()
    }

    /// How widely ports of a template's workspaces may be shared.
    pub async fn template_max_port_share_level(&self, id: Uuid) -> Result<String, StoreError> {
        let sql = "SELECT max_port_share_level FROM templates WHERE id = $1";
        Ok(self.query_one(sql, &[&id]).await?.try_get(0)?)
    }

    /// How many undeleted workspaces a template has.
    pub async fn template_workspace_count(&self, id: Uuid) -> Result<i64, StoreError> {
        let row = self
            .query_one(
                "SELECT count(*) FROM workspaces WHERE template_id = $1 AND NOT deleted",
                &[&id],
            )
            .await?;
        Ok(row.try_get(0)?)
    }
}

impl Tx {
    /// Adds a template. Its version must have been locked and attached by the caller.
    pub async fn template_insert(
        &self,
        who: &Subject,
        row: &TemplateRow,
    ) -> Result<(), StoreError> {
        let t = &row.api;
        let any = Object::new(ResourceType::Template).org(t.organization_id);
        authorize(who, Action::Create, &any)?;
        self.execute(
            "INSERT INTO templates (id, created_at, updated_at, organization_id, name, display_name,
                 description, icon, provisioner, active_version_id, created_by, default_ttl_ms,
                 activity_bump_ms, time_til_autostop_notify_ms, failure_ttl_ms, time_til_dormant_ms,
                 time_til_dormant_autodelete_ms, autostop_requirement_days,
                 autostop_requirement_weeks, autostart_block_days, allow_user_cancel_workspace_jobs,
                 allow_user_autostart, allow_user_autostop, require_active_version,
                 max_port_share_level, cors_behavior, use_classic_parameter_flow, agents_allowed,
                 user_acl, group_acl)
             VALUES ($1, now(), now(), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                     $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)",
            &[
                &t.id,
                &t.organization_id,
                &t.name,
                &t.display_name,
                &t.description,
                &t.icon,
                &t.provisioner.as_str(),
                &t.active_version_id,
                &t.created_by_id,
                &t.default_ttl_ms,
                &t.activity_bump_ms,
                &t.time_til_autostop_notify_ms,
                &t.failure_ttl_ms,
                &t.time_til_dormant_ms,
                &t.time_til_dormant_autodelete_ms,
                &row.autostop_days,
                &t.autostop_requirement.weeks,
                &row.autostart_block_days,
                &t.allow_user_cancel_workspace_jobs,
                &t.allow_user_autostart,
                &t.allow_user_autostop,
                &t.require_active_version,
                &t.max_port_share_level.as_str(),
                &t.cors_behavior.as_str(),
                &t.use_classic_parameter_flow,
                &t.agents_allowed,
                &Json(&row.user_acl),
                &Json(&row.group_acl),
            ],
        )
        .await?;
        Ok(())
    }

    /// Writes everything about a template that can be edited.
    pub async fn template_update(
        &self,
        who: &Subject,
        row: &TemplateRow,
    ) -> Result<(), StoreError> {
        authorize(who, Action::Update, &row.object())?;
        let t = &row.api;
        self.execute(
            "UPDATE templates SET updated_at = now(), name = $2, display_name = $3,
                 description = $4, icon = $5, default_ttl_ms = $6, activity_bump_ms = $7,
                 time_til_autostop_notify_ms = $8, failure_ttl_ms = $9, time_til_dormant_ms = $10,
                 time_til_dormant_autodelete_ms = $11, autostop_requirement_days = $12,
                 autostop_requirement_weeks = $13, autostart_block_days = $14,
                 allow_user_cancel_workspace_jobs = $15, allow_user_autostart = $16,
                 allow_user_autostop = $17, require_active_version = $18, deprecated = $19,
                 max_port_share_level = $20, cors_behavior = $21, use_classic_parameter_flow = $22,
                 agents_allowed = $23, disable_module_cache = $24, user_acl = $25, group_acl = $26
             WHERE id = $1 AND NOT deleted",
            &[
                &t.id,
                &t.name,
                &t.display_name,
                &t.description,
                &t.icon,
                &t.default_ttl_ms,
                &t.activity_bump_ms,
                &t.time_til_autostop_notify_ms,
                &t.failure_ttl_ms,
                &t.time_til_dormant_ms,
                &t.time_til_dormant_autodelete_ms,
                &row.autostop_days,
                &t.autostop_requirement.weeks,
                &row.autostart_block_days,
                &t.allow_user_cancel_workspace_jobs,
                &t.allow_user_autostart,
                &t.allow_user_autostop,
                &t.require_active_version,
                &t.deprecation_message,
                &t.max_port_share_level.as_str(),
                &t.cors_behavior.as_str(),
                &t.use_classic_parameter_flow,
                &t.agents_allowed,
                &t.disable_module_cache,
                &Json(&row.user_acl),
                &Json(&row.group_acl),
            ],
        )
        .await?;
        Ok(())
    }

    /// Makes a version the active one of its template.
    pub async fn template_promote(
        &self,
        who: &Subject,
        row: &TemplateRow,
        version: Uuid,
    ) -> Result<(), StoreError> {
        authorize(who, Action::Update, &row.object())?;
        self.execute(
            "UPDATE templates SET active_version_id = $2, updated_at = now() WHERE id = $1",
            &[&row.api.id, &version],
        )
        .await?;
        Ok(())
    }

    /// Marks a template as deleted.
    pub async fn template_delete(
        &self,
        who: &Subject,
        row: &TemplateRow,
    ) -> Result<(), StoreError> {
        authorize(who, Action::Delete, &row.object())?;
        self.execute(
            "UPDATE templates SET deleted = true, updated_at = now() WHERE id = $1",
            &[&row.api.id],
        )
        .await?;
        Ok(())
    }

    /// Locks a template against deletion and edits until the transaction ends; answers how
    /// many undeleted workspaces it has.
    pub async fn template_lock(&self, id: Uuid) -> Result<i64, StoreError> {
        self.query_opt(
            "SELECT 1 FROM templates WHERE id = $1 AND NOT deleted FOR UPDATE",
            &[&id],
        )
        .await?
        .ok_or(StoreError::NotFound)?;
        let row = self
            .query_one(
                "SELECT count(*) FROM workspaces WHERE template_id = $1 AND NOT deleted",
                &[&id],
            )
            .await?;
        Ok(row.try_get(0)?)
    }
}

/// How many days back daily users are told.
const DAYS: i32 = 30;

impl Conn {
    /// How many users connected to workspaces of a template on each day, as days are where
    /// the clock is `offset` hours ahead of UTC. The template is one that `who` was allowed
    /// to look into.
    pub async fn template_daily_users(
        &self,
        template: Option<Uuid>,
        offset: i32,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = self
            .query(
                "SELECT to_char(day, 'YYYY-MM-DD'), amount FROM (
                     SELECT date_trunc('day', (created_at AT TIME ZONE 'UTC')
                                + make_interval(hours => $2)) AS day,
                            count(DISTINCT user_id) AS amount
                     FROM workspace_agent_stats
                     WHERE ($1::uuid IS NULL OR template_id = $1) AND connection_count > 0
                       AND created_at > now() - make_interval(days => $3)
                     GROUP BY 1) days ORDER BY day",
                &[&template, &offset, &DAYS],
            )
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }
}
