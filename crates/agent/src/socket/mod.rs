//! The local socket of the agent, by which programs in the workspace reach it:
//! scripts that wait for each other (`coder exp sync`), states of apps, places to
//! search for context. Only the agent's own account may open it.

mod service;
mod units;

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rpc::AgentSocketClient;
use rpc::drpc::{self, Channel};
use rpc::{AgentSocketServer, drpc::Router};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use crate::context::Context;
use crate::workspace::Workspace;
use service::Service;

/// Where the socket is unless something else is said.
pub const DEFAULT_PATH: &str = "/tmp/coder-agent.sock";
/// Where the socket of an agent goes that was told nothing: where all expect it, or beside it if an
/// agent of another workspace on this machine is there. Programs of its own workspace learn of that by
/// `CODER_AGENT_SOCKET_PATH`.
pub fn free_path() -> PathBuf {
    beside(Path::new(DEFAULT_PATH))
}

fn beside(usual: &Path) -> PathBuf {
    if std::os::unix::net::UnixStream::connect(usual).is_err() {
        return usual.to_owned();
    }
    usual.with_file_name(format!("coder-agent-{}.sock", std::process::id()))
}

/// Connections that are served at a time; more wait.
const MAX_CONNECTIONS: usize = 64;

/// A client of the socket at `path`; each call opens a connection.
pub fn client(path: &Path) -> AgentSocketClient {
    let path = path.to_owned();
    AgentSocketClient::new(Channel::connecting(move || {
        UnixStream::connect(path.clone())
    }))
}

/// The socket while it is served; dropping it ends it.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    _serving: AbortOnDropHandle<()>,
}

impl Socket {
    /// Opens and serves the socket.
    pub fn open(path: &Path, workspace: Arc<Workspace>, context: Arc<Context>) -> io::Result<Self> {
        let listener = bind(path)?;
        let service = Service::new(workspace, context);
        let router = Arc::new(Router::new().with(AgentSocketServer(Arc::new(service))));
        Ok(Self {
            path: path.to_owned(),
            _serving: AbortOnDropHandle::new(tokio::spawn(serve(listener, router))),
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Someone else may have removed it.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        let text = "another agent listens on it; choose another path with CODER_AGENT_SOCKET_PATH";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
    }
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

async fn serve(listener: UnixListener, router: Arc<Router>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // It is never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    if let Err(error) = drpc::serve_connection(stream, &router).await {
                        tracing::debug!(%error, "a client of the local socket made no sense");
                    }
                    drop(place);
                });
            }
            // Out of descriptors, most likely: give others time to close theirs.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use rpc::proto::agentsocket as proto;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::testing;

    fn open(path: &Path) -> io::Result<Socket> {
        let workspace = testing::workspace();
        let context = Arc::new(Context::new(workspace.clone(), Default::default()));
        Socket::open(path, workspace, context)
    }

    #[tokio::test]
    async fn agents_of_one_machine_do_not_share() {
        let directory = tempfile::tempdir().unwrap();
        let usual = directory.path().join("agent.sock");
        assert_eq!(beside(&usual), usual);
        let socket = open(&usual).unwrap();
        let other = beside(&usual);
        assert_eq!(other.parent(), usual.parent());
        assert_ne!(other, usual);
        let second = open(&other).unwrap();
        client(&other).ping(&proto::PingRequest {}).await.unwrap();
        drop((socket, second));
        // What a dead one left is in nobody's way.
        std::fs::write(&usual, "").unwrap();
        assert_eq!(beside(&usual), usual);
    }

    #[tokio::test]
    async fn scripts_wait_for_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/agent.sock");
        let socket = open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let client = client(&path);
        client.ping(&proto::PingRequest {}).await.unwrap();
        let want = proto::SyncWantRequest {
            unit: "app".into(),
            depends_on: "db".into(),
        };
        client.sync_want(&want).await.unwrap();
        let unit = |unit: &str| unit.to_owned();
        let start = proto::SyncStartRequest { unit: unit("app") };
        let error = client.sync_start(&start).await.unwrap_err();
        assert!(error.to_string().contains("unit not ready"), "{error}");
        let other = proto::SyncStartRequest { unit: unit("db") };
        client.sync_start(&other).await.unwrap();
        let done = proto::SyncCompleteRequest { unit: unit("db") };
        client.sync_complete(&done).await.unwrap();
        let ready = proto::SyncReadyRequest { unit: unit("app") };
        assert!(client.sync_ready(&ready).await.unwrap().ready);
        client.sync_start(&start).await.unwrap();
        let status = proto::SyncStatusRequest { unit: unit("app") };
        let status = client.sync_status(&status).await.unwrap();
        assert_eq!(
            (status.status.as_str(), status.dependencies.len()),
            ("started", 1)
        );
        assert!(
            client
                .sync_list(&proto::SyncListRequest {})
                .await
                .unwrap()
                .units
                .len()
                == 2
        );
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn one_agent_at_a_time_and_no_leftovers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let _first = open(&path).unwrap();
        assert_eq!(open(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(&[0xff; 4096]).await.unwrap();
        // It may end with a reset, as not all was read.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        client(&path).ping(&proto::PingRequest {}).await.unwrap();
    }
}
