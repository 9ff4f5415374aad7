//! What the tasks and handles of one tunnel end share, and how they take turns at the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tunnel_proto::derp_map::DerpMap;
use tunnel_proto::node::Node;
use uuid::Uuid;

use crate::direct::{Direct, Family, SleepWatch};
use crate::engine::{Accepted, Action, Engine, FlowId};
use crate::relay::Relays;
use crate::{FallbackTcp, Inbound, TcpStream};

/// Bundles of the direct queue that one turn sends. What is left goes out in turns of its own, so that
/// whoever was woken by this one, such as a terminal beside a copy, need not wait for all of it.
const ROUNDS: usize = 2;
/// Without deadlines, the timer task looks again after so long.
const NEVER: Duration = Duration::from_hours(24);

/// What is published of this end beside its keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    pub(crate) home: Option<u16>,
    pub(crate) latencies: BTreeMap<u16, Duration>,
    pub(crate) endpoints: Vec<SocketAddr>,
}

/// Shared by everything that belongs to one tunnel end.
pub(crate) struct Shared {
    pub(crate) id: Uuid,
    node_id: i64,
    /// Streams may be dropped on threads outside the runtime.
    runtime: Handle,
    engine: Mutex<Engine>,
    /// Wakes the timer task. Locked after the engine.
    alarm: Mutex<Pin<Box<Sleep>>>,
    /// Wakes whoever waits for a peer.
    pub(crate) peers_changed: Notify,
    /// Ends all tasks.
    pub(crate) cancel: CancellationToken,
    pub(crate) relays: Relays,
    pub(crate) direct: Direct,
    /// Our addresses should be looked up.
    pub(crate) look_up: Notify,
    /// The STUN servers answered, or will not any more.
    pub(crate) looked_up: Notify,
    /// Connections to relays should be checked: they may be dead without knowing.
    pub(crate) check_relays: Notify,
    /// There are new sockets.
    pub(crate) rebound: Notify,
    about: Mutex<About>,
    /// An address that the router keeps open for us.
    port_map: Mutex<Option<SocketAddr>>,
    pub(crate) derp_map: watch::Sender<Arc<DerpMap>>,
    pub(crate) node: watch::Sender<Option<Node>>,
    /// Regions whose relay is connected.
    pub(crate) connected: watch::Sender<BTreeSet<u16>>,
    /// Peers that this end dials, for the coordinator.
    pub(crate) destinations: watch::Sender<Destinations>,
}

/// Peers that an end dials. One that is given up and named again has another generation.
#[derive(Debug, Default)]
pub(crate) struct Destinations {
    generations: BTreeMap<Uuid, u64>,
    last: u64,
}

impl Destinations {
    /// False if it was there already.
    pub(crate) fn add(&mut self, peer: Uuid) -> bool {
        if self.generations.contains_key(&peer) {
            return false;
        }
        self.last += 1;
        self.generations.insert(peer, self.last);
        true
    }

    /// False if it was not there.
    pub(crate) fn remove(&mut self, peer: &Uuid) -> bool {
        self.generations.remove(peer).is_some()
    }

    /// The generation of each.
    pub(crate) fn generations(&self) -> &BTreeMap<Uuid, u64> {
        &self.generations
    }
}

impl Shared {
    /// Must be called inside a Tokio runtime.
    pub(crate) fn new(
        id: Uuid,
        node_id: i64,
        engine: Engine,
        relays: Relays,
        direct: Direct,
    ) -> Self {
        Self {
            id,
            node_id,
            runtime: Handle::current(),
            engine: Mutex::new(engine),
            alarm: Mutex::new(Box::pin(tokio::time::sleep(Duration::ZERO))),
            peers_changed: Notify::new(),
            cancel: CancellationToken::new(),
            relays,
            direct,
            look_up: Notify::new(),
            looked_up: Notify::new(),
            check_relays: Notify::new(),
            rebound: Notify::new(),
            about: Mutex::default(),
            port_map: Mutex::default(),
            derp_map: watch::Sender::new(Arc::default()),
            node: watch::Sender::new(None),
            connected: watch::Sender::new(BTreeSet::new()),
            destinations: watch::Sender::new(Destinations::default()),
        }
    }

