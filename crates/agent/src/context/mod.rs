//! What the workspace tells AI agents about itself: instruction files, skills and
//! tools, found in a few known places and in those that someone adds. It is
//! looked for once the start scripts have run, and again from time to time.

mod legacy;
mod paths;
mod push;
mod resource;
mod scan;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api_types::{CallMcpToolRequest, CallMcpToolResponse};
use parking_lot::Mutex;
use tokio::sync::watch;

pub use legacy::Config;
pub use resource::Snapshot;

use crate::account::Account;
use crate::mcp::{ToolError, Tools};
use crate::workspace::Workspace;

/// How often files are looked at for changes that nobody tells of.
const POLL: Duration = Duration::from_secs(30);
/// How long who asks for a look waits until the server knows of it.
const TOLD: Duration = Duration::from_secs(3);
/// Places that may be added.
const MAX_SOURCES: usize = 256;

/// Why a place is not searched.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The path makes no sense.
    #[error("{0}")]
    Path(String),
    /// It was not added.
    #[error("{0:?}: context source not found")]
    Unknown(String),
    /// It lies elsewhere.
    #[error("path {0:?} is not inside any allowed root: use the home or the working directory")]
    Outside(PathBuf),
    /// Too many were added.
    #[error("{MAX_SOURCES} sources are registered already; remove some first")]
    TooMany,
}

/// What is found, and where it is looked for.
#[derive(Debug)]
pub struct Context {
    workspace: Arc<Workspace>,
    config: Config,
    tools: Tools,
    sources: Mutex<Vec<PathBuf>>,
    /// Version zero until the first look.
    latest: watch::Sender<Arc<Snapshot>>,
    ready: watch::Sender<bool>,
    /// The version that the server knows.
    pushed: watch::Sender<u64>,
    looking: tokio::sync::Mutex<()>,
}

impl Context {
    /// Nothing has been looked for yet.
    pub fn new(workspace: Arc<Workspace>, config: Config) -> Self {
        Self {
            tools: Tools::new(workspace.clone()),
            workspace,
            config,
            sources: Mutex::default(),
            latest: watch::Sender::new(Arc::default()),
            ready: watch::Sender::new(false),
            pushed: watch::Sender::new(0),
            looking: tokio::sync::Mutex::default(),
        }
    }

    /// Looks from now on, until the agent ends.
    pub async fn run(&self) {
        self.ready.send_replace(true);
        loop {
            self.resync().await;
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = self.workspace.shutdown.cancelled() => return,
            }
        }
    }

    /// What was found last.
    pub fn latest(&self) -> Arc<Snapshot> {
        self.latest.borrow().clone()
    }

    /// Looks now. Before the start scripts have run, there is nothing to be found.
    pub async fn resync(&self) -> Arc<Snapshot> {
        // One look at a time: what comes later sees more.
        let _looking = self.looking.lock().await;
        if !*self.ready.borrow() {
            return self.latest();
        }
        let roots = self.roots();
        let servers = self.tools.list(&self.mcp_files()).await;
        let found = tokio::task::spawn_blocking(move || scan::scan(&roots, &servers)).await;
        // A look that failed as a whole leaves the last one as it was.
        if let Ok(mut found) = found {
            self.latest.send_if_modified(|latest| {
                let changed = latest.version == 0 || !latest.same_as(&found);
                if changed {
                    found.version = latest.version + 1;
                    *latest = Arc::new(found);
                }
                changed
            });
        }
        self.latest()
    }

    /// Waits, not for ever, until the server knows what was found.
    pub async fn told(&self, snapshot: &Snapshot) {
        let mut pushed = self.pushed.subscribe();
        let told = pushed.wait_for(|version| *version >= snapshot.version);
        // Without a connection, the next one tells it.
        let _ = tokio::time::timeout(TOLD, told).await;
    }

    fn working_directory(&self) -> Option<PathBuf> {
        self.workspace.manifest()?.directory.clone()
    }

    /// Where is looked: first come, first served.
    fn roots(&self) -> Vec<scan::Root> {
        let account = Account::current();
        let builtin = [".coder", ".coder/skills", ".claude/plugins/cache"];
        let own = self
            .working_directory()
            .into_iter()
            .chain(builtin.iter().map(|name| account.home.join(name)))
            .map(|path| scan::Root {
                path: path.canonicalize().unwrap_or(path),
                source: None,
            });
        let added = self.sources.lock().clone().into_iter();
        own.chain(added.map(|path| scan::Root {
            source: Some(path.clone()),
            path,
        }))
        .collect()
    }

    /// Places that were added.
    pub fn sources(&self) -> Vec<PathBuf> {
        self.sources.lock().clone()
    }

    /// The added place that `path` means.
    pub fn source(&self, path: &str) -> Result<PathBuf, SourceError> {
        let unknown = || SourceError::Unknown(path.to_owned());
        let wanted = paths::absolute(path).map_err(|_| unknown())?;
        let known = self.sources.lock().contains(&wanted);
        known.then_some(wanted).ok_or_else(unknown)
    }

    /// Adds a place below the home or the working directory.
    pub fn add(self: &Arc<Self>, path: &str) -> Result<PathBuf, SourceError> {
        let wanted = paths::absolute(path).map_err(SourceError::Path)?;
        // Where it really leads counts.
        let real = wanted.canonicalize().unwrap_or_else(|_| wanted.clone());
        let allowed = [Some(Account::current().home), self.working_directory()];
        let inside = |root: &Path| {
            let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
            real.starts_with(root)
        };
        if !allowed.iter().flatten().any(|root| inside(root)) {
            return Err(SourceError::Outside(wanted));
        }
        {
            let mut sources = self.sources.lock();
            if sources.contains(&wanted) {
                return Ok(wanted);
            }
            if sources.len() >= MAX_SOURCES {
                return Err(SourceError::TooMany);
            }
            sources.push(wanted.clone());
        }
        self.look_soon();
        Ok(wanted)
    }

    /// Removes a place that was added.
    pub fn remove(self: &Arc<Self>, path: &str) -> Result<(), SourceError> {
        let known = self.source(path)?;
        self.sources.lock().retain(|source| *source != known);
        self.look_soon();
        Ok(())
    }

    fn look_soon(self: &Arc<Self>) {
        let context = self.clone();
        tokio::spawn(async move { context.resync().await });
    }

    /// Instructions and skills as parts of a chat message.
    pub fn legacy(&self) -> api_types::ContextConfigResponse {
        self.config.read(self.working_directory().as_deref())
    }

    /// Calls a tool of an MCP server.
    pub async fn call_tool(
        &self,
        request: &CallMcpToolRequest,
    ) -> Result<CallMcpToolResponse, ToolError> {
        self.tools.call(&self.mcp_files(), request).await
    }

    fn mcp_files(&self) -> Vec<PathBuf> {
        self.config.mcp_files(self.working_directory().as_deref())
    }
}

#[cfg(test)]
mod tests;
