//! A server of the test's own with a workspace whose agent may sign in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use client::Client;
use control::{Control, Settings};
use rpc::drpc::Channel;
use rpc::mux::{Config, Role, Session};
use server::{
    AppState, Binaries, CookiePolicy, Health, HttpSettings, LiveAgents, RateLimits, Tailnet,
    TailnetSettings, TrustedProxies,
};
use testkit::{TestDb, TestUser};
use url::Url;
use uuid::Uuid;

use crate::published::Published;

/// What a test works with.
pub struct World {
    pub db: TestDb,
    pub url: Url,
    pub owner: TestUser,
    pub workspace: Uuid,
    pub agent: Uuid,
    pub token: Uuid,
    pub tailnet: Tailnet,
    pub apps: server::Apps,
    pub control: Control,
    pub published: Published,
}

/// A server with an empty shelf of programs.
pub async fn world() -> World {
    with_binaries(Binaries::default()).await
}

/// A server that hands out these programs.
pub async fn with_binaries(binaries: Binaries) -> World {
    made(binaries, TailnetSettings::default(), |_| {}).await
}

/// A server whose rules have other settings.
pub async fn with_settings(change: impl FnOnce(&mut Settings)) -> World {
    made(Binaries::default(), TailnetSettings::default(), change).await
}

/// A server with other settings of paths.
pub async fn with_paths(paths: TailnetSettings) -> World {
    made(Binaries::default(), paths, |_| {}).await
}

async fn made(
    binaries: Binaries,
    paths: TailnetSettings,
    change: impl FnOnce(&mut Settings),
) -> World {
    let db = testkit::db().await;
    let owner = testkit::user(&db, "ann", &[]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url: Url = format!("http://127.0.0.1:{port}").parse().unwrap();
    let mut settings = Settings::new(url.clone());
    change(&mut settings);
    let control = Control::new(db.store.clone(), settings);
    let state = state(&control, &url, paths, binaries);
    let (tailnet, apps) = (state.tailnet.clone(), state.apps.clone());
    let published = Published::default();
    let app = published
        .watch(server::router(state))
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let made = testkit::workspace(&db, owner.id, "dev").await;
    World {
        db,
        url,
        owner,
        workspace: made.id,
        agent: made.agent,
        token: made.token,
        tailnet,
        apps,
        control,
        published,
    }
}

fn state(control: &Control, url: &Url, paths: TailnetSettings, binaries: Binaries) -> AppState {
    let tailnet = Tailnet::new(control.clone(), url, paths, Uuid::new_v4());
    AppState {
        apps: server::Apps::new(control.clone(), tailnet.clone()),
        control: control.clone(),
        http: Arc::new(http_settings()),
        limits: Arc::new(RateLimits::new(None, true)),
        tailnet,
        live_agents: LiveAgents::default(),
        health: Health::default(),
        binaries,
    }
}

/// The routes of another server with these rules, and its part in the tunnel.
pub fn router(control: &Control, url: &Url) -> (axum::Router, Tailnet) {
    let state = state(
        control,
        url,
        TailnetSettings::default(),
        Binaries::default(),
    );
    let tailnet = state.tailnet.clone();
    (server::router(state), tailnet)
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

impl World {
    /// The API as the owner.
    pub fn client(&self) -> Client {
        self.client_as(self.owner.token.clone())
    }

    /// Writes down what apps were used.
    pub async fn apps_flush(&self) {
        let now = tokio_util::sync::CancellationToken::new();
        now.cancel();
        self.apps.run(now).await;
        self.control.activity_flush().await.unwrap();
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
