//! The life of the agent: connects again and again, starts the workspace's
//! scripts once, and shuts down in order.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rpc::proto::agent::lifecycle::State;
use rpc::version::TAILNET;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::api::Api;
use crate::config::Config;
use crate::connection;
use crate::context::Context;
use crate::dial::dial;
use crate::lifecycle::Lifecycle;
use crate::limits;
use crate::logs::Logs;
use crate::manifest::Manifest;
use crate::metrics;
use crate::network::Network;
use crate::scripts::{Outcome, Scripts, Stage};
use crate::secrets;
use crate::socket::Socket;
use crate::vscode;
use crate::workspace::Workspace;

/// Shortest and longest pause between two attempts to connect.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A connection that held this long was a good one: the next attempt comes soon.
const HELD: Duration = Duration::from_secs(10);
/// How long the logs of start scripts may hold up the report of their end.
const LOGS_FIRST: Duration = Duration::from_secs(2);
/// How long sessions may take to end.
const SESSIONS_END: Duration = Duration::from_secs(5);
/// How long the last reports may take.
const LAST_REPORTS: Duration = Duration::from_secs(5);

/// The parts of the agent.
pub struct Agent {
    /// What all parts share.
    pub workspace: Arc<Workspace>,
    /// Where the agent stands.
    pub lifecycle: Lifecycle,
    /// Lines of scripts.
    pub logs: Arc<Logs>,
    /// The scripts.
    pub scripts: Scripts,
    network: Mutex<Option<Arc<Network>>>,
    api: Api,
    /// What the workspace tells AI agents.
    pub context: Arc<Context>,
    /// Scheduled scripts end with it.
    stop: CancellationToken,
}

/// Runs the agent until `shutdown` is cancelled and everything has been brought
/// to its end.
pub async fn run(config: Config, shutdown: CancellationToken) {
    limits::raise();
    let workspace = Workspace::new(config);
    let logs = Arc::new(Logs::default());
    let context = Arc::new(Context::new(
        workspace.clone(),
        workspace.config.context.clone(),
    ));
    let _socket = workspace.config.socket_path.as_ref().and_then(|path| {
        Socket::open(path, workspace.clone(), context.clone())
            .inspect_err(|error| tracing::warn!(%error, ?path, "there is no local socket"))
            .ok()
    });
    let agent = Arc::new(Agent {
        lifecycle: Lifecycle::new(),
        scripts: Scripts::new(workspace.clone(), logs.clone()),
        logs,
        network: Mutex::default(),
        api: Api::new(workspace.clone(), context.clone()),
        context: context.clone(),
        stop: CancellationToken::new(),
        workspace,
    });
    agent.api.serve_locally();
    if let Err(error) = agent.scripts.prepare() {
        tracing::warn!(%error, "the directory for programs of scripts could not be made");
    }
    tokio::select! {
        () = agent.connect_forever() => {}
        () = async { shutdown.cancelled().await; agent.shut_down().await } => {}
    }
}

impl Agent {
    /// Connects to the control plane whenever there is no connection.
    async fn connect_forever(self: &Arc<Self>) {
        let mut version = TAILNET;
        let mut pause = BACKOFF.0;
        loop {
            if let Err(error) = self.workspace.config.sign_in().await {
                tracing::warn!(%error, "no token was given to this instance");
            }
            match dial(&self.workspace.config.client(), &mut version).await {
                Ok(dialed) => {
                    tracing::info!(%version, "connected to the server");
                    let began = tokio::time::Instant::now();
                    self.workspace.set_server(Some(dialed.agent.clone()));
                    if let Err(error) = connection::serve(self, &dialed).await {
                        tracing::warn!(%error, "the connection to the server was lost");
                    }
                    self.workspace.set_server(None);
                    dialed.session.close();
                    if began.elapsed() >= HELD {
                        pause = BACKOFF.0;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the server could not be reached");
                    // It may have been replaced by a newer one.
                    version = TAILNET;
                }
            }
            // Agents that lost the same server must not all come back at once.
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.75..1.25))).await;
            pause = (pause * 2).min(BACKOFF.1);
        }
    }

    /// Takes a manifest: the first one starts everything, later ones bring news.
    pub fn manifest_ready(
        self: &Arc<Self>,
        manifest: &Arc<Manifest>,
        account: &Account,
    ) -> std::io::Result<Arc<Network>> {
        let mut network = self.network.lock();
        self.workspace.set_manifest(manifest.clone());
        if let Some(network) = network.as_ref() {
            network.update(manifest);
            return Ok(network.clone());
        }
        secrets::write_files(manifest, account);
        if manifest.git_auth_configs > 0 {
            vscode::override_git_settings(&account.home);
        }
        let opened = Arc::new(Network::open(&self.workspace, manifest, self.api.clone())?);
        *network = Some(opened.clone());
        drop(network);
        tokio::spawn(self.clone().start());
        Ok(opened)
    }

    /// Runs the start scripts, then the scheduled ones.
    async fn start(self: Arc<Self>) {
        self.lifecycle.set(State::Starting);
        let began = std::time::Instant::now();
        let state = match self.scripts.run_all(Stage::Start).await {
            Outcome::Ok | Outcome::PipesLeftOpen => State::Ready,
            Outcome::TimedOut => State::StartTimeout,
            Outcome::Failed => State::StartError,
        };
        let success = if state == State::Ready {
            "true"
        } else {
            "false"
        };
        self.workspace.metrics.set(
            metrics::name::START_SCRIPTS,
            &[("success", success)],
            began.elapsed().as_secs_f64(),
        );
        // Whoever waits for this state has seen the scripts' last lines by then.
        let _ = tokio::time::timeout(LOGS_FIRST, self.logs.drained()).await;
        self.lifecycle.set(state);
        tokio::join!(
            self.scripts.run_scheduled(self.stop.clone()),
            self.context.run()
        );
    }

    /// Brings everything to its end, while the connection carries the news of it.
    async fn shut_down(&self) {
        self.lifecycle.set(State::ShuttingDown);
        self.stop.cancel();
        self.workspace.shutdown.cancel();
        self.workspace.groups.hang_up();
        let ended = async {
            while self.workspace.sessions.total() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(SESSIONS_END, ended).await.is_err() {
            tracing::warn!("some sessions did not end in time");
        }
        if let Some(network) = self.network.lock().as_ref() {
            network.leave.cancel();
        }
        let state = match self.scripts.run_all(Stage::Stop).await {
            Outcome::Ok | Outcome::PipesLeftOpen => State::Off,
            Outcome::TimedOut => State::ShutdownTimeout,
            Outcome::Failed => State::ShutdownError,
        };
        self.lifecycle.set(state);
        let reported = async {
            self.logs.drained().await;
            self.scripts.timings().drained().await;
            self.lifecycle.reports().drained().await;
        };
        if tokio::time::timeout(LAST_REPORTS, reported).await.is_err() {
            tracing::warn!("the server did not take the last reports in time");
        }
    }
}
