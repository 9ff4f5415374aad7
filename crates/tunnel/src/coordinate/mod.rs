//! Drives a tunnel end by the coordinator's streams: publishes this end, asks for tunnels, takes
//! news of peers and relay maps.
//!
//! [`run`] serves one connection to the control plane; [`keep_running`] also reconnects, with the
//! resume token by which a client keeps its identifier.

mod asking;
mod convert;
mod reconnect;

use std::collections::BTreeSet;

use rpc::TailnetClient;
use rpc::drpc::{Receiver, Sender};
use rpc::proto::tailnet::coordinate_request::{Disconnect, ReadyForHandshake, UpdateSelf};
use rpc::proto::tailnet::{self, CoordinateRequest, CoordinateResponse};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use convert::{derp_map_from_proto, derp_map_to_proto, node_from_proto, node_to_proto};
pub use reconnect::{DialError, DialFuture, ResumeToken, keep_running};

use asking::Asked;

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
    /// Dials: asks for a tunnel to each peer that was named by [`Conn::add_destination`].
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
    // Peers that are still to be told that this end is ready for them.
    let unready = watch::Sender::new(BTreeSet::new());
    tokio::select! {
        () = stop.cancelled() => {}
        // Side by side: a coordinator that waits until its news are read takes no requests.
        result = ask(conn, role, &mut sender, &unready) => return result,
        result = listen(conn, role, &mut receiver, &unready) => return result,
    }
    leave(sender, &mut receiver).await
}

/// Takes the coordinator's news until it ends.
async fn listen(
    conn: &Conn,
    role: Role,
    receiver: &mut Receiver<CoordinateResponse>,
    unready: &watch::Sender<BTreeSet<Uuid>>,
) -> Result<(), Error> {
    loop {
        let response = receiver.recv().await?.ok_or(Error::Ended)?;
        let mut described = take_response(conn, role, response)?;
        unready.send_if_modified(|unready| {
            let some = !described.is_empty();
            unready.append(&mut described);
            some
        });
    }
}

/// Tells the coordinator of this end and asks for tunnels, until a stream fails.
async fn ask(
    conn: &Conn,
    role: Role,
    sender: &mut Sender<CoordinateRequest>,
    unready: &watch::Sender<BTreeSet<Uuid>>,
) -> Result<(), Error> {
    let mut ours = conn.self_node();
    let mut wanted = conn.destinations();
    let mut tunnels = Asked::default();
    let mut described = unready.subscribe();
    let mut requests = Vec::new();
    if role == Role::Client {
        requests = tunnels.bring_to(&wanted.borrow_and_update());
    }
    // The description and the first tunnel travel in one message.
    if let Some(update_self) = self_update(&mut ours) {
        if requests.is_empty() {
            requests.push(CoordinateRequest::default());
        }
        requests[0].update_self = Some(update_self);
    }
    loop {
        for request in std::mem::take(&mut requests) {
            sender.send(&request).await?;
        }
        tokio::select! {
            // Peers begin as soon as they are told: not before the relay would deliver it.
            () = ready_for_some(conn, &mut described) => {
                let mut ready = BTreeSet::new();
                unready.send_if_modified(|unready| {
                    ready = std::mem::take(unready);
                    false
                });
                let ready_for_handshake = ready.into_iter().map(ready_message).collect();
                requests.push(CoordinateRequest { ready_for_handshake, ..CoordinateRequest::default() });
            }
            // The sender lives as long as the tunnel end.
            _ = ours.changed() => {
                let update_self = self_update(&mut ours);
                requests.push(CoordinateRequest { update_self, ..CoordinateRequest::default() });
            }
            _ = wanted.changed(), if role == Role::Client => {
                requests = tunnels.bring_to(&wanted.borrow_and_update());
            }
        }
    }
}

/// Waits until a peer is to be told that this end is ready, and until that is so.
async fn ready_for_some(conn: &Conn, unready: &mut watch::Receiver<BTreeSet<Uuid>>) {
    // Its sender is borrowed by the caller, and so lives.
    if unready
        .wait_for(|unready| !unready.is_empty())
        .await
        .is_ok()
    {
        conn.home_connected().await;
    }
}

fn self_update(ours: &mut tokio::sync::watch::Receiver<Option<crate::Node>>) -> Option<UpdateSelf> {
    let node = ours.borrow_and_update().as_ref().map(node_to_proto)?;
    Some(UpdateSelf { node: Some(node) })
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
