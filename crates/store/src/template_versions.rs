//! Versions of templates: an archive, what its import found in it, and its state.

use api_types::{MinimalUser, TemplateVersion};
use authz::{AccessList, Action, Object, ResourceType, Subject, authorize};
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::provisioner_jobs::{job, job_columns};
use crate::{StoreError, Tx};

/// Most versions that one list answers.
pub const MAX_VERSIONS: i64 = 1000;

/// A version: the API's shape, and what rights depend on.
#[derive(Debug, Clone)]
pub struct VersionRow {
    /// The API's shape, job included.
    pub api: TemplateVersion,
    /// The organization.
    pub organization_id: Uuid,
    /// Access by user, of its template.
    pub user_acl: AccessList,
    /// Access by group, of its template.
    pub group_acl: AccessList,
    /// External authentication that its template asks for: `[{"id", "optional"}]`.
    pub external_auth_providers: Value,
}

impl VersionRow {
    /// The version as the decision sees it: its template, or the templates of the
    /// organization while it has none.
    pub fn object(&self) -> Object {
        let object = Object::new(ResourceType::Template)
            .org(self.organization_id)
            .acl(self.user_acl.clone(), self.group_acl.clone());
        match self.api.template_id {
            Some(id) => object.id(id),
            None => object,
        }
    }
}

/// A version to add.
#[derive(Debug)]
pub struct NewVersion<'a> {
    /// Its id.
    pub id: Uuid,
    /// Its template; none until a template is made of it.
    pub template_id: Option<Uuid>,
    /// Its organization.
    pub organization_id: Uuid,
    /// Its name.
    pub name: &'a str,
    /// What changed, in the words of its maker.
    pub message: &'a str,
    /// The import.
    pub job_id: Uuid,
    /// Its maker.
    pub created_by: Uuid,
    /// The starter that it was made of.
    pub source_example_id: Option<&'a str>,
    /// What it tells AI agents that work in its workspaces.
    pub agent_instructions: &'a str,
}

/// Which versions of a template to list.
#[derive(Debug, Clone, Default)]
pub struct VersionFilter {
    /// Archived ones too.
    pub include_archived: bool,
    /// Only those listed after this one.
    pub after_id: Option<Uuid>,
    /// How many; 0 means as many as there are, up to [`MAX_VERSIONS`].
    pub limit: i64,
    /// How many to skip.
    pub offset: i64,
}

/// What a build or an evaluation needs of a version beside its parameters.
#[derive(Debug, Clone)]
pub struct VersionSource {
    /// The archive.
    pub file_id: Uuid,
    /// Tags of the import: those of builds start from them.
    pub job_tags: std::collections::BTreeMap<String, String>,
    /// Plan JSON of the import.
    pub cached_plan: Option<Vec<u8>>,
    /// Archive of its modules.
    pub cached_module_files: Option<Uuid>,
    /// `coder_workspace_tags` as declared.
    pub workspace_tags: Value,
}

macro_rules! version_select {
    () => {
        concat!(
            "SELECT tv.id, tv.template_id, tv.organization_id, tv.created_at, tv.updated_at, \
             tv.name, tv.message, tv.readme, u.id, u.username, u.name, u.avatar_url, tv.archived, \
             tv.has_external_agent, coalesce(t.user_acl, '{}'), coalesce(t.group_acl, '{}'), \
             tv.external_auth_providers, ",
            job_columns!(),
            " FROM template_versions tv JOIN users u ON u.id = tv.created_by \
              LEFT JOIN templates t ON t.id = tv.template_id \
              JOIN provisioner_jobs j ON j.id = tv.job_id \
              LEFT JOIN provisioner_daemons d ON d.id = j.worker_id "
        )
    };
}

fn read(row: &Row) -> Result<VersionRow, StoreError> {
    let mut cols = Cols::new(row);
    let mut api = TemplateVersion {
        id: cols.next()?,
        template_id: cols.next()?,
        organization_id: Some(cols.next()?),
        created_at: cols.next()?,
        updated_at: cols.next()?,
        name: cols.next()?,
        message: cols.next()?,
        readme: cols.next()?,
        created_by: MinimalUser {
            id: cols.next()?,
            username: cols.next()?,
            name: cols.next()?,
            avatar_url: cols.next()?,
        },
        archived: cols.next()?,
        has_external_agent: cols.next()?,
        ..TemplateVersion::default()
    };
    let user_acl = cols.next::<Json<AccessList>>()?.0;
    let group_acl = cols.next::<Json<AccessList>>()?.0;
    let external_auth_providers = cols.next()?;
    api.job = job(&mut cols)?;
    Ok(VersionRow {
        organization_id: api.organization_id.unwrap_or_default(),
        api,
        user_acl,
        group_acl,
        external_auth_providers,
    })
}

