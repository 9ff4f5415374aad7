//! The coordinator with its connections: the state machine of [`tunnel_proto::coordination`]
//! behind a lock, and a bell for each connection.

use std::collections::HashMap;
use std::sync::Arc;

use authz::{Action, Subject};
use control::Control;
use parking_lot::Mutex;
use rpc::drpc::{Receiver, Sender, Status};
use rpc::proto::tailnet::coordinate_response::{PeerUpdate, peer_update};
use rpc::proto::tailnet::{CoordinateRequest, CoordinateResponse};
use tokio::sync::Notify;
use tunnel_proto::coordination::{
    Change, ConnectionId, Coordinator as State, Output, Request, Role, Update, Verdict,
};
use uuid::Uuid;

use super::node::{SharedNode, check};

/// Sources that one request may declare ready; a request is bounded by its size anyway.
const MAX_READY: usize = 1024;

/// Which tunnels a peer may open.
pub(crate) enum Access {
    /// None: it is the destination.
    Agent,
    /// To every agent: it is this server, which asks for rights before it opens any.
    Server,
    /// To this agent only.
    To(Uuid),
    /// To each agent that the user may reach by SSH.
    ByRights(Control, Subject),
}

/// Peers and tunnels of this process.
#[derive(Default)]
pub(crate) struct Coordinator {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    state: State<SharedNode>,
    bells: HashMap<ConnectionId, Arc<Notify>>,
}

impl Shared {
    /// Rings for all who got something.
    fn ring(&mut self) {
        for connection in self.state.take_woken() {
            if let Some(bell) = self.bells.get(&connection) {
                bell.notify_one();
            }
        }
    }
}

/// Ends a connection however its stream ends.
struct Connection {
    shared: Arc<Mutex<Shared>>,
    id: ConnectionId,
    bell: Arc<Notify>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut shared = self.shared.lock();
        shared.bells.remove(&self.id);
        shared.state.lost(self.id);
        shared.ring();
    }
}

impl Coordinator {
    fn connect(&self, peer: Uuid, role: Role) -> Connection {
        let mut shared = self.shared.lock();
        let id = shared.state.connect(peer, role);
        let bell = Arc::new(Notify::new());
        shared.bells.insert(id, Arc::clone(&bell));
        shared.ring();
        Connection {
            shared: Arc::clone(&self.shared),
            id,
            bell,
        }
    }

    /// Ends every connection.
    pub(super) fn close(&self) {
        let mut shared = self.shared.lock();
        shared.state.close();
        shared.ring();
    }

    /// Serves a peer's stream until either side ends it.
    pub(crate) async fn serve(
        &self,
        peer: Uuid,
        access: &Access,
        mut input: Receiver<CoordinateRequest>,
        mut output: Sender<CoordinateResponse>,
    ) -> Result<(), Status> {
        let role = match access {
            Access::Agent => Role::Agent,
            Access::Server | Access::To(_) | Access::ByRights(..) => Role::Client,
        };
        let connection = self.connect(peer, role);
        loop {
            loop {
                let next = connection.shared.lock().state.take(connection.id);
                match next {
                    None => break,
                    Some(Output::Updates(updates)) => {
                        output.send(&response(updates)).await?;
                    }
                    Some(Output::Error(text)) => output.send(&error(text)).await?,
                    Some(Output::Closed(reason)) => {
                        output.send(&error(reason.to_owned())).await?;
                        return Ok(());
                    }
                }
            }
            let request = tokio::select! {
                () = connection.bell.notified() => continue,
                request = input.recv() => request?,
            };
            let Some(request) = request else {
                return Ok(());
            };
            let verdict = match parse(peer, access, request).await {
                Ok(request) => {
                    let mut shared = connection.shared.lock();
                    let verdict = shared.state.handle(connection.id, request);
                    shared.ring();
                    verdict
                }
                Err(text) => Verdict::Refused(format!("authorization: {text}")),
            };
            match verdict {
                Verdict::Continue => {}
                Verdict::Left => return Ok(()),
                Verdict::Refused(text) => {
                    output.send(&error(text)).await?;
                    return Ok(());
                }
            }
        }
    }
}

/// Checks a request against the peer's rights.
async fn parse(
    peer: Uuid,
    access: &Access,
    request: CoordinateRequest,
) -> Result<Request<SharedNode>, String> {
    let uuid = |bytes: &[u8]| {
        Uuid::from_slice(bytes).map_err(|_| "a peer's id must be a UUID of 16 bytes".to_owned())
    };
    let update_self = match request.update_self.and_then(|update| update.node) {
        None => None,
        Some(node) => {
            let agent = matches!(access, Access::Agent).then_some(peer);
            check(&node, agent).map_err(|error| error.to_string())?;
            Some(SharedNode(Arc::new(node)))
        }
    };
    let add_tunnel = match request.add_tunnel {
        None => None,
        Some(tunnel) => {
            let destination = uuid(&tunnel.id)?;
            may_reach(access, destination).await?;
            Some(destination)
        }
    };
    let remove_tunnel = request
        .remove_tunnel
        .map(|tunnel| uuid(&tunnel.id))
        .transpose()?;
    if request.ready_for_handshake.len() > MAX_READY {
        return Err(format!("more than {MAX_READY} peers at once"));
    }
    let ready = request.ready_for_handshake.iter();
    Ok(Request {
        update_self,
        add_tunnel,
        remove_tunnel,
        disconnect: request.disconnect.is_some(),
        ready_for_handshake: ready
            .map(|ready| uuid(&ready.id))
            .collect::<Result<_, _>>()?,
    })
}

async fn may_reach(access: &Access, destination: Uuid) -> Result<(), String> {
    const REFUSED: &str = "workspace agent not found or you do not have permission";
    match access {
        // The state machine refuses it.
        Access::Agent | Access::Server => Ok(()),
        Access::To(agent) if *agent == destination => Ok(()),
        Access::To(_) => Err(REFUSED.to_owned()),
        Access::ByRights(control, who) => control
            .workspace_agent_check(who, Action::Ssh, destination)
            .await
            .map(drop)
            .map_err(|_| REFUSED.to_owned()),
    }
}

fn error(text: String) -> CoordinateResponse {
    CoordinateResponse {
        error: text,
        peer_updates: Vec::new(),
    }
}

fn response(updates: Vec<Update<SharedNode>>) -> CoordinateResponse {
    use peer_update::Kind;
    let updates = updates.into_iter().map(|update| {
        let (kind, node, reason) = match update.change {
            Change::Node(node) => (Kind::Node, Some((*node.0).clone()), ""),
            Change::Disconnected(reason) => (Kind::Disconnected, None, reason),
            Change::Lost(reason) => (Kind::Lost, None, reason),
            Change::ReadyForHandshake => (Kind::ReadyForHandshake, None, ""),
        };
        PeerUpdate {
            id: update.id.as_bytes().to_vec(),
            node,
            kind: kind.into(),
            reason: reason.to_owned(),
        }
    });
    CoordinateResponse {
        peer_updates: updates.collect(),
        error: String::new(),
    }
}
