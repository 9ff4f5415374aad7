//! Keeps a port of the router open for our socket, if it lets itself be asked (PCP, NAT-PMP, UPnP).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tunnel_proto::netcheck::portmap::{self, Answer, Nonce};

use super::{Family, upnp};
use crate::shared::Shared;

/// A router answers in this time, or not at all: it is the next machine.
const PATIENCE: Duration = Duration::from_millis(250);
/// A router that speaks the newer protocol answers in this time; then the older is tried.
const NEWER_FIRST: Duration = Duration::from_millis(100);
/// A mapping is renewed at least this rarely, whatever the router says.
const MIN_RENEWAL: Duration = Duration::from_mins(1);

/// How a port was mapped, to renew it or to give it back.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    outside: SocketAddrV4,
    lifetime: Duration,
    gateway: SocketAddr,
    ours: Ipv4Addr,
    port: u16,
    by: By,
}

/// The protocol that mapped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Pcp(Nonce),
    NatPmp,
    Upnp,
}

/// Gives the port back when the tunnel ends.
struct Held(Option<Mapping>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(mapping) = self.0.take() {
            give_back(&mapping);
        }
    }
}

/// Asks now, again before the mapping ends, and after every change of the network.
pub(super) async fn run(shared: &Arc<Shared>) {
    let mut held = Held(None);
    loop {
        let changed = shared.check_relays.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let port = shared
            .direct
            .socket()
            .and_then(|socket| socket.port(Family::V4));
        let found = match (port, gateway()) {
            (Some(port), Some((gateway, ours))) => ask_all(gateway, ours, port).await,
            _ => None,
        };
        held.0 = found;
        shared.set_port_map(found.map(|mapping| mapping.outside.into()));
        let renewal = found.map(|mapping| (mapping.lifetime / 2).max(MIN_RENEWAL));
        tokio::select! {
            () = changed => {}
            () = async {
                match renewal {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    }
}

/// Asks by the cheap protocols first.
async fn ask_all(gateway: Ipv4Addr, ours: Ipv4Addr, port: u16) -> Option<Mapping> {
    let address = SocketAddr::from((gateway, portmap::PORT));
    if let Some(mapping) = ask(address, ours, port).await {
        return Some(mapping);
    }
    let outside = upnp::map(gateway, upnp::SEARCH, ours, port, portmap::LIFETIME).await?;
    Some(Mapping {
        outside,
        lifetime: portmap::LIFETIME,
        gateway: address,
        ours,
        port,
        by: By::Upnp,
    })
}

async fn ask(gateway: SocketAddr, ours: Ipv4Addr, port: u16) -> Option<Mapping> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.ok()?;
    socket.connect(gateway).await.ok()?;
    let nonce: Nonce = rand::random();
    let lifetime = portmap::LIFETIME;
    let begun = Instant::now();
    let newer = portmap::pcp_map(ours, port, lifetime, nonce);
    socket.send(&newer).await.ok()?;
    socket.send(&portmap::pmp_external()).await.ok()?;
    let mut older_asked = false;
    let (mut external, mut outside_port) = (None, None);
    let mapping = |outside, lifetime, by| Mapping {
        outside,
        lifetime,
        gateway,
        ours,
        port,
        by,
    };
    let mut buffer = [0; 128];
    loop {
        let until = if older_asked { PATIENCE } else { NEWER_FIRST };
        let left = until.saturating_sub(begun.elapsed());
        match tokio::time::timeout(left, socket.recv(&mut buffer)).await {
            Ok(Ok(len)) => match portmap::parse(&buffer[..len], port, nonce) {
                Some(Answer::Mapped(outside, lifetime)) => {
                    return Some(mapping(outside, lifetime, By::Pcp(nonce)));
                }
                Some(Answer::External(ip)) => external = Some(ip),
                Some(Answer::Port(port, lifetime)) => outside_port = Some((port, lifetime)),
                None => {}
            },
            // Nobody listens there.
            Ok(Err(_)) => return None,
            Err(_) if older_asked => return None,
            Err(_) => {
                // Without an answer to the question for the address, it is not spoken either.
                external?;
                older_asked = true;
                socket.send(&portmap::pmp_map(port, lifetime)).await.ok()?;
            }
        }
        if let (Some(ip), Some((port, lifetime))) = (external, outside_port) {
            return Some(mapping(SocketAddrV4::new(ip, port), lifetime, By::NatPmp));
        }
    }
}

/// One packet without waiting: the mapping ends by itself if it gets lost.
fn give_back(mapping: &Mapping) {
    let Ok(socket) = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)) else {
        return;
    };
    let zero = Duration::ZERO;
    let _ = match mapping.by {
        By::Pcp(nonce) => {
            let packet = portmap::pcp_map(mapping.ours, mapping.port, zero, nonce);
            socket.send_to(&packet, mapping.gateway)
        }
        By::NatPmp => socket.send_to(&portmap::pmp_map(mapping.port, zero), mapping.gateway),
        // That would take a conversation; it ends by itself soon.
        By::Upnp => return,
    };
}

