//! What every part of the agent shares: settings, the manifest once it is
//! known, banners, session counts and the processes that were started.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use parking_lot::RwLock;
use rpc::AgentClient;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::banners::Banner;
use crate::config::Config;
use crate::environment::{self, CommandLine};
use crate::manifest::Manifest;
use crate::metrics::Metrics;
use crate::process::Groups;
use crate::sessions::Sessions;

/// The state of the agent that its parts share.
pub struct Workspace {
    /// Settings of the process.
    pub config: Config,
    /// Who is connected.
    pub sessions: Arc<Sessions>,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// Process groups of sessions, to be hung up at the end.
    pub groups: Groups,
    /// Cancelled when the agent shuts down and sessions must end.
    pub shutdown: CancellationToken,
    manifest: RwLock<Option<Arc<Manifest>>>,
    banners: RwLock<Vec<Banner>>,
    server: RwLock<Option<AgentClient>>,
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace").finish_non_exhaustive()
    }
}

/// Nothing can run before the manifest has come.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the workspace agent has no manifest yet; try again in a moment")]
pub struct NotReady;

impl Workspace {
    /// A workspace that knows only its settings.
    pub fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            config,
            sessions: Sessions::new(),
            metrics: Metrics::default(),
            groups: Groups::default(),
            shutdown: CancellationToken::new(),
            manifest: RwLock::default(),
            banners: RwLock::default(),
            server: RwLock::default(),
        })
    }

    /// The manifest, once it has come.
    pub fn manifest(&self) -> Option<Arc<Manifest>> {
        self.manifest.read().clone()
    }

    /// Takes a new manifest.
    pub fn set_manifest(&self, manifest: Arc<Manifest>) {
        *self.manifest.write() = Some(manifest);
    }

    /// The way to the control plane while there is a connection.
    pub(crate) fn server(&self) -> Option<AgentClient> {
        self.server.read().clone()
    }

    /// Takes note that there is a connection, or none.
    pub(crate) fn set_server(&self, server: Option<AgentClient>) {
        *self.server.write() = server;
    }

    /// What to announce at login.
    pub fn banners(&self) -> Vec<Banner> {
        self.banners.read().clone()
    }

    /// Takes new announcements.
    pub fn set_banners(&self, banners: Vec<Banner>) {
        *self.banners.write() = banners;
    }

    /// The command line of `script`, with variables of the client.
    pub fn command_line(
        &self,
        script: &OsStr,
        client: &[(OsString, OsString)],
    ) -> Result<CommandLine, NotReady> {
        let manifest = self.manifest().ok_or(NotReady)?;
        let account = Account::current();
        let env = environment::environment(&self.config, &manifest, &account, client);
        Ok(CommandLine::new(script, &manifest, &account, env))
    }
}