    /// Runs `f` on the engine, then everything that became due by it.
    pub(crate) fn turn<R>(self: &Arc<Self>, f: impl FnOnce(&mut Engine, Instant) -> R) -> R {
        let now = Instant::now();
        let mut engine = self.engine.lock();
        engine.set_time(now);
        let result = f(&mut engine, now);
        engine.pump(now);
        let mut round = 0;
        while self.direct.flush(&mut engine, now) {
            round += 1;
            if round == ROUNDS {
                engine.go_on_later();
                break;
            }
            engine.pump(now);
        }
        engine.start_direct_writer();
        let actions = std::mem::take(&mut engine.actions);
        let woken = std::mem::take(&mut engine.woken);
        let deadline = engine.next_deadline();
        let sooner = deadline.filter(|due| engine.armed.is_none_or(|armed| *due < armed));
        let alarm = sooner.map(|due| {
            engine.armed = deadline;
            (due, self.alarm.lock())
        });
        drop(engine);
        for waker in woken {
            waker.wake();
        }
        // The timer task need not run for this: it would take the turn of those who were woken.
        if let Some((due, mut alarm)) = alarm {
            alarm.as_mut().reset(due.into());
        }
        for action in actions {
            self.act(action);
        }
        result
    }

    /// The home region; `None` before the first choice.
    pub(crate) fn home(&self) -> Option<u16> {
        self.node.borrow().as_ref().map(|node| node.preferred_derp)
    }

    pub(crate) fn is_home(&self, region: u16) -> bool {
        self.home() == Some(region)
    }

    /// Publishes this end's description with `home`, if it changed.
    pub(crate) fn set_home(&self, home: u16, latencies: &BTreeMap<u16, Duration>) {
        let mut about = self.about.lock();
        about.home = Some(home);
        about.latencies.clone_from(latencies);
        self.publish(&about);
    }

    /// Publishes the addresses at which this end may be reached, and tells them to the peers that
    /// are to be called.
    pub(crate) fn set_endpoints(self: &Arc<Self>, endpoints: Vec<SocketAddr>, fresh: Duration) {
        self.turn(|engine, now| engine.set_endpoints(endpoints.clone(), fresh, now));
        let mut about = self.about.lock();
        about.endpoints = endpoints;
        self.publish(&about);
    }

    /// What is published.
    pub(crate) fn about(&self) -> About {
        self.about.lock().clone()
    }

    /// Our addresses as STUN servers saw them last.
    pub(crate) fn mapped_endpoints(&self) -> Vec<SocketAddr> {
        let port = self
            .direct
            .socket()
            .and_then(|socket| socket.port(Family::V4));
        let engine = self.engine.lock();
        engine
            .lookup
            .as_ref()
            .map(|lookup| lookup.endpoints(port))
            .unwrap_or_default()
    }

    /// This machine is on another network, or was asleep: paths are asked anew, our addresses are
    /// looked up, and the relays' connections must prove that they live.
    pub(crate) fn network_changed(self: &Arc<Self>) {
        self.turn(Engine::network_changed);
        self.check_relays.notify_waiters();
        self.look_up.notify_one();
    }

    /// The machine slept, or reaches the Internet in another way: its sockets may belong to what is
    /// gone, so there are new ones, and then [`Shared::network_changed`].
    pub(crate) async fn moved(self: &Arc<Self>) {
        let tell = || self.rebound.notify_waiters();
        if let Some(port) = self.direct.release(tell).await {
            if self.turn(|engine, _| engine.peers.is_direct_blocked()) {
                return;
            }
            self.direct.bind_again(port);
            tracing::debug!(before = port, "the sockets are bound anew");
            self.rebound.notify_waiters();
            self.turn(|engine, _| engine.direct.room());
        }
        self.network_changed();
    }

    /// Uses only relays from now on, or direct paths too.
    pub(crate) fn set_direct_blocked(self: &Arc<Self>, blocked: bool) {
        let changes = self.turn(|engine, _| {
            let changes = engine.peers.is_direct_blocked() != blocked;
            engine.peers.set_direct_blocked(blocked);
            changes
        });
        if !changes {
            return;
        }
        if blocked {
            self.direct.unbind();
        } else {
            let _runtime = self.runtime.enter();
            self.direct.bind();
        }
        self.rebound.notify_waiters();
        self.look_up.notify_one();
    }

    /// The router keeps this address open for us, or none.
    pub(crate) fn set_port_map(&self, address: Option<SocketAddr>) {
        let before = std::mem::replace(&mut *self.port_map.lock(), address);
        if before != address {
            self.look_up.notify_one();
        }
    }

    /// Addresses that the router keeps open for us.
    pub(crate) fn port_map(&self) -> Vec<SocketAddr> {
        self.port_map.lock().iter().copied().collect()
    }

