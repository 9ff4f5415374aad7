//! Drives a tunnel end by the coordinator's streams: publishes this end, asks for tunnels, takes
//! news of peers and relay maps.
//!
//! [`run`] serves one connection to the control plane; [`keep_running`] also reconnects, with the
//! resume token by which a client keeps its identifier.

mod convert;
mod reconnect;

use std::collections::BTreeSet;

use rpc::TailnetClient;
use rpc::drpc::{Receiver, Sender};
use rpc::proto::tailnet::coordinate_request::{Disconnect, ReadyForHandshake, Tunnel, UpdateSelf};
use rpc::proto::tailnet::{self, CoordinateRequest, CoordinateResponse};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use convert::{derp_map_from_proto, derp_map_to_proto, node_from_proto, node_to_proto};
pub use reconnect::{DialError, DialFuture, ResumeToken, keep_running};

use crate::{Conn, PeerUpdate, PeerUpdateKind};

/// After a disconnect was sent, the server has so long to hang up.
const DISCONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);
/// A refusal of one "ready" message that means only that the peer left meanwhile.
const READY_REFUSED: &str = "ready for handshake error";

/// Which part this end plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Is dialled: tells each peer when it is ready for its handshake.
    Agent,
    /// Dials: asks for a tunnel to each of [`Conn::destinations`].
    Client,
}

/// Why the coordination ended. Connect again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A stream failed.
    #[error("coordination failed: {0}")]
    Rpc(#[from] rpc::drpc::Error),
    /// The coordinator ended it with a reason.
    #[error("the coordinator refused: {0}")]
    Refused(String),
    /// The server ended a stream without a reason.
    #[error("the server ended the coordination")]
    Ended,
}

/// Serves `conn` by the streams of `client` until one fails, or until `stop`: then takes leave of
/// the coordinator and gives `Ok`. On failure all peers are marked lost.
pub async fn run(
    conn: &Conn,
    client: &TailnetClient,
    role: Role,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let result = tokio::select! {
        result = coordinate(conn, client, role, stop) => result,
        result = follow_derp_maps(conn, client) => result,
    };
    if result.is_err() {
        conn.mark_all_lost();
    }
    result
}

async fn follow_derp_maps(conn: &Conn, client: &TailnetClient) -> Result<(), Error> {
    let request = tailnet::StreamDerpMapsRequest {};
    let mut maps = client.stream_derp_maps(&request).await?;
    while let Some(map) = maps.recv().await? {
        conn.set_derp_map(derp_map_from_proto(map));
    }
    Err(Error::Ended)
}

async fn coordinate(
    conn: &Conn,
    client: &TailnetClient,
    role: Role,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let (mut sender, mut receiver) = client.coordinate().await?;
    let mut ours = conn.self_node();
    let mut wanted = conn.destinations();
    let mut tunnels = BTreeSet::new();
    // The description and the first tunnel travel in one message.
    let mut update_self = self_update(&mut ours);
    if role == Role::Client {
        let now = wanted.borrow_and_update().clone();
        let update_self = update_self.take();
        ask_for_tunnels(&mut sender, &mut tunnels, &now, update_self).await?;
    }
    if update_self.is_some() {
        let request = CoordinateRequest {
            update_self,
            ..CoordinateRequest::default()
        };
        sender.send(&request).await?;
    }
    let mut unready = BTreeSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return leave(sender, &mut receiver).await,
            response = receiver.recv() => {
                let response = response?.ok_or(Error::Ended)?;
                unready.append(&mut take_response(conn, role, response)?);
            }
            // Peers begin as soon as they are told: not before the relay would deliver it.
            () = conn.home_connected(), if !unready.is_empty() => {
                let ready = std::mem::take(&mut unready);
                let ready_for_handshake = ready.into_iter().map(ready_message).collect();
                let request = CoordinateRequest { ready_for_handshake, ..CoordinateRequest::default() };
                sender.send(&request).await?;
            }
            // The sender lives as long as the tunnel end.
            _ = ours.changed() => {
                let update_self = self_update(&mut ours);
                let request = CoordinateRequest { update_self, ..CoordinateRequest::default() };
                sender.send(&request).await?;
            }
            _ = wanted.changed(), if role == Role::Client => {
                let now = wanted.borrow_and_update().clone();
                ask_for_tunnels(&mut sender, &mut tunnels, &now, None).await?;
            }
        }
    }
}

fn self_update(ours: &mut tokio::sync::watch::Receiver<Option<crate::Node>>) -> Option<UpdateSelf> {
    let node = ours.borrow_and_update().as_ref().map(node_to_proto)?;
    Some(UpdateSelf { node: Some(node) })
}

/// Tells the coordinator what changed between `tunnels` and `wanted`. The description goes with
/// the first message.
async fn ask_for_tunnels(
    sender: &mut Sender<CoordinateRequest>,
    tunnels: &mut BTreeSet<Uuid>,
    wanted: &BTreeSet<Uuid>,
    mut update_self: Option<UpdateSelf>,
) -> Result<(), Error> {
    let tunnel = |id: &Uuid| {
        Some(Tunnel {
            id: id.as_bytes().to_vec(),
        })
    };
    for id in wanted.difference(tunnels) {
        let update_self = update_self.take();
        let request = CoordinateRequest {
            update_self,
            add_tunnel: tunnel(id),
            ..CoordinateRequest::default()
        };
        sender.send(&request).await?;
    }
    for id in tunnels.difference(wanted) {
        let request = CoordinateRequest {
            remove_tunnel: tunnel(id),
            ..CoordinateRequest::default()
        };
        sender.send(&request).await?;
    }
    tunnels.clone_from(wanted);
    if update_self.is_some() {
        let request = CoordinateRequest {
            update_self,
            ..CoordinateRequest::default()
        };
        sender.send(&request).await?;
    }
    Ok(())
}

/// Applies a response. Gives the peers that are to be told that this end is ready for them.
fn take_response(
    conn: &Conn,
    role: Role,
    response: CoordinateResponse,
) -> Result<BTreeSet<Uuid>, Error> {
    if !response.error.is_empty() {
        if response.error.starts_with(READY_REFUSED) {
            tracing::debug!(
                error = response.error,
                "a peer left before it was told of readiness"
            );
        } else {
            return Err(Error::Refused(response.error));
        }
    }
    let updates: Vec<PeerUpdate> = response
        .peer_updates
        .into_iter()
        .filter_map(convert::peer_update_from_proto)
        .collect();
    let described = updates
        .iter()
        .filter(|update| matches!(update.kind, PeerUpdateKind::Node(_)));
    let ready = match role {
        Role::Agent => described.map(|update| update.id).collect(),
        Role::Client => BTreeSet::new(),
    };
    conn.apply_peer_updates(updates);
    Ok(ready)
}

fn ready_message(peer: Uuid) -> ReadyForHandshake {
    ReadyForHandshake {
        id: peer.as_bytes().to_vec(),
    }
}

/// Says goodbye, so that peers forget this end at once.
async fn leave(
    mut sender: Sender<CoordinateRequest>,
    receiver: &mut Receiver<CoordinateResponse>,
) -> Result<(), Error> {
    let goodbye = async {
        let request = CoordinateRequest {
            disconnect: Some(Disconnect {}),
            ..CoordinateRequest::default()
        };
        sender.send(&request).await?;
        while receiver.recv().await?.is_some() {}
        Ok::<(), rpc::drpc::Error>(())
    };
    // Whether the server answers in time or not, this end is leaving.
    let _ = tokio::time::timeout(DISCONNECT_TIMEOUT, goodbye).await;
    Ok(())
}
