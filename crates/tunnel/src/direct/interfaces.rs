//! The addresses of this machine's interfaces.

use std::net::{IpAddr, SocketAddr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use super::{Family, Socket};

/// Most addresses published: a machine with hundreds of container bridges should not have peers
/// try them all.
const MAX_ENDPOINTS: usize = 24;

/// Addresses of interfaces that are up: those of the machine itself only if there are no others.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let Ok(all) = getifaddrs() else {
        return Vec::new();
    };
    let mut addresses = Vec::new();
    let mut loopback = Vec::new();
    for interface in all {
        if !interface.flags.contains(InterfaceFlags::IFF_UP) {
            continue;
        }
        let Some(address) = interface.address else {
            continue;
        };
        let ip = if let Some(v4) = address.as_sockaddr_in() {
            IpAddr::V4(v4.ip())
        } else if let Some(v6) = address.as_sockaddr_in6() {
            IpAddr::V6(v6.ip())
        } else {
            continue;
        };
        let usable = match ip {
            IpAddr::V4(ip) => !ip.is_link_local(),
            IpAddr::V6(ip) => !ip.is_unicast_link_local() && !tunnel_proto::address::is_inside(&ip),
        };
        if !usable {
            continue;
        }
        let list = if ip.is_loopback() {
            &mut loopback
        } else {
            &mut addresses
        };
        if !list.contains(&ip) {
            list.push(ip);
        }
    }
    if addresses.is_empty() {
        loopback
    } else {
        addresses
    }
}

/// The same with the ports of `socket`.
pub(super) fn endpoints(socket: &Socket) -> Vec<SocketAddr> {
    addresses()
        .into_iter()
        .filter_map(|ip| {
            let family = if ip.is_ipv4() { Family::V4 } else { Family::V6 };
            Some(SocketAddr::new(ip, socket.port(family)?))
        })
        .take(MAX_ENDPOINTS)
        .collect()
}