fn readable(who: &Subject, row: Option<Row>) -> Result<VersionRow, StoreError> {
    let version = read(&row.ok_or(StoreError::NotFound)?)?;
    authorize(who, Action::Read, &version.object()).map_err(|_| StoreError::NotFound)?;
    Ok(version)
}

impl Conn {
    /// A version.
    pub async fn template_version_read(
        &self,
        who: &Subject,
        id: Uuid,
    ) -> Result<VersionRow, StoreError> {
        let sql = concat!(version_select!(), "WHERE tv.id = $1");
        readable(who, self.query_opt(sql, &[&id]).await?)
    }

    /// A version by its import job.
    pub async fn template_version_read_by_job(
        &self,
        who: &Subject,
        job: Uuid,
    ) -> Result<VersionRow, StoreError> {
        let sql = concat!(version_select!(), "WHERE tv.job_id = $1");
        readable(who, self.query_opt(sql, &[&job]).await?)
    }

    /// A version of a template by its name.
    pub async fn template_version_read_by_name(
        &self,
        who: &Subject,
        template: Uuid,
        name: &str,
    ) -> Result<VersionRow, StoreError> {
        let sql = concat!(
            version_select!(),
            "WHERE tv.template_id = $1 AND lower(tv.name) = lower($2)"
        );
        readable(who, self.query_opt(sql, &[&template, &name]).await?)
    }

    /// The version that was made before this one.
    pub async fn template_version_read_previous(
        &self,
        who: &Subject,
        template: Uuid,
        id: Uuid,
    ) -> Result<VersionRow, StoreError> {
        let sql = concat!(
            version_select!(),
            "WHERE tv.template_id = $1 AND tv.created_at < \
                (SELECT created_at FROM template_versions WHERE id = $2) \
             ORDER BY tv.created_at DESC LIMIT 1"
        );
        readable(who, self.query_opt(sql, &[&template, &id]).await?)
    }

    /// Versions of a template that `who` was allowed to read, oldest first.
    pub async fn template_version_list(
        &self,
        template: Uuid,
        by: &VersionFilter,
    ) -> Result<Vec<VersionRow>, StoreError> {
        let limit = if by.limit == 0 {
            MAX_VERSIONS
        } else {
            by.limit.min(MAX_VERSIONS)
        };
        let sql = concat!(
            version_select!(),
            "WHERE tv.template_id = $1 AND ($2 OR NOT tv.archived) \
               AND ($3::uuid IS NULL OR (tv.created_at, tv.id) > \
                    (SELECT created_at, id FROM template_versions WHERE id = $3)) \
             ORDER BY tv.created_at, tv.id LIMIT $4 OFFSET $5"
        );
        let rows = self
            .query(
                sql,
                &[
                    &template,
                    &by.include_archived,
                    &by.after_id,
                    &limit,
                    &by.offset,
                ],
            )
            .await?;
        rows.iter().map(read).collect()
    }

    /// What builds and evaluations need of a version that `who` was allowed to use.
    pub async fn template_version_source(&self, id: Uuid) -> Result<VersionSource, StoreError> {
        let row = self
            .query_opt(
                "SELECT j.file_id, j.tags, tv.cached_plan, tv.cached_module_files, tv.workspace_tags
                 FROM template_versions tv JOIN provisioner_jobs j ON j.id = tv.job_id
                 WHERE tv.id = $1",
                &[&id],
            )
            .await?
            .ok_or(StoreError::NotFound)?;
        let mut cols = Cols::new(&row);
        Ok(VersionSource {
            file_id: cols.next()?,
            job_tags: cols.next::<Json<_>>()?.0,
            cached_plan: cols.next()?,
            cached_module_files: cols.next()?,
            workspace_tags: cols.next()?,
        })
    }