    /// Asks the relay of `region` for a sign of life.
    pub(crate) fn ping_relay(self: &Arc<Self>, region: u16) {
        self.turn(|engine, _| {
            engine.send_frame(region, |out| tunnel_proto::derp::ping(out, rand::random()));
        });
    }

    /// Does nothing before a home is chosen: peers could not use the description.
    fn publish(&self, about: &About) {
        let Some(home) = about.home else {
            return;
        };
        let (keys, addresses) = {
            let engine = self.engine.lock();
            (engine.peers.identity().clone(), engine.addresses.clone())
        };
        let reason = "the plain upgrade was refused".to_owned();
        let forced = self
            .relays
            .websocket_regions()
            .into_iter()
            .map(|region| (region, reason.clone()));
        let node = Node {
            id: self.node_id,
            key: keys.node.public(),
            disco: keys.disco.public(),
            preferred_derp: home,
            derp_latency: about
                .latencies
                .iter()
                .map(|(region, time)| (format!("{region}-v4"), time.as_secs_f64()))
                .collect(),
            derp_forced_websocket: forced.collect(),
            allowed_ips: addresses.clone(),
            addresses,
            endpoints: about.endpoints.clone(),
        };
        self.node.send_if_modified(|published| {
            let changed = published.as_ref() != Some(&node);
            if changed {
                *published = Some(node);
            }
            changed
        });
    }

    /// Ends everything: streams fail, tasks stop.
    pub(crate) fn shut_down(self: &Arc<Self>) {
        self.cancel.cancel();
        self.turn(|engine, _| engine.close());
    }

    fn act(self: &Arc<Self>, action: Action) {
        match action {
            Action::StartLink(region) => {
                self.runtime
                    .spawn(crate::relay::run_link(self.clone(), region));
            }
            Action::StartWriter(to) => {
                self.runtime
                    .spawn(crate::direct::run_writer(self.clone(), to));
            }
            Action::GoOn => {
                let shared = self.clone();
                self.runtime.spawn(async move {
                    // Those who were woken come first.
                    tokio::task::yield_now().await;
                    shared.turn(|engine, _| engine.going_on());
                });
            }
            Action::LookUp => self.look_up.notify_one(),
            Action::LookedUp => self.looked_up.notify_one(),
            Action::Decide(inbound) => self.decide(inbound),
            Action::Accepted(id, accepted) => self.hand_over(id, accepted),
            Action::PeersChanged => self.peers_changed.notify_waiters(),
        }
    }

    fn decide(self: &Arc<Self>, inbound: Inbound) {
        let fallback: Option<Arc<dyn FallbackTcp>> = self.engine.lock().ports.fallback.clone();
        let shared = self.clone();
        self.runtime.spawn(async move {
            let decision = match fallback {
                Some(fallback) => fallback.open(inbound).await,
                None => Err(std::io::ErrorKind::ConnectionRefused.into()),
            };
            shared.turn(|engine, now| engine.decided(inbound, decision, now));
        });
    }

    fn hand_over(self: &Arc<Self>, id: FlowId, accepted: Accepted) {
        let Some(key) = self.engine.lock().flow_key(id) else {
            return;
        };
        // From here on, dropping the stream closes the connection.
        let stream = TcpStream::new(self.clone(), id, key);
        match accepted {
            // A full queue was refused at the request; a closed one drops the stream.
            Accepted::Listener(listener) => drop(listener.try_send(stream)),
            Accepted::Serve(serve) => {
                self.runtime.spawn(serve(stream));
            }
        }
    }
}

/// Runs the engine's timers until the tunnel ends.
pub(crate) async fn run_timer(shared: Arc<Shared>) {
    let mut sleep_watch = SleepWatch::new();
    loop {
        {
            let mut engine = shared.engine.lock();
            engine.armed = engine.next_deadline();
            let due = engine.armed.unwrap_or_else(|| Instant::now() + NEVER);
            shared.alarm.lock().as_mut().reset(due.into());
        }
        tokio::select! {
            () = shared.cancel.cancelled() => return,
            () = std::future::poll_fn(|cx| shared.alarm.lock().as_mut().poll(cx)) => {}
        }
        // The first timer after a sleep is the first to know.
        if sleep_watch.has_slept() {
            let shared = shared.clone();
            tokio::spawn(async move { shared.moved().await });
        }
        shared.turn(Engine::handle_timeout);
    }
}
