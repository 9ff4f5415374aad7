//! Ports on which the workspace listens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api_types::{WorkspaceAgentListeningPort, WorkspaceAgentListeningPortsResponse};
use axum::extract::State;
use axum::response::Json;
use parking_lot::Mutex;

use crate::listening::{self, Port};

/// Looking for ports walks through all processes: not more often than this.
const PORTS_FRESH: Duration = Duration::from_secs(1);
/// Lowest port that is shown; below are services of the tunnel.
const FIRST_PORT: u16 = 9;
/// Ports in one answer: something that listens on more is not meant for people.
const MAX_PORTS: usize = 1024;

pub async fn listening(
    State(state): State<Arc<super::State>>,
) -> Json<WorkspaceAgentListeningPortsResponse> {
    // The walk blocks for as long as it takes to read /proc.
    let ports = tokio::task::spawn_blocking(fresh).await.unwrap_or_default();
    let config = &state.workspace.config;
    let own: Vec<u16> = [&config.metrics_listener, &config.debug_listener]
        .into_iter()
        .flatten()
        .filter_map(|listener| Some(listener.local_addr().ok()?.port()))
        .collect();
    let ports = ports
        .into_iter()
        .filter(|port| port.port >= FIRST_PORT && !own.contains(&port.port))
        .take(MAX_PORTS)
        .map(|port| WorkspaceAgentListeningPort {
            process_name: port.process_name,
            network: "tcp".into(),
            port: port.port,
        })
        .collect();
    Json(WorkspaceAgentListeningPortsResponse { ports })
}

fn fresh() -> Vec<Port> {
    static SEEN: Mutex<Option<(Instant, Vec<Port>)>> = Mutex::new(None);
    let mut seen = SEEN.lock();
    match seen.as_ref() {
        Some((at, ports)) if at.elapsed() < PORTS_FRESH => ports.clone(),
        _ => {
            let ports = listening::ports();
            *seen = Some((Instant::now(), ports.clone()));
            ports
        }
    }
}