    /// When a version was made, to list after it.
    pub async fn template_version_exists(
        &self,
        template: Uuid,
        id: Uuid,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let row = self
            .query_opt(
                "SELECT created_at FROM template_versions WHERE template_id = $1 AND id = $2",
                &[&template, &id],
            )
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}

impl Tx {
    /// Adds a version. The right to do so is that of its template, or to create templates.
    pub async fn template_version_insert(
        &self,
        who: &Subject,
        version: &NewVersion<'_>,
        template: Option<&crate::templates::TemplateRow>,
    ) -> Result<(), StoreError> {
        if let Some(template) = template {
            authorize(who, Action::Update, &template.object())?;
        } else {
            let any = Object::new(ResourceType::Template).org(version.organization_id);
            authorize(who, Action::Create, &any)?;
        }
        self.execute(
            "INSERT INTO template_versions (id, template_id, organization_id, created_at,
                 updated_at, name, message, job_id, created_by, source_example_id,
                 agent_instructions)
             VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp(), $4, $5, $6, $7, $8, $9)",
            &[
                &version.id,
                &version.template_id,
                &version.organization_id,
                &version.name,
                &version.message,
                &version.job_id,
                &version.created_by,
                &version.source_example_id,
                &version.agent_instructions,
            ],
        )
        .await?;
        Ok(())
    }

    /// Changes the name and the message of a version.
    pub async fn template_version_update(
        &self,
        who: &Subject,
        row: &VersionRow,
        name: &str,
        message: &str,
    ) -> Result<(), StoreError> {
        authorize(who, Action::Update, &row.object())?;
        self.execute(
            "UPDATE template_versions SET name = $2, message = $3, updated_at = now() WHERE id = $1",
            &[&row.api.id, &name, &message],
        )
        .await?;
        Ok(())
    }

    /// Gives a version without a template to one; `false`: it has got one meanwhile.
    pub async fn template_version_attach(
        &self,
        id: Uuid,
        template: Uuid,
    ) -> Result<bool, StoreError> {
        let changed = self
            .execute(
                "UPDATE template_versions SET template_id = $2, updated_at = now()
                 WHERE id = $1 AND template_id IS NULL AND NOT archived",
                &[&id, &template],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Archives or unarchives versions of one template. A version is archived only while it
    /// is not active, no latest build uses it and its import has ended; with `only_failed`
    /// only if that import failed. Answers which were changed.
    pub async fn template_version_archive(
        &self,
        who: &Subject,
        template: &crate::templates::TemplateRow,
        versions: Option<&[Uuid]>,
        archive: bool,
        only_failed: bool,
    ) -> Result<Vec<Uuid>, StoreError> {
        authorize(who, Action::Update, &template.object())?;
        let rows = self
            .query(
                "UPDATE template_versions tv SET archived = $3, updated_at = now()
                 FROM provisioner_jobs j
                 WHERE j.id = tv.job_id AND tv.template_id = $1 AND tv.archived <> $3
                   AND ($2::uuid[] IS NULL OR tv.id = ANY($2))
                   AND (NOT $3 OR (
                        j.job_status IN ('succeeded', 'failed', 'canceled')
                        AND (NOT $4 OR j.job_status IN ('failed', 'canceled'))
                        AND tv.id <> (SELECT active_version_id FROM templates WHERE id = $1)
                        AND NOT EXISTS (SELECT 1 FROM workspaces w
                            JOIN workspace_builds b ON b.workspace_id = w.id
                                 AND b.build_number = w.latest_build_number
                            WHERE w.template_id = $1 AND NOT w.deleted
                              AND b.template_version_id = tv.id)))
                 RETURNING tv.id",
                &[&template.api.id, &versions, &archive, &only_failed],
            )
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

impl Conn {
    /// A dry run of a version that `who` was allowed to read.
    pub async fn template_version_dry_run_read(
        &self,
        version: Uuid,
        id: Uuid,
    ) -> Result<api_types::ProvisionerJob, StoreError> {
        let row = self
            .query_opt(
                concat!(
                    "SELECT ",
                    job_columns!(),
                    " FROM provisioner_jobs j \
                     LEFT JOIN provisioner_daemons d ON d.id = j.worker_id \
                     WHERE j.id = $1 AND j.type = 'template_version_dry_run' \
                       AND j.input ->> 'template_version_id' = $2"
                ),
                &[&id, &version.to_string()],
            )
            .await?
            .ok_or(StoreError::NotFound)?;
        job(&mut Cols::new(&row))
    }
}
