//! The STUN server of the deployment, if it is to have one.

use std::net::SocketAddr;

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::RunError;

/// Opens the sockets, before anything else is started.
pub(super) async fn listen(addresses: &[SocketAddr]) -> Result<Vec<UdpSocket>, RunError> {
    let mut sockets = Vec::new();
    for address in addresses {
        let socket = UdpSocket::bind(address).await;
        sockets.push(socket.map_err(|error| RunError::Option {
            flag: "derp-server-stun-listen",
            problem: format!("cannot listen on UDP {address}: {error}"),
        })?);
    }
    Ok(sockets)
}

/// Answers until `stop`.
pub(super) fn serve(sockets: Vec<UdpSocket>, tasks: &TaskTracker, stop: &CancellationToken) {
    for socket in sockets {
        let stop = stop.clone();
        tasks.spawn(async move { stop.run_until_cancelled(relay::serve_stun(socket)).await });
    }
}
