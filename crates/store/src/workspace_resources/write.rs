//! Writing what a build made.

use authz::{Action, Object, ResourceType, Subject, authorize};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{NewAgent, NewApp, NewResource};
use crate::{StoreError, Tx};

impl Tx {
    /// Adds the resources that a job made. For agents of workspaces the subject needs the
    /// right to create agents, which is the provisioner's.
    pub async fn workspace_resource_insert(
        &self,
        who: &Subject,
        job: Uuid,
        transition: &str,
        resource: &NewResource,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        authorize(
            who,
            Action::CreateAgent,
            &Object::new(ResourceType::Workspace),
        )?;
        let id = Uuid::new_v4();
        self.execute(
            "INSERT INTO workspace_resources (id, created_at, job_id, transition, type, name, hide,
                 icon, instance_type, daily_cost, module_path, metadata)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            &[
                &id,
                &now,
                &job,
                &transition,
                &resource.kind,
                &resource.name,
                &resource.hide,
                &resource.icon,
                &resource.instance_type,
                &resource.daily_cost,
                &resource.module_path,
                &resource.metadata,
            ],
        )
        .await?;
        for agent in &resource.agents {
            self.insert_agent(id, agent, now).await?;
        }
        Ok(())
    }

    async fn insert_agent(
        &self,
        resource: Uuid,
        agent: &NewAgent,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO workspace_agents (id, parent_id, resource_id, created_at, updated_at, name,
                 auth_token, auth_instance_id, architecture, operating_system,
                 environment_variables, directory, connection_timeout_seconds, troubleshooting_url,
                 motd_file, display_apps, display_order, api_key_scope)
             VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
            &[
                &agent.id,
                &agent.parent_id,
                &resource,
                &now,
                &agent.name,
                &agent.auth_token,
                &agent.auth_instance_id,
                &agent.architecture,
                &agent.operating_system,
                &agent.environment,
                &agent.directory,
                &agent.connection_timeout_seconds,
                &agent.troubleshooting_url,
                &agent.motd_file,
                &agent.display_apps,
                &agent.display_order,
                &agent.api_key_scope,
            ],
        )
        .await?;
        self.insert_apps(agent, now).await?;
        self.insert_scripts(agent, now).await?;
        for m in &agent.metadata {
            self.execute(
                "INSERT INTO workspace_agent_metadata (workspace_agent_id, key, display_name, script,
                     interval_seconds, timeout_seconds, display_order)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                &[
                    &agent.id,
                    &m.key,
                    &m.display_name,
                    &m.script,
                    &m.interval_seconds,
                    &m.timeout_seconds,
                    &m.display_order,
                ],
            )
            .await?;
        }
        for d in &agent.devcontainers {
            self.execute(
                "INSERT INTO workspace_agent_devcontainers (id, workspace_agent_id, created_at, name,
                     workspace_folder, config_path, subagent_id)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                &[
                    &d.id,
                    &agent.id,
                    &now,
                    &d.name,
                    &d.workspace_folder,
                    &d.config_path,
                    &d.subagent_id,
                ],
            )
            .await?;
        }
        for m in &agent.monitors {
            self.execute(
                "INSERT INTO workspace_agent_resource_monitors (workspace_agent_id, path, enabled,
                     threshold, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
                &[&agent.id, &m.path, &m.enabled, &m.threshold, &now],
            )
            .await?;
        }
        Ok(())
    }

    async fn insert_apps(&self, agent: &NewAgent, now: DateTime<Utc>) -> Result<(), StoreError> {
        for app in &agent.apps {
            self.insert_app(agent.id, app, now).await?;
        }
        Ok(())
    }

    /// Apps keep their ids over builds: the row of an earlier build moves to the new agent,
    /// unless another workspace has it.
    pub(crate) async fn insert_app(
        &self,
        agent: Uuid,
        app: &NewApp,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let health = if app.healthcheck_url.is_empty() {
            "disabled"
        } else {
            "initializing"
        };
        let taken = self
            .query_opt(
                "INSERT INTO workspace_apps (id, created_at, agent_id, slug, display_name, icon,
                     command, url, subdomain, sharing_level, external, hidden, open_in,
                     display_order, display_group, tooltip, healthcheck_url,
                     healthcheck_interval, healthcheck_threshold, health)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                         $17, $18, $19, $20)
                 ON CONFLICT (id) DO UPDATE SET agent_id = excluded.agent_id,
                     slug = excluded.slug, display_name = excluded.display_name,
                     icon = excluded.icon, command = excluded.command, url = excluded.url,
                     subdomain = excluded.subdomain, sharing_level = excluded.sharing_level,
                     external = excluded.external, hidden = excluded.hidden,
                     open_in = excluded.open_in, display_order = excluded.display_order,
                     display_group = excluded.display_group, tooltip = excluded.tooltip,
                     healthcheck_url = excluded.healthcheck_url,
                     healthcheck_interval = excluded.healthcheck_interval,
                     healthcheck_threshold = excluded.healthcheck_threshold,
                     health = excluded.health
                 WHERE (SELECT b.workspace_id FROM workspace_agents a
                        JOIN workspace_resources r ON r.id = a.resource_id
                        JOIN workspace_builds b ON b.job_id = r.job_id
                        WHERE a.id = workspace_apps.agent_id)
                       IS NOT DISTINCT FROM
                       (SELECT b.workspace_id FROM workspace_agents a
                        JOIN workspace_resources r ON r.id = a.resource_id
                        JOIN workspace_builds b ON b.job_id = r.job_id
                        WHERE a.id = excluded.agent_id)
                 RETURNING id",
                &[
                    &app.id,
                    &now,
                    &agent,
                    &app.slug,
                    &app.display_name,
                    &app.icon,
                    &app.command,
                    &app.url,
                    &app.subdomain,
                    &app.sharing_level,
                    &app.external,
                    &app.hidden,
                    &app.open_in,
                    &app.display_order,
                    &app.display_group,
                    &app.tooltip,
                    &app.healthcheck_url,
                    &app.healthcheck_interval,
                    &app.healthcheck_threshold,
                    &health,
                ],
            )
            .await?;
        if taken.is_none() {
            return Err(StoreError::Invalid(format!(
                "app {:?} has the id {} of an app of another workspace",
                app.slug, app.id
            )));
        }
        Ok(())
    }

    async fn insert_scripts(&self, agent: &NewAgent, now: DateTime<Utc>) -> Result<(), StoreError> {
        for (position, script) in agent.scripts.iter().enumerate() {
            let source = Uuid::new_v4();
            self.insert_log_source(agent.id, source, &script.display_name, &script.icon, now)
                .await?;
            self.execute(
                "INSERT INTO workspace_agent_scripts (id, workspace_agent_id, log_source_id,
                     created_at, position, display_name, script, log_path, cron,
                     start_blocks_login, run_on_start, run_on_stop, timeout_seconds)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                &[
                    &Uuid::new_v4(),
                    &agent.id,
                    &source,
                    &now,
                    &(position as i32),
                    &script.display_name,
                    &script.script,
                    &script.log_path,
                    &script.cron,
                    &script.start_blocks_login,
                    &script.run_on_start,
                    &script.run_on_stop,
                    &script.timeout_seconds,
                ],
            )
            .await?;
        }
        for source in &agent.log_sources {
            self.insert_log_source(agent.id, source.id, &source.display_name, &source.icon, now)
                .await?;
        }
        Ok(())
    }

    async fn insert_log_source(
        &self,
        agent: Uuid,
        id: Uuid,
        display_name: &str,
        icon: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO workspace_agent_log_sources
                 (id, workspace_agent_id, created_at, display_name, icon)
             VALUES ($1, $2, $3, $4, $5)",
            &[&id, &agent, &now, &display_name, &icon],
        )
        .await?;
        Ok(())
    }

    /// Adds the modules that a job used: source, version and key of each.
    pub async fn workspace_module_insert(
        &self,
        job: Uuid,
        transition: &str,
        module: (&str, &str, &str),
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (source, version, key) = module;
        self.execute(
            "INSERT INTO workspace_modules (id, job_id, transition, created_at, source, version, key)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[&Uuid::new_v4(), &job, &transition, &now, &source, &version, &key],
        )
        .await?;
        Ok(())
    }

    /// Retires the agents of a workspace's builds before `build_number`: their tokens are
    /// refused from now on.
    pub async fn workspace_agents_retire(
        &self,
        who: &Subject,
        workspace: Uuid,
        build_number: i32,
    ) -> Result<(), StoreError> {
        authorize(
            who,
            Action::DeleteAgent,
            &Object::new(ResourceType::Workspace),
        )?;
        self.execute(
            "UPDATE workspace_agents a SET deleted = true, updated_at = now()
             FROM workspace_resources r JOIN workspace_builds b ON b.job_id = r.job_id
             WHERE a.resource_id = r.id AND NOT a.deleted
               AND b.workspace_id = $1 AND b.build_number < $2",
            &[&workspace, &build_number],
        )
        .await?;
        Ok(())
    }

    /// Tokens of a workspace's present agents, which a claim keeps: agent id and token.
    pub async fn workspace_agent_tokens(&self, job: Uuid) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        let rows = self
            .query(
                "SELECT a.id, a.auth_token FROM workspace_agents a
                 JOIN workspace_resources r ON r.id = a.resource_id
                 WHERE r.job_id = $1 AND NOT a.deleted AND a.parent_id IS NULL",
                &[&job],
            )
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }
}
