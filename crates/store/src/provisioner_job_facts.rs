//! What a job is told about the thing it works for: workspace, owner, template, version.

use api_types::Secret;
use authz::{Action, Object, ResourceType, Subject, authorize};
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::{StoreError, Tx};

/// What a build is told.
#[derive(Debug, Clone)]
pub struct BuildFacts {
    /// The build.
    pub build_id: Uuid,
    /// Its number.
    pub build_number: i32,
    /// `start`, `stop` or `delete`.
    pub transition: String,
    /// The build before it.
    pub previous_build_id: Option<Uuid>,
    /// The workspace.
    pub workspace_id: Uuid,
    /// Its name.
    pub workspace_name: String,
    /// Its time to live.
    pub ttl_ms: Option<i64>,
    /// Its autostart.
    pub autostart_schedule: Option<String>,
    /// The organization.
    pub organization_id: Uuid,
    /// The template.
    pub template_id: Uuid,
    /// Its name.
    pub template_name: String,
    /// Its time to live.
    pub template_ttl_ms: i64,
    /// Owners may choose when their workspaces stop.
    pub allow_user_autostop: bool,
    /// Owners may choose when their workspaces start.
    pub allow_user_autostart: bool,
    /// Days of required stops.
    pub autostop_days: i16,
    /// Every how many weeks.
    pub autostop_weeks: i64,
    /// Days without autostart.
    pub autostart_block_days: i16,
    /// Modules are not to be taken from the import.
    pub disable_module_cache: bool,
    /// The version.
    pub version_id: Uuid,
    /// Its name.
    pub version_name: String,
    /// Archive of its modules.
    pub module_files: Option<Uuid>,
    /// Why the build is.
    pub reason: String,
    /// Who asked for it.
    pub initiator_id: Uuid,
    /// The owner.
    pub owner_id: Uuid,
    /// Username of the owner.
    pub owner_username: String,
    /// Real name of the owner.
    pub owner_name: String,
    /// Address of the owner.
    pub owner_email: String,
    /// How the owner signs in.
    pub owner_login_type: String,
    /// The owner's quiet hours; empty for the default.
    pub owner_quiet_hours: String,
    /// Names of the owner's groups in the organization.
    pub owner_groups: Vec<String>,
    /// The owner's site roles.
    pub owner_site_roles: Vec<String>,
    /// The owner's roles in the organization.
    pub owner_org_roles: Vec<String>,
    /// Public half of the owner's Git key.
    pub owner_ssh_public_key: String,
    /// Private half of the owner's Git key.
    pub owner_ssh_private_key: Secret<String>,
    /// The owner's OIDC token.
    pub owner_oidc_token: Secret<String>,
}

fn allow(who: &Subject) -> Result<(), StoreError> {
    Ok(authorize(
        who,
        Action::Read,
        &Object::new(ResourceType::ProvisionerJobs),
    )?)
}

impl Conn {
    /// What a build is told, for whoever runs jobs.
    pub async fn provisioner_job_build_facts(
        &self,
        who: &Subject,
        build: Uuid,
    ) -> Result<BuildFacts, StoreError> {
        allow(who)?;
        let row = self
            .query_opt(
                "SELECT b.id, b.build_number, b.transition,
                        (SELECT p.id FROM workspace_builds p WHERE p.workspace_id = b.workspace_id
                         AND p.build_number = b.build_number - 1),
                        w.id, w.name, w.ttl_ms, w.autostart_schedule, w.organization_id,
                        t.id, t.name, t.default_ttl_ms, t.allow_user_autostop,
                        t.allow_user_autostart, t.autostop_requirement_days,
                        t.autostop_requirement_weeks, t.autostart_block_days,
                        t.disable_module_cache, tv.id, tv.name, tv.cached_module_files,
                        b.reason, b.initiator_id,
                        u.id, u.username, u.name, u.email, u.login_type, u.quiet_hours_schedule,
                        ARRAY(SELECT g.name FROM groups g WHERE g.organization_id = w.organization_id
                              AND (g.id = w.organization_id OR EXISTS (SELECT 1
                                   FROM group_members m WHERE m.group_id = g.id
                                   AND m.user_id = u.id)) ORDER BY g.name),
                        u.roles,
                        coalesce((SELECT m.roles FROM organization_members m
                            WHERE m.user_id = u.id AND m.organization_id = w.organization_id), '{}'),
                        coalesce(k.public_key, ''), coalesce(k.private_key, ''),
                        coalesce((SELECT l.oauth_access_token FROM user_links l
                            WHERE l.user_id = u.id AND l.login_type = 'oidc'), '')
                 FROM workspace_builds b
                 JOIN workspaces w ON w.id = b.workspace_id
                 JOIN templates t ON t.id = w.template_id
                 JOIN template_versions tv ON tv.id = b.template_version_id
                 JOIN users u ON u.id = w.owner_id
                 LEFT JOIN git_ssh_keys k ON k.user_id = u.id
                 WHERE b.id = $1",
                &[&build],
            )
            .await?
            .ok_or(StoreError::NotFound)?;
        let mut c = Cols::new(&row);
        Ok(BuildFacts {
            build_id: c.next()?,
            build_number: c.next()?,
            transition: c.next()?,
            previous_build_id: c.next()?,
            workspace_id: c.next()?,
            workspace_name: c.next()?,
            ttl_ms: c.next()?,
            autostart_schedule: c.next()?,
            organization_id: c.next()?,
            template_id: c.next()?,
            template_name: c.next()?,
            template_ttl_ms: c.next()?,
            allow_user_autostop: c.next()?,
            allow_user_autostart: c.next()?,
            autostop_days: c.next()?,
            autostop_weeks: c.next()?,
            autostart_block_days: c.next()?,
            disable_module_cache: c.next()?,
            version_id: c.next()?,
            version_name: c.next()?,
            module_files: c.next()?,
            reason: c.next()?,
            initiator_id: c.next()?,
            owner_id: c.next()?,
            owner_username: c.next()?,
            owner_name: c.next()?,
            owner_email: c.next()?,
            owner_login_type: c.next()?,
            owner_quiet_hours: c.next()?,
            owner_groups: c.next()?,
            owner_site_roles: c.next()?,
            owner_org_roles: c.next()?,
            owner_ssh_public_key: c.next()?,
            owner_ssh_private_key: Secret::new(c.next()?),
            owner_oidc_token: Secret::new(c.next()?),
        })
    }

