//! A server of the test's own with a workspace whose agent may sign in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use client::Client;
use control::{Control, Settings};
use rpc::drpc::Channel;
use rpc::mux::{Config, Role, Session};
use server::{
    AppState, Binaries, CookiePolicy, HttpSettings, LiveAgents, RateLimits, Tailnet,
    TailnetSettings, TrustedProxies,
};
use testkit::{TestDb, TestUser};
use url::Url;
use uuid::Uuid;

/// What a test works with.
pub struct World {
    pub db: TestDb,
    pub url: Url,
    pub owner: TestUser,
    pub workspace: Uuid,
    pub agent: Uuid,
    pub token: Uuid,
    pub tailnet: Tailnet,
}

/// A server with an empty shelf of programs.
pub async fn world() -> World {
    with_binaries(Binaries::default()).await
}

/// A server that hands out these programs.
pub async fn with_binaries(binaries: Binaries) -> World {
    let db = testkit::db().await;
    let owner = testkit::user(&db, "ann", &[]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url: Url = format!("http://127.0.0.1:{port}").parse().unwrap();
    let control = Control::new(db.store.clone(), Settings::new(url.clone()));
    let tailnet = Tailnet::new(
        control.clone(),
        &url,
        TailnetSettings::default(),
        Uuid::new_v4(),
    );
    let state = AppState {
        control,
        http: Arc::new(http_settings()),
        limits: Arc::new(RateLimits::new(None, true)),
        tailnet: tailnet.clone(),
        live_agents: LiveAgents::default(),
        binaries,
    };
    let app = server::router(state).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let [workspace, agent, token] = [(); 3].map(|()| Uuid::new_v4());
    insert_workspace(&db, owner.id, "dev", workspace, agent, token).await;
    World {
        db,
        url,
        owner,
        workspace,
        agent,
        token,
        tailnet,
    }
}

fn http_settings() -> HttpSettings {
    HttpSettings {
        options: Arc::new(server::options::Options::defaults()),
        deployment_id: Uuid::new_v4(),
        cookies: CookiePolicy::default(),
        hsts: None,
        csp: Vec::new(),
        docs_url: String::new(),
        cli_upgrade_message: String::new(),
        terms_of_service_url: String::new(),
        experiments: Vec::new(),
        ssh_config_options: BTreeMap::new(),
        support_links: Vec::new(),
        proxies: TrustedProxies::new(&[], &[]).unwrap(),
        disable_path_apps: false,
    }
}

/// A running workspace with one agent that has one start script, by plain SQL.
pub async fn insert_workspace(
    db: &TestDb,
    owner: Uuid,
    name: &str,
    workspace: Uuid,
    agent: Uuid,
    token: Uuid,
) {
    let [template, version, job, build, resource, script] = [(); 6].map(|()| Uuid::new_v4());
    let organization = testkit::default_organization(db).await;
    let sql = format!(
        "INSERT INTO templates (id, created_at, updated_at, organization_id, name, provisioner,
             active_version_id, created_by)
             VALUES ('{template}', now(), now(), '{organization}', '{name}', 'terraform',
                 '{version}', '{owner}');
         INSERT INTO provisioner_jobs (id, created_at, updated_at, started_at, completed_at,
             organization_id, initiator_id, provisioner, type, file_id, tags, input)
             VALUES ('{job}', now(), now(), now(), now(), '{organization}', '{owner}', 'terraform',
                 'workspace_build', '{job}', '{{}}', '{{}}');
         INSERT INTO template_versions (id, template_id, organization_id, created_at, updated_at,
             name, job_id, created_by)
             VALUES ('{version}', '{template}', '{organization}', now(), now(), 'v', '{job}',
                 '{owner}');
         INSERT INTO workspaces (id, created_at, updated_at, owner_id, organization_id,
             template_id, name, last_used_at, latest_build_number)
             VALUES ('{workspace}', now(), now(), '{owner}', '{organization}', '{template}',
                 '{name}', now(), 1);
         INSERT INTO workspace_builds (id, created_at, updated_at, workspace_id,
             template_version_id, build_number, transition, initiator_id, reason, job_id)
             VALUES ('{build}', now(), now(), '{workspace}', '{version}', 1, 'start', '{owner}',
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
        db.execute(statement, &[]).await.unwrap();
    }
}

impl World {
    /// The API as the owner.
    pub fn client(&self) -> Client {
        self.client_as(self.owner.token.clone())
    }

    /// The API with a token.
    pub fn client_as(&self, token: api_types::Secret<String>) -> Client {
        Client::new(self.url.clone(), token).unwrap()
    }

    /// A session as the agent; `query` follows the question mark.
    pub async fn agent_session(&self, query: &str) -> (Session, Channel) {
        let client = self.client_as(self.token.to_string().into());
        let path = format!("/api/v2/workspaceagents/me/rpc?{query}");
        let io = client.websocket_bytes(&path).await.unwrap();
        session(io)
    }
}

/// A session over a socket's bytes.
pub fn session(
    io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static,
) -> (Session, Channel) {
    let session = Session::new(io, Role::Client, Config::default());
    (session.clone(), Channel::over(session))
}

/// Waits for something to come true.
pub async fn eventually<F: AsyncFnMut() -> bool>(what: &str, mut check: F) {
    for _ in 0..1200 {
        if check().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("still not: {what}");
}
