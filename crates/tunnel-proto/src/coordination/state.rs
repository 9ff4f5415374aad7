//! The coordinator: peers, tunnels, and what follows from a request.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use uuid::Uuid;

use super::MAX_UPDATES_PER_MESSAGE;
use super::pending::{Change, Pending, Update};

/// Tunnels that one source may have; more than the agents of a large deployment.
const MAX_TUNNELS: usize = 16 * 1024;
/// Errors for a connection that does not read; more are of no use to it.
const MAX_ERRORS: usize = 16;

/// One connection to the coordinator; a peer that comes again has a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

/// What a peer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The destination of tunnels; opens none.
    Agent,
    /// The source of tunnels. Whether it may reach a destination is decided before
    /// [`Coordinator::handle`] is called.
    Client,
}

/// The parts of a request, applied from top to bottom.
#[derive(Debug, Clone)]
pub struct Request<N> {
    /// The peer's node as of now.
    pub update_self: Option<N>,
    /// Wants to know this peer, and to be known to it.
    pub add_tunnel: Option<Uuid>,
    /// No longer wants that.
    pub remove_tunnel: Option<Uuid>,
    /// Leaves for good.
    pub disconnect: bool,
    /// Has programmed the nodes of these sources.
    pub ready_for_handshake: Vec<Uuid>,
}

impl<N> Default for Request<N> {
    fn default() -> Self {
        Self {
            update_self: None,
            add_tunnel: None,
            remove_tunnel: None,
            disconnect: false,
            ready_for_handshake: Vec::new(),
        }
    }
}

/// Whether the connection goes on after a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Continue,
    /// The peer asked to leave.
    Left,
    /// The peer did what it may not; tell it this text and close.
    Refused(String),
}

/// What waits for a connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Output<N> {
    /// News about other peers.
    Updates(Vec<Update<N>>),
    /// A mistake of the peer that does not end its connection.
    Error(String),
    /// The connection is over for this reason.
    Closed(&'static str),
}

struct Connection<N> {
    peer: Uuid,
    role: Role,
    pending: Pending<N>,
    errors: VecDeque<String>,
    /// The node of each peer as last queued for this connection.
    told: HashMap<Uuid, N>,
    closed: Option<&'static str>,
}

struct Peer<N> {
    connection: Option<ConnectionId>,
    node: Option<N>,
    /// Tunnels that this peer opened.
    destinations: BTreeSet<Uuid>,
    /// Peers that opened tunnels to this one.
    sources: BTreeSet<Uuid>,
}

impl<N> Default for Peer<N> {
    fn default() -> Self {
        Self {
            connection: None,
            node: None,
            destinations: BTreeSet::new(),
            sources: BTreeSet::new(),
        }
    }
}

impl<N> Peer<N> {
    fn neighbours(&self) -> BTreeSet<Uuid> {
        self.destinations.union(&self.sources).copied().collect()
    }
}

/// Knows every peer and tunnel. See the module's documentation.
pub struct Coordinator<N> {
    peers: HashMap<Uuid, Peer<N>>,
    connections: HashMap<ConnectionId, Connection<N>>,
    next: u64,
    /// Connections that have something to take, since the last call of
    /// [`Coordinator::take_woken`].
    woken: HashSet<ConnectionId>,
    closed: bool,
}

impl<N> Default for Coordinator<N> {
    fn default() -> Self {
        Self {
            peers: HashMap::new(),
            connections: HashMap::new(),
            next: 0,
            woken: HashSet::new(),
            closed: false,
        }
    }
}

impl<N: Clone + PartialEq> Coordinator<N> {
    /// Connects a peer. An earlier connection of it is closed.
    pub fn connect(&mut self, peer: Uuid, role: Role) -> ConnectionId {
        self.next += 1;
        let id = ConnectionId(self.next);
        self.connections.insert(
            id,
            Connection {
                peer,
                role,
                pending: Pending::new(),
                errors: VecDeque::new(),
                told: HashMap::new(),
                closed: None,
            },
        );
        if self.closed {
            self.end(id, "coordinator closed");
            return id;
        }
        let entry = self.peers.entry(peer).or_default();
        let old = entry.connection.replace(id);
        let neighbours = entry.neighbours();
        if let Some(old) = old {
            self.end(old, "peer ID overwritten by new connection");
        }
        for other in neighbours {
            self.tell_node(peer, other);
        }
        id
    }

