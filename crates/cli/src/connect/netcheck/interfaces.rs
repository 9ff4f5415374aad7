//! Network interfaces of this machine, and whether tunnel packets fit through.

use std::collections::BTreeMap;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use serde::Serialize;

use super::{Message, Severity};

/// A packet of 1280 bytes inside the tunnel, with WireGuard's 30, UDP's 8 and
/// at most 60 of IP around it.
const SAFE_MTU: u32 = 1378;

/// Every interface in use.
#[derive(Debug, Serialize)]
pub struct InterfacesReport {
    error: Option<String>,
    severity: Severity,
    /// Findings.
    pub warnings: Vec<Message>,
    dismissed: bool,
    interfaces: Vec<Interface>,
}

#[derive(Debug, Serialize)]
struct Interface {
    name: String,
    mtu: u32,
    addresses: Vec<String>,
}

/// Looks at the interfaces that are up and have an address beyond their link.
pub fn report() -> InterfacesReport {
    let mut report = InterfacesReport {
        error: None,
        severity: Severity::Ok,
        warnings: Vec::new(),
        dismissed: false,
        interfaces: Vec::new(),
    };
    let found = match getifaddrs() {
        Ok(found) => found,
        Err(error) => {
            report.error = Some(format!("cannot list the network interfaces: {error}"));
            report.severity = Severity::Error;
            return report;
        }
    };
    let mut addresses: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for entry in found {
        let up = entry.flags.contains(InterfaceFlags::IFF_UP);
        if let (true, Some(address)) = (up, entry.address.as_ref().and_then(ip)) {
            addresses
                .entry(entry.interface_name)
                .or_default()
                .push(address);
        }
    }
    for (name, addresses) in addresses {
        if addresses.iter().all(is_link_local) {
            continue;
        }
        let mtu = mtu(&name);
        if mtu > 0 && mtu < SAFE_MTU {
            report.severity = Severity::Warning;
            report.warnings.push(Message {
                code: "EIF01",
                message: format!(
                    "interface {name} has an MTU of {mtu}, below {SAFE_MTU}: direct connections over it may be slow or fail"
                ),
            });
        }
        report.interfaces.push(Interface {
            name,
            mtu,
            addresses: addresses.iter().map(ToString::to_string).collect(),
        });
    }
    report
}

fn ip(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_multicast(),
    }
}

/// 0 where it cannot be told.
fn mtu(name: &str) -> u32 {
    std::fs::read_to_string(format!("/sys/class/net/{name}/mtu"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_among_them() {
        let report = report();
        assert!(report.error.is_none());
        let loopback = report.interfaces.iter().find(|i| i.name == "lo");
        assert!(loopback.is_none_or(|lo| lo.addresses.contains(&"127.0.0.1".to_owned())));
    }
}
