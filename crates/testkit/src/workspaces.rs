//! Workspaces of a test, made in the database without running anything.

use store::Store;
use uuid::Uuid;

use crate::default_organization;

/// A running workspace and what belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct TestWorkspace {
    /// The workspace.
    pub id: Uuid,
    /// Its template, of the same name; everyone of the organization may use it.
    pub template: Uuid,
    /// The template's only version, `v`.
    pub version: Uuid,
    /// The job of the version's import.
    pub import: Uuid,
    /// The workspace's only build, a start.
    pub build: Uuid,
    /// That build's job.
    pub job: Uuid,
    /// The file of the version: an empty archive that its owner uploaded.
    pub file: Uuid,
    /// Its agent, `main`, with one start script and one metadata item.
    pub agent: Uuid,
    /// With which the agent signs in.
    pub token: Uuid,
}

impl TestWorkspace {
    fn fresh() -> Self {
        let new = Uuid::new_v4;
        TestWorkspace {
            id: new(),
            template: new(),
            version: new(),
            import: new(),
            build: new(),
            job: new(),
            file: new(),
            agent: new(),
            token: new(),
        }
    }
}

/// Makes a running workspace in the default organization, with a template of its own.
///
/// # Panics
/// If the name is taken.
pub async fn workspace(store: &Store, owner: Uuid, name: &str) -> TestWorkspace {
    let made = TestWorkspace::fresh();
    let TestWorkspace {
        id,
        template,
        version,
        import,
        build,
        job,
        file,
        agent,
        token,
    } = made;
    let [resource, script] = [(); 2].map(|()| Uuid::new_v4());
    let organization = default_organization(store).await;
    let sql = format!(
        "INSERT INTO files (id, hash, created_at, created_by, mimetype, data)
             VALUES ('{file}', '{file}', now(), '{owner}', 'application/x-tar', '');
         INSERT INTO templates (id, created_at, updated_at, organization_id, name, provisioner,
             active_version_id, created_by, group_acl)
             VALUES ('{template}', now(), now(), '{organization}', '{name}', 'terraform',
                 '{version}', '{owner}', '{{\"{organization}\": [\"read\", \"use\"]}}');
         INSERT INTO provisioner_jobs (id, created_at, updated_at, started_at, completed_at,
             organization_id, initiator_id, provisioner, type, file_id, tags, input)
             VALUES ('{import}', now(), now(), now(), now(), '{organization}', '{owner}',
                 'terraform', 'template_version_import', '{file}',
                 '{{\"scope\": \"organization\", \"owner\": \"\"}}', '{{}}'),
                 ('{job}', now(), now(), now(), now(), '{organization}', '{owner}', 'terraform',
                 'workspace_build', '{file}',
                 '{{\"scope\": \"organization\", \"owner\": \"\"}}', '{{}}');
         INSERT INTO template_versions (id, template_id, organization_id, created_at, updated_at,
             name, job_id, created_by)
             VALUES ('{version}', '{template}', '{organization}', now(), now(), 'v', '{import}',
                 '{owner}');
         INSERT INTO workspaces (id, created_at, updated_at, owner_id, organization_id,
             template_id, name, last_used_at, latest_build_number)
             VALUES ('{id}', now(), now(), '{owner}', '{organization}', '{template}',
                 '{name}', now(), 1);
         INSERT INTO workspace_builds (id, created_at, updated_at, workspace_id,
             template_version_id, build_number, transition, initiator_id, reason, job_id)
             VALUES ('{build}', now(), now(), '{id}', '{version}', 1, 'start', '{owner}',
                 'initiator', '{job}');
         INSERT INTO workspace_resources (id, created_at, job_id, transition, type, name)
             VALUES ('{resource}', now(), '{job}', 'start', 'null_resource', 'r');
         INSERT INTO workspace_agents (id, resource_id, created_at, updated_at, name, auth_token,
             architecture, operating_system)
             VALUES ('{agent}', '{resource}', now(), now(), 'main', '{token}', 'amd64', 'linux');
         INSERT INTO workspace_agent_log_sources (id, workspace_agent_id, created_at, display_name,
             icon) VALUES ('{script}', '{agent}', now(), 'Greeting', '');
         INSERT INTO workspace_agent_scripts (id, workspace_agent_id, log_source_id, created_at,
             position, display_name, script, log_path, cron, start_blocks_login, run_on_start,
             run_on_stop, timeout_seconds) VALUES ('{script}', '{agent}', '{script}', now(), 0,
             'Greeting', 'echo hello from the script', '', '', true, true, false, 60);
         INSERT INTO workspace_agent_metadata (workspace_agent_id, key, display_name, script,
             interval_seconds, timeout_seconds)
             VALUES ('{agent}', 'answer', 'Answer', 'echo 42', 1, 5)"
    );
    for statement in sql.split(';') {
        store.execute(statement, &[]).await.expect("a new row");
    }
    made
}
