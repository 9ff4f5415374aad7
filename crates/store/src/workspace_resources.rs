//! What builds made: resources with their agents, apps and scripts, read as one tree.

use api_types::WorkspaceResource;
use authz::{Action, Object, ResourceType, Subject, authorize};
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::cols::Cols;
use crate::conn::Conn;
use crate::{StoreError, Tx};

/// The resources of job `j` as JSON of the API's shape, in the order in which they are
/// shown; what depends on the time of reading is left to the rules.
macro_rules! resource_tree {
    () => {
        "(SELECT json_agg(r) FROM ( \
           SELECT r.id, r.created_at, r.job_id, r.transition AS workspace_transition, r.type, \
                  r.name, r.hide, r.icon, r.metadata, r.daily_cost, \
                  coalesce(a.list, '[]'::json) AS agents \
           FROM workspace_resources r \
           LEFT JOIN LATERAL (SELECT min(a.display_order) AS first, json_agg(a) AS list FROM ( \
             SELECT a.id, a.parent_id, a.created_at, a.updated_at, a.first_connected_at, \
                    a.last_connected_at, a.disconnected_at, a.started_at, a.ready_at, \
                    a.lifecycle_state, a.name, a.resource_id, \
                    coalesce(a.auth_instance_id, '') AS instance_id, a.architecture, \
                    a.environment_variables, a.operating_system, a.logs_length, \
                    a.logs_overflowed, a.directory, a.expanded_directory, a.version, \
                    a.api_version, a.connection_timeout_seconds, a.troubleshooting_url, \
                    a.subsystems, a.display_apps, a.display_order, \
                    (SELECT json_agg(p) FROM (SELECT p.id, p.url, p.external, p.slug, \
                        p.display_name, p.command, p.icon, p.subdomain, p.sharing_level, \
                        json_build_object('url', p.healthcheck_url, 'interval', \
                           p.healthcheck_interval, 'threshold', p.healthcheck_threshold) \
                           AS healthcheck, \
                        p.health, p.display_group AS group, p.hidden, p.open_in, p.tooltip, \
                        (SELECT json_agg(s) FROM (SELECT s.id, s.created_at, s.workspace_id, \
                            s.agent_id, s.app_id, s.state, s.message, s.uri \
                            FROM workspace_app_statuses s WHERE s.app_id = p.id \
                            ORDER BY s.created_at DESC LIMIT 100) s) AS statuses \
                     FROM workspace_apps p WHERE p.agent_id = a.id \
                     ORDER BY p.display_order, p.display_name, p.slug) p) AS apps, \
                    (SELECT json_agg(s) FROM (SELECT s.id, s.log_source_id, s.log_path, s.script, \
                        s.cron, s.run_on_start, s.run_on_stop, s.start_blocks_login, \
                        s.timeout_seconds::bigint * 1000000000 AS timeout, s.display_name, \
                        s.exit_code, s.status \
                     FROM workspace_agent_scripts s WHERE s.workspace_agent_id = a.id \
                     ORDER BY s.position) s) AS scripts, \
                    (SELECT json_agg(l) FROM (SELECT l.workspace_agent_id, l.id, l.created_at, \
                        l.display_name, l.icon \
                     FROM workspace_agent_log_sources l WHERE l.workspace_agent_id = a.id \
                     ORDER BY l.created_at, l.id) l) AS log_sources \
             FROM workspace_agents a WHERE a.resource_id = r.id AND NOT a.deleted \
             ORDER BY a.display_order, a.name) a) a ON TRUE \
           WHERE r.job_id = j.id \
           ORDER BY a.first NULLS LAST, r.name, r.id) r)::text"
    };
}
pub(crate) use resource_tree;

/// Reads the column of `resource_tree!`.
pub(crate) fn resources(cols: &mut Cols<'_>) -> Result<Vec<WorkspaceResource>, StoreError> {
    match cols.next::<Option<&str>>()? {
        None => Ok(Vec::new()),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            StoreError::Internal(format!("resources are not as expected: {error}"))
        }),
    }
}

/// A resource to add.
#[derive(Debug, Clone)]
pub struct NewResource {
    /// Type of the Terraform resource.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Not to be shown.
    pub hide: bool,
    /// Its icon.
    pub icon: String,
    /// Size of the machine, where it is one.
    pub instance_type: String,
    /// What it costs a day.
    pub daily_cost: i32,
    /// Path of the module that it stands in.
    pub module_path: String,
    /// `[{"key", "value", "sensitive"}]`.
    pub metadata: Value,
    /// Agents that run in it.
    pub agents: Vec<NewAgent>,
}

/// An agent to add.
#[derive(Debug, Clone)]
pub struct NewAgent {
    /// Its id, new with every build.
    pub id: Uuid,
    /// The agent that it runs under, for one in a dev container.
    pub parent_id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// What it signs in with.
    pub auth_token: Uuid,
    /// The cloud instance whose identity it signs in with instead.
    pub auth_instance_id: Option<String>,
    /// `amd64` and the like.
    pub architecture: String,
    /// `linux` and the like.
    pub operating_system: String,
    /// Environment of what it runs.
    pub environment: Value,
    /// Where sessions start.
    pub directory: String,
    /// After how many seconds without it something is wrong; 0 never.
    pub connection_timeout_seconds: i32,
    /// Where to look for help then.
    pub troubleshooting_url: String,
    /// File shown at login.
    pub motd_file: String,
    /// Built-in apps to show.
    pub display_apps: Vec<&'static str>,
    /// Place among agents.
    pub display_order: i32,
    /// `all` or `no_user_data`.
    pub api_key_scope: &'static str,
    /// Its apps.
    pub apps: Vec<NewApp>,
    /// Its scripts.
    pub scripts: Vec<NewScript>,
    /// Log sources beside those of scripts.
    pub log_sources: Vec<NewLogSource>,
    /// Values that it reports.
    pub metadata: Vec<NewMetadata>,
    /// Dev containers that it starts.
    pub devcontainers: Vec<NewDevcontainer>,
    /// Thresholds; an empty path is memory.
    pub monitors: Vec<NewMonitor>,
}