/// The default gateway and our private address towards it; `None` where nothing translates.
fn gateway() -> Option<(Ipv4Addr, Ipv4Addr)> {
    let routes = std::fs::read_to_string("/proc/net/route").ok()?;
    let gateway = default_gateway(&routes)?;
    let IpAddr::V4(ours) = super::watch::source(gateway.into())? else {
        return None;
    };
    ours.is_private().then_some((gateway, ours))
}

/// Reads the kernel's table of IPv4 routes.
fn default_gateway(routes: &str) -> Option<Ipv4Addr> {
    /// The route leads through a gateway.
    const RTF_GATEWAY: u16 = 2;
    let default = routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let flags = u16::from_str_radix(fields.next()?, 16).ok()?;
        (destination == "00000000" && flags & RTF_GATEWAY != 0).then_some(gateway)
    })?;
    // In the byte order of the machine.
    let raw = u32::from_str_radix(default, 16).ok()?;
    Some(Ipv4Addr::from(raw.to_ne_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_gateway_is_found() {
        let routes = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n\
            eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n\
            eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\n";
        assert_eq!(default_gateway(routes), Some(Ipv4Addr::new(192, 168, 1, 1)));
        assert_eq!(default_gateway("nonsense"), None);
    }

    /// A router that speaks one of the protocols.
    async fn router(newer: bool) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 128];
            loop {
                let (len, from) = socket.recv_from(&mut buffer).await.unwrap();
                let answer = match (buffer[0], buffer[1], len) {
                    (2, 1, 60) if newer => {
                        let mut answer = buffer[..60].to_vec();
                        answer[1] = 129;
                        let ip = Ipv4Addr::new(203, 0, 113, 5).to_ipv6_mapped();
                        answer[44..60].copy_from_slice(&ip.octets());
                        answer
                    }
                    (0, 0, 2) if !newer => vec![0, 128, 0, 0, 0, 0, 0, 1, 203, 0, 113, 5],
                    (0, 1, 12) if !newer => {
                        let (a, b) = (buffer[4], buffer[5]);
                        vec![0, 129, 0, 0, 0, 0, 0, 1, a, b, 0x10, 0, 0, 0, 2, 0x58]
                    }
                    _ => continue,
                };
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn either_protocol_maps_the_port() {
        let newer = ask(router(true).await, Ipv4Addr::LOCALHOST, 41641).await;
        let newer = newer.unwrap();
        assert_eq!(newer.outside, "203.0.113.5:41641".parse().unwrap());
        assert!(matches!(newer.by, By::Pcp(_)));
        let older = ask(router(false).await, Ipv4Addr::LOCALHOST, 41641).await;
        let older = older.unwrap();
        assert_eq!(older.outside, "203.0.113.5:4096".parse().unwrap());
        assert_eq!(older.by, By::NatPmp);
    }

    #[tokio::test]
    async fn a_silent_router_costs_little_time() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        assert!(ask(address, Ipv4Addr::LOCALHOST, 41641).await.is_none());
    }
}
