//! The tasks of direct paths: receive, send what had no room, look up our addresses.

use std::sync::Arc;

use super::{Family, Received};
use crate::shared::Shared;

/// After an error of a socket, it is read again only after so long.
const ERROR_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Receives and looks up addresses until the tunnel ends.
pub(crate) async fn run(shared: Arc<Shared>) {
    let cancel = shared.cancel.clone();
    tokio::select! {
        () = cancel.cancelled() => {}
        () = receive(&shared, Family::V4) => {}
        () = receive(&shared, Family::V6) => {}
        () = look_up(&shared) => {}
    }
}

async fn receive(shared: &Arc<Shared>, family: Family) {
    let mut received = Received::default();
    loop {
        let rebound = shared.rebound.notified();
        let Some(socket) = shared.direct.socket() else {
            rebound.await;
            continue;
        };
        tokio::select! {
            result = socket.receive(family, &mut received) => match result {
                Ok(()) => shared.turn(|engine, now| engine.receive_datagrams(&received, now)),
                Err(error) => {
                    tracing::debug!(%error, "a UDP socket failed");
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            },
            () = rebound => {}
        }
    }
}

/// Looks up our addresses at the start, and whenever a peer is to be called.
async fn look_up(shared: &Arc<Shared>) {
    loop {
        let endpoints = shared.direct.local_endpoints();
        shared.set_endpoints(endpoints);
        shared.look_up.notified().await;
    }
}

/// Sends when the socket has room again what had none.
pub(crate) async fn run_writer(shared: Arc<Shared>, to: std::net::SocketAddr) {
    if let Some(socket) = shared.direct.socket() {
        tokio::select! {
            // An error shows in the next attempt to send.
            _ = socket.writable(to) => {}
            () = shared.cancel.cancelled() => return,
        }
    }
    shared.turn(|engine, _| engine.direct.room());
}