    /// The state that a build starts from.
    pub async fn provisioner_job_build_state(
        &self,
        who: &Subject,
        build: Uuid,
    ) -> Result<Vec<u8>, StoreError> {
        allow(who)?;
        let sql = "SELECT coalesce(provisioner_state, '') FROM workspace_builds WHERE id = $1";
        Ok(self.query_one(sql, &[&build]).await?.try_get(0)?)
    }

    /// The bytes of a file, for whoever runs jobs.
    pub async fn provisioner_job_file(
        &self,
        who: &Subject,
        file: Uuid,
    ) -> Result<Vec<u8>, StoreError> {
        authorize(who, Action::Read, &Object::new(ResourceType::File))?;
        let sql = "SELECT data FROM files WHERE id = $1";
        Ok(self.query_one(sql, &[&file]).await?.try_get(0)?)
    }

    /// The file with this hash that was stored last, for whoever runs jobs.
    pub async fn provisioner_job_file_by_hash(
        &self,
        who: &Subject,
        hash: &str,
    ) -> Result<Option<Uuid>, StoreError> {
        authorize(who, Action::Read, &Object::new(ResourceType::File))?;
        let sql = "SELECT id FROM files WHERE hash = $1 ORDER BY created_at DESC LIMIT 1";
        Ok(self
            .query_opt(sql, &[&hash])
            .await?
            .map(|row| row.try_get(0))
            .transpose()?)
    }

    /// Name of a version, and id and name of its template, for whoever runs jobs.
    pub async fn provisioner_job_version(
        &self,
        who: &Subject,
        version: Uuid,
    ) -> Result<(String, Option<Uuid>, String), StoreError> {
        allow(who)?;
        let row = self
            .query_one(
                "SELECT tv.name, t.id, coalesce(t.name, '') FROM template_versions tv
                 LEFT JOIN templates t ON t.id = tv.template_id WHERE tv.id = $1",
                &[&version],
            )
            .await?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    }

    /// Username and real name of the user that a job runs for.
    pub async fn provisioner_job_user(
        &self,
        who: &Subject,
        user: Uuid,
    ) -> Result<(String, String), StoreError> {
        allow(who)?;
        let sql = "SELECT username, name FROM users WHERE id = $1";
        let row = self.query_one(sql, &[&user]).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }
}

/// Name of the token that templates get for a workspace's owner.
fn token_name(owner: Uuid, workspace: Uuid) -> String {
    format!("{owner}_{workspace}_session_token")
}

impl Tx {
    /// Puts the token that a workspace's template uses in its owner's name in place of the
    /// one of the build before. Without a new one the old one ends.
    pub async fn workspace_token_replace(
        &self,
        who: &Subject,
        owner: Uuid,
        workspace: Uuid,
        new: Option<(&str, &[u8], i64)>,
    ) -> Result<(), StoreError> {
        authorize(who, Action::Create, &Object::new(ResourceType::ApiKey))?;
        let name = token_name(owner, workspace);
        let gone = self
            .execute(
                "DELETE FROM api_keys WHERE user_id = $1 AND token_name = $2",
                &[&owner, &name],
            )
            .await?;
        if gone > 0 {
            self.sessions_forget(Some(owner)).await?;
        }
        let Some((id, hash, seconds)) = new else {
            return Ok(());
        };
        self.execute(
            "INSERT INTO api_keys (id, hashed_secret, user_id, login_type, token_name, scopes,
                 allow_list, lifetime_seconds, expires_at)
             VALUES ($1, $2, $3, 'token', $4, '{coder:all}', '{*:*}', $5::bigint,
                     now() + make_interval(secs => ($5::bigint)::double precision))",
            &[&id, &hash, &owner, &name, &seconds],
        )
        .await?;
        Ok(())
    }

    /// When a workspace starts by itself next, as a finished build finds it.
    pub async fn workspace_set_next_start(
        &self,
        who: &Subject,
        workspace: Uuid,
        at: Option<chrono::DateTime<chrono::Utc>>,
    ) -> Result<(), StoreError> {
        authorize(who, Action::Update, &Object::new(ResourceType::Workspace))?;
        self.execute(
            "UPDATE workspaces SET next_start_at = $2 WHERE id = $1",
            &[&workspace, &at],
        )
        .await?;
        Ok(())
    }

    /// Stores a file that belongs to the system's own work.
    pub async fn provisioner_job_file_insert(
        &self,
        who: &Subject,
        hash: &str,
        data: &[u8],
    ) -> Result<Uuid, StoreError> {
        authorize(who, Action::Create, &Object::new(ResourceType::File))?;
        let row = self
            .query_one(
                "INSERT INTO files (id, hash, created_at, created_by, mimetype, data)
                 VALUES ($1, $2, now(), $3, 'application/x-tar', $4)
                 ON CONFLICT (hash, created_by) DO UPDATE SET hash = excluded.hash RETURNING id",
                &[&Uuid::new_v4(), &hash, &Uuid::nil(), &data],
            )
            .await?;
        Ok(row.try_get(0)?)
    }
}