    /// Applies a request.
    ///
    /// A request of a connection that is already over changes nothing.
    pub fn handle(&mut self, connection: ConnectionId, request: Request<N>) -> Verdict {
        let Some((me, role)) = self.live(connection) else {
            return Verdict::Continue;
        };
        if role == Role::Agent && (request.add_tunnel.is_some() || request.remove_tunnel.is_some())
        {
            return Verdict::Refused("authorization: agents cannot open tunnels".to_owned());
        }
        if role == Role::Client && !request.ready_for_handshake.is_empty() {
            return Verdict::Refused(
                "authorization: only agents tell that they are ready for a handshake".to_owned(),
            );
        }
        if let Some(node) = request.update_self {
            self.update_self(me, node);
        }
        if let Some(destination) = request.add_tunnel
            && let Err(text) = self.add_tunnel(me, destination)
        {
            return Verdict::Refused(text);
        }
        if let Some(destination) = request.remove_tunnel {
            self.remove_tunnel(me, destination);
        }
        if request.disconnect {
            self.leave(connection, &Change::Disconnected("graceful disconnect"));
            return Verdict::Left;
        }
        for source in request.ready_for_handshake {
            self.ready(connection, me, source);
        }
        Verdict::Continue
    }

    /// Forgets a connection that broke. Harmless if it is over already.
    pub fn lost(&mut self, connection: ConnectionId) {
        self.leave(
            connection,
            &Change::Lost("connection to the coordinator lost"),
        );
    }

    /// Ends every connection, and takes no more.
    pub fn close(&mut self) {
        self.closed = true;
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for connection in all {
            self.end(connection, "coordinator closed");
        }
        self.peers.clear();
    }

    /// Takes what waits for a connection: call until `None`. After [`Output::Closed`] the
    /// connection is forgotten.
    pub fn take(&mut self, connection: ConnectionId) -> Option<Output<N>> {
        let state = self.connections.get_mut(&connection)?;
        if let Some(text) = state.errors.pop_front() {
            return Some(Output::Error(text));
        }
        if let Some(reason) = state.closed {
            self.connections.remove(&connection);
            return Some(Output::Closed(reason));
        }
        if state.pending.is_empty() {
            return None;
        }
        Some(Output::Updates(state.pending.take(MAX_UPDATES_PER_MESSAGE)))
    }

    /// The connections that got something to take since the last call.
    pub fn take_woken(&mut self) -> Vec<ConnectionId> {
        self.woken.drain().collect()
    }

    /// The last published node of a peer.
    pub fn node(&self, peer: Uuid) -> Option<&N> {
        self.peers.get(&peer)?.node.as_ref()
    }

    /// Number of peers that are connected or awaited by a tunnel.
    pub fn peer_count(&self) -> usize {
        self.peers.len()
    }

    fn live(&self, connection: ConnectionId) -> Option<(Uuid, Role)> {
        let state = self.connections.get(&connection)?;
        state.closed.is_none().then_some((state.peer, state.role))
    }

    fn end(&mut self, connection: ConnectionId, reason: &'static str) {
        if let Some(state) = self.connections.get_mut(&connection) {
            state.closed.get_or_insert(reason);
            self.woken.insert(connection);
        }
    }

    fn update_self(&mut self, me: Uuid, node: N) {
        let Some(peer) = self.peers.get_mut(&me) else {
            return;
        };
        peer.node = Some(node);
        for other in peer.neighbours() {
            self.tell_node(other, me);
        }
    }

