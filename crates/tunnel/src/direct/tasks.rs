//! The tasks of direct paths: receive, send what had no room, look up our addresses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tunnel_proto::netcheck::{Report, StunServer};
use tunnel_proto::peers::{ENDPOINTS_FRESH, ENDPOINTS_RETRY};

use super::{Family, Received, portmap, servers, watch};
use crate::shared::Shared;

/// The names of STUN servers are looked up again after so long.
const SERVERS_FRESH: Duration = Duration::from_mins(5);
/// Longer than any round of questions to STUN servers.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
/// While connections are open, our addresses are asked for again before they are stale: a router
/// forgets its translation after 30 s of silence, and what is published should be right.
const REFRESH: Duration = ENDPOINTS_FRESH;
/// After an error of a socket, it is read again only after so long.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Receives and looks up addresses until the tunnel ends.
pub(crate) async fn run(shared: Arc<Shared>) {
    let cancel = shared.cancel.clone();
    tokio::select! {
        () = cancel.cancelled() => {}
        () = receive(&shared, Family::V4) => {}
        () = receive(&shared, Family::V6) => {}
        () = look_up(&shared) => {}
        () = watch::run(&shared) => {}
        () = portmap::run(&shared) => {}
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

/// Looks up our addresses at the start, with every new map, whenever a peer is to be called, and
/// again and again while connections are open.
async fn look_up(shared: &Arc<Shared>) {
    let mut maps = shared.derp_map.subscribe();
    let mut servers: Option<(Instant, Vec<StunServer>)> = None;
    let mut outside = Vec::new();
    loop {
        // What is known already may be enough; what comes later is told again.
        let local = shared.direct.local_endpoints();
        if shared.direct.socket().is_none() {
            outside.clear();
        }
        let local = joined(&local, &shared.port_map());
        shared.set_endpoints(joined(&local, &outside), ENDPOINTS_FRESH);
        let map = maps.borrow_and_update().clone();
        let fresh = servers
            .as_ref()
            .is_some_and(|(at, _)| at.elapsed() < SERVERS_FRESH);
        if !fresh && shared.direct.socket().is_some() {
            servers = Some((Instant::now(), servers::resolve(&map).await));
        }
        let asked = servers.as_ref().map(|(_, list)| list.clone());
        if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
            shared.turn(|engine, now| engine.start_lookup(asked, now));
            // The round ends by itself; the limit is for a tunnel that is being closed.
            let _ = tokio::time::timeout(LOOKUP_TIMEOUT, shared.looked_up.notified()).await;
            let seen = shared.mapped_endpoints();
            let fresh = if seen.is_empty() {
                ENDPOINTS_RETRY
            } else {
                outside = seen;
                ENDPOINTS_FRESH
            };
            shared.set_endpoints(joined(&local, &outside), fresh);
        }
        let known = servers.as_ref().is_some_and(|(_, list)| !list.is_empty());
        tokio::select! {
            () = shared.look_up.notified() => {}
            () = until_stale(shared), if known => {}
            changed = maps.changed() => {
                if changed.is_err() {
                    return;
                }
                servers = None;
            }
        }
    }
}

/// Waits until our addresses are old and somebody may need them.
async fn until_stale(shared: &Arc<Shared>) {
    loop {
        tokio::time::sleep(REFRESH).await;
        if shared.direct.socket().is_some()
            && shared.turn(|engine, _| engine.flows.count_open()) > 0
        {
            return;
        }
    }
}

/// A round of questions of its own, with the one whether our address leads back to us.
pub(crate) async fn netcheck(shared: &Arc<Shared>) -> Report {
    let map = shared.derp_map.borrow().clone();
    if shared.direct.socket().is_none() {
        return Report::default();
    }
    let servers = servers::resolve(&map).await;
    let mut state = shared.turn(|engine, now| engine.start_check(servers, now));
    // The round ends by itself; the limit is for a tunnel that is being closed.
    let _ = tokio::time::timeout(LOOKUP_TIMEOUT, state.wait_for(Option::is_some)).await;
    let report = state.borrow().clone();
    report.unwrap_or_default()
}

fn joined(local: &[SocketAddr], outside: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut all = local.to_vec();
    all.extend(outside.iter().filter(|address| !local.contains(address)));
    all
}

/// Sends when the socket has room again what had none.
pub(crate) async fn run_writer(shared: Arc<Shared>, to: SocketAddr) {
    if let Some(socket) = shared.direct.socket() {
        tokio::select! {
            // An error shows in the next attempt to send.
            _ = socket.writable(to) => {}
            () = shared.cancel.cancelled() => return,
        }
    }
    shared.turn(|engine, _| engine.direct.room());
}
