//! What builds made: resources with their agents, apps and scripts, read as one tree.
//! `new` holds what is to be written, `write` writes it.

mod new;
mod timings;
mod write;

pub use new::{
    NewAgent, NewApp, NewDevcontainer, NewLogSource, NewMetadata, NewMonitor, NewResource,
    NewScript,
};
pub use timings::NewTiming;

use api_types::WorkspaceResource;
use uuid::Uuid;

use crate::StoreError;
use crate::cols::Cols;
use crate::conn::Conn;

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