    fn add_tunnel(&mut self, source: Uuid, destination: Uuid) -> Result<(), String> {
        let peer = self.peers.entry(source).or_default();
        if peer.destinations.len() >= MAX_TUNNELS && !peer.destinations.contains(&destination) {
            return Err(format!("authorization: more than {MAX_TUNNELS} tunnels"));
        }
        peer.destinations.insert(destination);
        self.peers
            .entry(destination)
            .or_default()
            .sources
            .insert(source);
        self.tell_node(source, destination);
        self.tell_node(destination, source);
        Ok(())
    }

    fn remove_tunnel(&mut self, source: Uuid, destination: Uuid) {
        let removed = self
            .peers
            .get_mut(&source)
            .is_some_and(|peer| peer.destinations.remove(&destination));
        if !removed {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&destination) {
            peer.sources.remove(&source);
        }
        // They may still know each other by a tunnel in the other direction.
        let reverse = self
            .peers
            .get(&source)
            .is_some_and(|peer| peer.sources.contains(&destination));
        if !reverse {
            self.tell(source, destination, Change::Disconnected("tunnel removed"));
            self.tell(destination, source, Change::Disconnected("tunnel removed"));
        }
        self.forget_if_unused(destination);
    }

    fn ready(&mut self, connection: ConnectionId, me: Uuid, source: Uuid) {
        let shared = self
            .peers
            .get(&me)
            .is_some_and(|peer| peer.sources.contains(&source));
        if shared {
            self.tell(source, me, Change::ReadyForHandshake);
        } else if let Some(state) = self.connections.get_mut(&connection)
            && state.errors.len() < MAX_ERRORS
        {
            // Peers recognise the beginning of this text.
            state.errors.push_back(format!(
                "ready for handshake error: you do not share a tunnel with {source}"
            ));
            self.woken.insert(connection);
        }
    }

    /// Ends a connection from the peer's side; its neighbours learn `change`.
    fn leave(&mut self, connection: ConnectionId, change: &Change<N>) {
        let Some(state) = self.connections.remove(&connection) else {
            return;
        };
        self.woken.remove(&connection);
        let me = state.peer;
        let Some(peer) = self.peers.get_mut(&me) else {
            return;
        };
        if peer.connection != Some(connection) {
            // Replaced by a newer one, which carries on.
            return;
        }
        peer.connection = None;
        peer.node = None;
        let neighbours = peer.neighbours();
        let destinations = std::mem::take(&mut peer.destinations);
        for destination in &destinations {
            if let Some(other) = self.peers.get_mut(destination) {
                other.sources.remove(&me);
            }
        }
        for other in neighbours {
            self.tell(other, me, change.clone());
            self.forget_if_unused(other);
        }
        // The tunnels that others opened to it are theirs: they ask but once, and get its node when
        // it comes again, in whatever way it went.
        self.forget_if_unused(me);
    }

    fn forget_if_unused(&mut self, id: Uuid) {
        if let Some(peer) = self.peers.get(&id)
            && peer.connection.is_none()
            && peer.sources.is_empty()
            && peer.destinations.is_empty()
        {
            self.peers.remove(&id);
        }
    }

    /// Tells `to` the node of `about`, if there is one and it is news.
    fn tell_node(&mut self, to: Uuid, about: Uuid) {
        if let Some(node) = self.peers.get(&about).and_then(|peer| peer.node.clone()) {
            self.tell(to, about, Change::Node(node));
        }
    }

    fn tell(&mut self, to: Uuid, about: Uuid, change: Change<N>) {
        let Some(connection) = self.peers.get(&to).and_then(|peer| peer.connection) else {
            return;
        };
        let Some(state) = self.connections.get_mut(&connection) else {
            return;
        };
        match &change {
            Change::Node(node) => {
                if state.told.get(&about) == Some(node) {
                    return;
                }
                state.told.insert(about, node.clone());
            }
            Change::Disconnected(_) | Change::Lost(_) => {
                state.told.remove(&about);
            }
            Change::ReadyForHandshake => {}
        }
        state.pending.push(about, change);
        self.woken.insert(connection);
    }
}
