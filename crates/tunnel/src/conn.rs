//! The tunnel as its users see it: dial, listen, ping, and feed with what the coordinator says.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tunnel_proto::derp_map::DerpMap;
use tunnel_proto::key::{DiscoPrivate, NodePrivate};
use tunnel_proto::netcheck::{Lookup, Report};
use tunnel_proto::node::Node;
use tunnel_proto::peers::{ENDPOINTS_FRESH, Identity, PeerUpdate};
use uuid::Uuid;

use crate::direct::{self, Direct};
use crate::engine::{ConnectError, Engine};
use crate::listener::BACKLOG;
use crate::relay::{self, Relays};
use crate::shared::{self, Destinations, Shared};
use crate::udp::{self, UdpSocket};
use crate::{
    Config, FallbackTcp, Listener, PeerStatus, PingError, Pong, Status, TcpStream, Traffic, Via,
};

/// A disco ping without an answer is given up after so long.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Pings of [`Conn::await_reachable`] follow each other at first after so long, then doubling.
const MIN_REACH_INTERVAL: Duration = Duration::from_millis(50);
/// … up to this.
const MAX_REACH_INTERVAL: Duration = Duration::from_secs(5);
/// What streams still hold is delivered in this time when the tunnel is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a closing tunnel looks whether everything is delivered.
const CLOSE_POLL: Duration = Duration::from_millis(5);

/// One end of the tunnel. Cheap to clone. With the last clone, or by [`Conn::close`], the tunnel
/// ends: streams and listeners then fail.
#[derive(Clone)]
pub struct Conn(Arc<Owner>);

struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conn")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl Conn {
    /// Starts a tunnel end. Must be called inside a Tokio runtime. Connects to the home relay at
    /// once if the map of the settings has regions.
    pub fn new(config: Config) -> Self {
        let mut rng = rand::rng();
        let node = NodePrivate::generate(&mut rng);
        let relays = Relays::new(&config, node.clone());
        let identity = Identity {
            node,
            disco: DiscoPrivate::generate(&mut rng),
        };
        let mut engine = Engine::new(identity, config.addresses, Instant::now());
        engine.flows.set_limits(config.limits);
        engine.peers.set_direct_blocked(config.block_endpoints);
        let direct = Direct::new(config.block_endpoints, config.udp_port);
        let room = direct.socket().and_then(|socket| socket.receive_room());
        engine.receive_room = room.unwrap_or(usize::MAX);
        let shared = Arc::new(Shared::new(
            config.id,
            config.node_id,
            engine,
            relays,
            direct,
        ));
        tokio::spawn(shared::run_timer(shared.clone()));
        shared.set_endpoints(shared.direct.local_endpoints(), ENDPOINTS_FRESH);
        tokio::spawn(direct::run(shared.clone()));
        let conn = Self(Arc::new(Owner(shared.clone())));
        conn.set_derp_map(config.derp_map);
        tokio::spawn(relay::run_home(shared));
        conn
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    /// This peer's identifier.
    pub fn id(&self) -> Uuid {
        self.shared().id
    }

    /// This peer's addresses inside the tunnel.
    pub fn addresses(&self) -> Vec<Ipv6Addr> {
        self.shared().turn(|engine, _| engine.addresses.clone())
    }

    /// What to publish at the coordinator: `None` until a home relay is chosen, and a new value
    /// whenever something changes.
    pub fn self_node(&self) -> watch::Receiver<Option<Node>> {
        self.shared().node.subscribe()
    }

    /// Takes news of peers from the coordinator. Peers that were named by
    /// [`Conn::add_destination`] are used once they are ready for a handshake, others at once.
    pub fn apply_peer_updates(&self, updates: Vec<PeerUpdate>) {
        self.shared().turn(|engine, now| {
            for update in updates {
                engine.apply(update, now);
            }
        });
    }

    /// Marks `peer` as one that this end dials: its tunnel waits for "ready for handshake" (at
    /// most 5 s) and is kept alive.
    pub fn add_destination(&self, peer: Uuid) {
        let shared = self.shared();
        shared.turn(|engine, _| engine.peers.add_destination(peer));
        shared
            .destinations
            .send_if_modified(|peers| peers.add(peer));
    }

    /// Undoes [`Conn::add_destination`] and forgets the peer.
    pub fn remove_destination(&self, peer: Uuid) {
        let shared = self.shared();
        shared
            .destinations
            .send_if_modified(|peers| peers.remove(&peer));
        shared.turn(|engine, now| {
            engine.peers.remove_destination(peer);
            engine.peers_changed(now);
        });
    }

    /// Peers that this end dials.
    pub(crate) fn destinations(&self) -> watch::Receiver<Destinations> {
        self.shared().destinations.subscribe()
    }

    /// Waits until the home relay is connected: only then can peers reach this end.
    pub async fn home_connected(&self) {
        let shared = self.shared();
        let (mut connected, mut node) = (shared.connected.subscribe(), shared.node.subscribe());
        loop {
            let home = node
                .borrow_and_update()
                .as_ref()
                .map(|node| node.preferred_derp);
            if home.is_some_and(|home| connected.borrow_and_update().contains(&home)) {
                return;
            }
            tokio::select! {
                // The senders live as long as this end.
                _ = connected.changed() => {}
                _ = node.changed() => {}
            }
        }
    }

    /// The coordinator is out of reach: keeps each peer until 15 min after its last handshake.
    pub fn mark_all_lost(&self) {
        self.shared()
            .turn(|engine, now| engine.peers.mark_all_lost(now));
    }

    /// Takes a new map of relay regions. Embedded regions are rewritten to the base URL.
    pub fn set_derp_map(&self, mut map: DerpMap) {
        let shared = self.shared();
        if let Some(base) = &shared.relays.base {
            map.rewrite_embedded(base);
        }
        if *shared.derp_map.borrow().as_ref() == map {
            return;
        }
        let map = Arc::new(map);
        shared.derp_map.send_replace(map.clone());
        relay::choose_now(shared, &map);
    }

    /// Reaches relays only by WebSocket from the next connection on.
    pub fn set_derp_force_websockets(&self, force: bool) {
        self.shared().relays.set_force_websocket(force);
    }

    /// Uses only relays from now on and publishes no endpoints (`true`), or direct paths too.
    pub fn set_block_endpoints(&self, block: bool) {
        self.shared().set_direct_blocked(block);
    }

    /// Opens a TCP connection inside the tunnel. Waits while the peer is not known or not ready
    /// yet; bound it with a timeout of your own. `QuotaExceeded` if there are as many as
    /// [`crate::Limits`] allows.
    pub async fn dial_tcp(&self, to: SocketAddrV6) -> io::Result<TcpStream> {
        let shared = self.shared();
        self.wait_for(|engine| {
            let index = engine.peers.by_address(to.ip())?;
            engine.peers.get(index)?.is_active().then_some(())
        })
        .await
        .map_err(|_| closed())?;
        let opened = shared.turn(|engine, now| engine.connect(to, now));
        let (id, key) = opened.map_err(|error| {
            let kind = match error {
                ConnectError::Address => io::ErrorKind::AddrNotAvailable,
                ConnectError::TooMany(_) | ConnectError::TooManyToPeer(_) => {
                    io::ErrorKind::QuotaExceeded
                }
            };
            io::Error::new(kind, format!("cannot open a connection to {to}: {error}"))
        })?;
        let stream = TcpStream::new(shared.clone(), id, key);
        std::future::poll_fn(|cx| stream.poll_open(cx)).await?;
        Ok(stream)
    }

    /// Accepts TCP connections to `port` inside the tunnel, on every address of this peer.
    /// `AddrInUse` if the port has a listener.
    pub fn listen_tcp(&self, port: u16) -> io::Result<Listener> {
        let shared = self.shared();
        let (sender, queue) = mpsc::channel(BACKLOG);
        shared.turn(|engine, _| {
            if engine.closed {
                return Err(closed());
            }
            if engine.ports.listeners.contains_key(&port) {
                let text = format!("port {port} of the tunnel has a listener already");
                return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
            }
            engine.ports.listeners.insert(port, sender);
            Ok(())
        })?;
        Ok(Listener::new(shared.clone(), port, queue))
    }

    /// Sets what serves TCP connections to ports without a listener. Without it they are reset.
    pub fn set_fallback_tcp(&self, fallback: impl FallbackTcp) {
        self.shared()
            .turn(|engine, _| engine.ports.fallback = Some(Arc::new(fallback)));
    }

    /// A UDP socket at `port` inside the tunnel, or at a free port if it is 0. `AddrInUse` if the
    /// port is taken.
    pub fn bind_udp(&self, port: u16) -> io::Result<UdpSocket> {
        UdpSocket::bind(self.shared().clone(), port)
    }

    /// Forwards datagrams for ports without a socket to the same port on this machine, and the
    /// answers back. A flow ends after 2 min of silence.
    pub fn forward_udp_to_localhost(&self) {
        udp::forward_to_localhost(self.shared());
    }

    /// Measures the path to `peer` by a disco ping. Gives up after 5 s.
    pub async fn ping(&self, peer: Uuid) -> Result<Pong, PingError> {
        let shared = self.shared();
        let (sender, answer) = oneshot::channel();
        let number = shared
            .turn(|engine, now| engine.ping_disco(peer, sender, now))
            .ok_or(PingError::UnknownPeer)?;
        let result = tokio::time::timeout(PING_TIMEOUT, answer).await;
        shared.turn(|engine, _| engine.pings.forget_disco(number));
        match result {
            Ok(Ok(pong)) => Ok(pong),
            Ok(Err(_)) => Err(PingError::Closed),
            Err(_) => Err(PingError::Timeout(PING_TIMEOUT)),
        }
    }

    /// Waits until a packet has gone through the tunnel to `peer` and back.
    pub async fn await_reachable(&self, peer: Uuid, timeout: Duration) -> Result<(), PingError> {
        let reach = async {
            let mut interval = MIN_REACH_INTERVAL;
            loop {
                self.wait_for(|engine| {
                    let index = engine.peers.by_id(peer)?;
                    engine.peers.get(index)?.is_active().then_some(())
                })
                .await?;
                if self.ping_tunnel(peer, interval).await {
                    return Ok(());
                }
                interval = (interval * 2).min(MAX_REACH_INTERVAL);
            }
        };
        tokio::time::timeout(timeout, reach)
            .await
            .unwrap_or(Err(PingError::Timeout(timeout)))
    }

    /// One ping through the whole tunnel; true if it was answered in time.
    async fn ping_tunnel(&self, peer: Uuid, timeout: Duration) -> bool {
        let shared = self.shared();
        let (sender, answer) = oneshot::channel();
        let Some(data) = shared.turn(|engine, _| engine.ping_tsmp(peer, sender)) else {
            tokio::time::sleep(timeout).await;
            return false;
        };
        let answered = tokio::time::timeout(timeout, answer).await;
        shared.turn(|engine, _| engine.pings.forget_tsmp(data));
        matches!(answered, Ok(Ok(())))
    }

    /// Waits until `ready` finds what it looks for, looking after every change of the peers.
    async fn wait_for<R>(&self, ready: impl Fn(&Engine) -> Option<R>) -> Result<R, PingError> {
        let shared = self.shared();
        loop {
            let changed = shared.peers_changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that no change falls between.
            changed.as_mut().enable();
            if let Some(found) = shared.turn(|engine, _| ready(engine)) {
                return Ok(found);
            }
            tokio::select! {
                () = changed => {}
                () = shared.cancel.cancelled() => return Err(PingError::Closed),
            }
        }
    }

    /// What is known of this end and its peers, and of the network between.
    pub fn status(&self) -> Status {
        let shared = self.shared();
        let about = shared.about();
        let blocked = shared.direct.socket().is_none();
        let (network, direct_blocked) = shared.turn(|engine, _| {
            let report = engine.lookup.as_ref().map(Lookup::report);
            (report, engine.peers.is_direct_blocked())
        });
        Status {
            home_region: about.home,
            region_latency: about.latencies,
            endpoints: about.endpoints,
            direct_blocked: blocked || direct_blocked,
            network: network.filter(|report| *report != Report::default()),
            peers: self.peers(),
        }
    }

    /// Asks the STUN servers of the relay map what the network around this machine is like. Takes
    /// up to four seconds; without servers, or with direct paths blocked, nothing is known.
    pub async fn netcheck(&self) -> Report {
        direct::netcheck(self.shared()).await
    }

    /// What is known of each peer.
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.shared().turn(|engine, now| {
            let status = engine.peers.iter().map(|(_, peer)| {
                let route = peer.path.route(now);
                let via = route
                    .direct
                    .map(Via::Direct)
                    .or(route.relay.map(Via::Relay));
                PeerStatus {
                    id: peer.id,
                    addresses: peer.node.addresses.clone(),
                    home_region: peer.node.preferred_derp,
                    via: via.filter(|_| peer.is_active()),
                    last_handshake: peer.session.since_handshake(),
                    lost: peer.is_lost(),
                    endpoints: peer.node.endpoints.clone(),
                    path: peer.path.status(now),
                }
            });
            status.collect()
        })
    }

    /// Hands a copy of each packet inside the tunnel (IPv6, as sent or received) to `capture`
    /// from now on. It runs between two packets: what takes long slows the tunnel.
    pub fn capture(&self, capture: impl FnMut(&[u8]) + Send + 'static) {
        self.shared()
            .turn(|engine, _| engine.capture = Some(Box::new(capture)));
    }

    /// Counters since the start.
    pub fn traffic(&self) -> Traffic {
        self.shared().turn(|engine, _| Traffic {
            tcp_open: engine.flows.count_open() as u64,
            ..engine.traffic
        })
    }

    /// Ends the tunnel: sends what the streams still hold (at most 2 s), then stops everything.
    pub async fn close(&self) {
        let shared = self.shared();
        let until = Instant::now() + CLOSE_TIMEOUT;
        while Instant::now() < until && shared.turn(|engine, _| engine.flows.is_sending()) {
            tokio::time::sleep(CLOSE_POLL).await;
        }
        shared.shut_down();
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the tunnel is closed")
}
