//! What the agent knows of its network, for people whose connections are slow.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use serde_json::{Value, json};

/// Smallest packet that carries a full one of the tunnel directly: 1280 bytes,
/// with heads of WireGuard, UDP and IP at their largest.
const SAFE_MTU: u32 = 1378;
/// Code of the warning about smaller ones.
const SMALL_MTU: &str = "EIF01";

/// An interface that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Interface {
    name: String,
    mtu: u32,
    addresses: BTreeSet<IpAddr>,
}

/// The report in the form that clients expect.
pub fn report() -> Value {
    match interfaces() {
        Ok(interfaces) => of(&interfaces),
        Err(error) => json!({
            "severity": "error",
            "error": format!("the interfaces could not be read: {error}"),
            "warnings": [],
            "dismissed": false,
            "net_info": null,
            "interfaces": { "severity": "ok", "warnings": [], "dismissed": false, "interfaces": [] },
        }),
    }
}

fn of(interfaces: &[Interface]) -> Value {
    let warnings: Vec<Value> = interfaces
        .iter()
        .filter(|interface| interface.mtu < SAFE_MTU)
        .map(|Interface { name, mtu, .. }| {
            let message = format!(
                "Network interface {name} has MTU {mtu} (less than {SAFE_MTU}), which may cause \
                 problems with direct connections"
            );
            json!({ "code": SMALL_MTU, "message": message })
        })
        .collect();
    let list: Vec<Value> = interfaces
        .iter()
        .map(|i| json!({ "name": i.name, "mtu": i.mtu, "addresses": i.addresses }))
        .collect();
    json!({
        "severity": "ok",
        "warnings": [],
        "dismissed": false,
        "net_info": null,
        "interfaces": {
            "severity": if warnings.is_empty() { "ok" } else { "warning" },
            "warnings": warnings,
            "dismissed": false,
            "interfaces": list,
        },
    })
}

/// Interfaces that are up and have an address of more than local meaning.
fn interfaces() -> nix::Result<Vec<Interface>> {
    let mut addresses = BTreeMap::<String, BTreeSet<IpAddr>>::new();
    for interface in getifaddrs()? {
        let up = interface.flags.contains(InterfaceFlags::IFF_UP);
        let address = interface.address.and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|a| IpAddr::from(a.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::from(a.ip())))
        });
        if let Some(address) = address.filter(|address| up && !is_link_local(*address)) {
            addresses
                .entry(interface.interface_name)
                .or_default()
                .insert(address);
        }
    }
    Ok(addresses
        .into_iter()
        .map(|(name, addresses)| Interface {
            mtu: mtu(&name),
            name,
            addresses,
        })
        .collect())
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// The largest value where it is not known: no reason to warn.
fn mtu(name: &str) -> u32 {
    let text = fs::read_to_string(format!("/sys/class/net/{name}/mtu")).unwrap_or_default();
    text.trim().parse().unwrap_or(u32::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_packets_are_warned_of() {
        let interface = |name: &str, mtu| Interface {
            name: name.into(),
            mtu,
            addresses: [IpAddr::from([10, 0, 0, 1])].into(),
        };
        let report = of(&[interface("eth0", 1500), interface("tun0", 1300)]);
        let warnings = report["interfaces"]["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0]["message"]
                .as_str()
                .unwrap()
                .contains("tun0 has MTU 1300")
        );
        assert_eq!(
            report["interfaces"]["interfaces"][0]["addresses"][0],
            "10.0.0.1"
        );
    }

    #[test]
    fn this_machine_has_a_loopback() {
        let all = interfaces().unwrap();
        assert!(
            all.iter()
                .any(|i| i.addresses.iter().any(IpAddr::is_loopback) && i.mtu > 0)
        );
    }
}
