//! What is done over one connection to the control plane, from the manifest to
//! the end of the connection.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rpc::drpc;
use rpc::proto::agent as proto;
use tunnel::coordinate::{self, Role};

use crate::account::Account;
use crate::agent::Agent;
use crate::dial::Dialed;
use crate::manifest::{BadManifest, Manifest};
use crate::{apps, banners, metadata, resources, stats};

/// How long after a refusal a call of minor importance is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] drpc::Error),
    /// The multiplexed connection ended.
    #[error("the connection to the server ended: {0}")]
    Ended(rpc::mux::MuxError),
    /// The manifest is of no use.
    #[error(transparent)]
    Manifest(#[from] BadManifest),
    /// The tunnel could not be opened.
    #[error("the tunnel could not be opened: {0}")]
    Network(#[from] std::io::Error),
    /// The coordination of the tunnel ended.
    #[error(transparent)]
    Coordinate(#[from] coordinate::Error),
}

/// Serves one connection until something essential fails.
pub async fn serve(agent: &Arc<Agent>, dialed: &Dialed) -> Result<(), ConnectionError> {
    let client = &dialed.agent;
    let essential = async {
        tokio::try_join!(
            agent.logs.send(client),
            agent.lifecycle.reports().deliver(|lifecycle| async move {
                let lifecycle = Some(lifecycle);
                client
                    .update_lifecycle(&proto::UpdateLifecycleRequest { lifecycle })
                    .await
                    .map(drop)
            }),
        )
        .map(drop)
        .map_err(ConnectionError::from)
    };
    let minor = async {
        tokio::try_join!(
            patient("announcements", || banners::refresh(
                &agent.workspace,
                client
            )),
            patient("script timings", || {
                agent.scripts.timings().deliver(|timing| async move {
                    let timing = Some(timing);
                    let request = proto::WorkspaceAgentScriptCompletedRequest { timing };
                    client.script_completed(&request).await.map(drop)
                })
            }),
            patient("connection reports", || {
                agent
                    .workspace
                    .sessions
                    .reports()
                    .deliver(|connection| async move {
                        let connection = Some(connection);
                        client
                            .report_connection(&proto::ReportConnectionRequest { connection })
                            .await
                    })
            }),
            patient("resource monitoring", || resources::monitor(client)),
            patient("context", || agent.context.push(client)),
        )
        .map(drop)
        .map_err(ConnectionError::from)
    };
    let ended = async { Err::<(), _>(ConnectionError::Ended(dialed.session.closed().await)) };
    tokio::try_join!(essential, minor, with_manifest(agent, dialed), ended).map(drop)
}

/// What needs the manifest.
async fn with_manifest(agent: &Arc<Agent>, dialed: &Dialed) -> Result<(), ConnectionError> {
    let client = &dialed.agent;
    let account = Account::current();
    let manifest = client.get_manifest(&proto::GetManifestRequest {}).await?;
    let manifest = Arc::new(Manifest::from_proto(manifest, &account)?);
    let directory = manifest.directory.clone().unwrap_or_default();
    let config = &agent.workspace.config;
    let startup = proto::Startup {
        version: config.version.clone(),
        expanded_directory: directory.to_string_lossy().into_owned(),
        subsystems: config.subsystems.iter().map(|s| i32::from(*s)).collect(),
    };
    client
        .update_startup(&proto::UpdateStartupRequest {
            startup: Some(startup),
        })
        .await?;
    let network = agent.manifest_ready(&manifest, &account)?;

    let tunnel = async {
        coordinate::run(&network.conn, &dialed.tailnet, Role::Agent, &network.leave).await?;
        // It has left by our own wish: the connection goes on for the last logs.
        std::future::pending::<Result<(), ConnectionError>>().await
    };
    let minor = async {
        tokio::try_join!(
            patient("statistics", || stats::report(
                &agent.workspace,
                &network.conn,
                client
            )),
            patient("app health", || apps::watch(&agent.workspace, client)),
            patient("metadata", || metadata::collect(&agent.workspace, client)),
        )
        .map(drop)
        .map_err(ConnectionError::from)
    };
    tokio::try_join!(tunnel, minor).map(drop)
}

/// Runs something of minor importance for the life of a connection: what the
/// server does not know is left alone, what it refuses is tried again later.
/// Only a failure of the connection itself is passed on.
async fn patient<F>(name: &'static str, mut run: impl FnMut() -> F) -> Result<(), drpc::Error>
where
    F: Future<Output = Result<(), drpc::Error>>,
{
    loop {
        match run().await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_unimplemented() => {
                tracing::debug!(name, "the server does not know this call");
                return Ok(());
            }
            Err(drpc::Error::Refused(status)) => {
                tracing::warn!(name, %status, "the server refused a call");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error),
        }
    }
}