/// An app to add.
#[derive(Debug, Clone)]
pub struct NewApp {
    /// Its id, kept over builds.
    pub id: Uuid,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub display_name: String,
    /// Its icon.
    pub icon: String,
    /// Run in a terminal.
    pub command: String,
    /// Where it listens.
    pub url: String,
    /// Served under its own host name.
    pub subdomain: bool,
    /// Who may open it.
    pub sharing_level: &'static str,
    /// A mere link.
    pub external: bool,
    /// Not shown.
    pub hidden: bool,
    /// `slim-window` or `tab`.
    pub open_in: &'static str,
    /// Place among apps.
    pub display_order: i32,
    /// Group that it is shown in.
    pub display_group: String,
    /// Help text.
    pub tooltip: String,
    /// What to ask whether it is healthy; empty: nothing.
    pub healthcheck_url: String,
    /// Seconds between such questions.
    pub healthcheck_interval: i32,
    /// Failures in a row that make it unhealthy.
    pub healthcheck_threshold: i32,
}

/// A script to add, with its log source.
#[derive(Debug, Clone)]
pub struct NewScript {
    /// Its name for people.
    pub display_name: String,
    /// Icon of its log source.
    pub icon: String,
    /// What it runs.
    pub script: String,
    /// Where its output goes in the workspace.
    pub log_path: String,
    /// When it runs by itself.
    pub cron: String,
    /// Logins wait for it.
    pub start_blocks_login: bool,
    /// Runs when the workspace starts.
    pub run_on_start: bool,
    /// Runs when the workspace stops.
    pub run_on_stop: bool,
    /// Killed after so many seconds; 0 never.
    pub timeout_seconds: i32,
}

/// A source of log lines to add.
#[derive(Debug, Clone)]
pub struct NewLogSource {
    /// Its id.
    pub id: Uuid,
    /// Its name for people.
    pub display_name: String,
    /// Its icon.
    pub icon: String,
}

/// A reported value to add.
#[derive(Debug, Clone)]
pub struct NewMetadata {
    /// Its key.
    pub key: String,
    /// Its name for people.
    pub display_name: String,
    /// What prints it.
    pub script: String,
    /// Seconds between runs.
    pub interval_seconds: i64,
    /// Killed after so many seconds.
    pub timeout_seconds: i64,
    /// Place among values.
    pub display_order: i32,
}

/// A dev container to add.
#[derive(Debug, Clone)]
pub struct NewDevcontainer {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub workspace_folder: String,
    /// Its definition, if not the usual file.
    pub config_path: String,
    /// The agent made for it in advance.
    pub subagent_id: Option<Uuid>,
}

/// A threshold to add.
#[derive(Debug, Clone)]
pub struct NewMonitor {
    /// Path of a volume; empty for memory.
    pub path: String,
    /// Whether it is watched.
    pub enabled: bool,
    /// Percent.
    pub threshold: i32,
}

impl Conn {
    /// The resources that a job made. The caller has already been allowed to see what the
    /// job belongs to.
    pub async fn workspace_resources(
        &self,
        job: Uuid,
    ) -> Result<Vec<WorkspaceResource>, StoreError> {
        let row = self
            .query_one(
                concat!(
                    "SELECT ",
                    resource_tree!(),
                    " FROM (SELECT $1::uuid AS id) j"
                ),
                &[&job],
            )
            .await?;
        resources(&mut Cols::new(&row))
    }
}

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

/// Timing of a step of a job.
#[derive(Debug, Clone)]
pub struct NewTiming {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// `init`, `plan`, `graph` or `apply`.
    pub stage: String,
    /// What did it: a provider, or `coder`.
    pub source: String,
    /// What was done.
    pub action: String,
    /// To which resource.
    pub resource: String,
}

impl Tx {
    /// Adds the timings of a job.
    pub async fn provisioner_job_timings_insert(
        &self,
        job: Uuid,
        timings: &[NewTiming],
    ) -> Result<(), StoreError> {
        if timings.is_empty() {
            return Ok(());
        }
        let started: Vec<_> = timings.iter().map(|t| t.started_at).collect();
        let ended: Vec<_> = timings.iter().map(|t| t.ended_at).collect();
        let stage: Vec<&str> = timings.iter().map(|t| t.stage.as_str()).collect();
        let source: Vec<&str> = timings.iter().map(|t| t.source.as_str()).collect();
        let action: Vec<&str> = timings.iter().map(|t| t.action.as_str()).collect();
        let resource: Vec<&str> = timings.iter().map(|t| t.resource.as_str()).collect();
        self.execute(
            "INSERT INTO provisioner_job_timings
                 (job_id, started_at, ended_at, stage, source, action, resource)
             SELECT $1, * FROM unnest($2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[],
                                      $6::text[], $7::text[])",
            &[&job, &started, &ended, &stage, &source, &action, &resource],
        )
        .await?;
        Ok(())
    }
}

/// JSON text of a list, for columns that hold one.
pub fn json_list<T: serde::Serialize>(list: &[T]) -> Value {
    serde_json::to_value(Json(list)).unwrap_or_else(|_| Value::Array(Vec::new()))
}
