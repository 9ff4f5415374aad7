//! The Internet in small: a hub with the relay and STUN servers, and two sites behind routers.
//!
//! ```text
//!  a1 ┐                      hub 203.0.113.1, .2                    ┌ b1
//!  a2 ┴ lan 10.1.0/24 ─ router A 203.0.113.10 ─┴─ router B 203.0.113.20 ─ lan 10.2.0/24
//! ```

use super::namespace::Namespace;

/// How a router treats UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    /// No translation: the hosts have addresses that everybody reaches.
    Open,
    /// Whatever comes to the router's address goes to the first host.
    FullCone,
    /// The common home router: keeps ports, lets only answers in.
    PortRestricted,
    /// Another port for each destination.
    Symmetric,
    /// Drops UDP.
    Blocked,
}

/// A site.
pub struct Site {
    number: u8,
    pub router: Namespace,
    pub hosts: Vec<Namespace>,
}

pub struct Topology {
    pub hub: Namespace,
    pub sites: [Site; 2],
}

impl Topology {
    pub fn build() -> Self {
        let hub = Namespace::new("hub");
        hub.ip("link add br0 type bridge");
        hub.ip("link set br0 up");
        for address in ["203.0.113.1/24", "203.0.113.2/24"] {
            hub.ip(&format!("addr add {address} dev br0"));
        }
        hub.ip("addr add 2001:db8::1/64 dev br0 nodad");
        let sites = [1, 2].map(|number| Site::build(&hub, number));
        let topology = Self { hub, sites };
        for site in &topology.sites {
            site.routes(&topology.hub);
        }
        for site in &topology.sites {
            let other = &topology.sites[usize::from(2 - site.number)];
            site.routes(&other.router);
        }
        topology
    }

    pub fn set(&self, first: Nat, second: Nat) {
        self.sites[0].set(first);
        self.sites[1].set(second);
    }
}

impl Site {
    fn build(hub: &Namespace, number: u8) -> Self {
        let letter = if number == 1 { 'a' } else { 'b' };
        let router = Namespace::new(&format!("r{letter}"));
        router.switch_on("ipv4/ip_forward");
        router.switch_on("ipv6/conf/all/forwarding");
        let wan = format!("wan{number}");
        hub.ip(&format!(
            "link add {wan} type veth peer name wan netns {}",
            router.name
        ));
        hub.ip(&format!("link set {wan} master br0"));
        hub.ip(&format!("link set {wan} up"));
        router.ip(&format!("addr add 203.0.113.{number}0/24 dev wan"));
        router.ip(&format!("addr add 2001:db8::{number}0/64 dev wan nodad"));
        router.ip("link set wan up");
        router.ip("link add lan type bridge");
        router.ip(&format!("addr add 10.{number}.0.1/24 dev lan"));
        router.ip(&format!("addr add 2001:db8:{number}::1/64 dev lan nodad"));
        router.ip("link set lan up");
        let hosts = (1..=2).map(|host| {
            let space = Namespace::new(&format!("{letter}{host}"));
            router.ip(&format!(
                "link add lan{host} type veth peer name eth0 netns {}",
                space.name
            ));
            router.ip(&format!("link set lan{host} master lan"));
            router.ip(&format!("link set lan{host} up"));
            space.ip("link set eth0 up");
            space.ip(&format!("addr add 10.{number}.0.1{host}/24 dev eth0"));
            space.ip(&format!("route add default via 10.{number}.0.1"));
            space
        });
        let hosts = hosts.collect();
        Self {
            number,
            router,
            hosts,
        }
    }

    /// Lets `from` reach this site's hosts without translation.
    fn routes(&self, from: &Namespace) {
        let number = self.number;
        from.ip(&format!(
            "route add 10.{number}.0.0/24 via 203.0.113.{number}0"
        ));
        from.ip(&format!(
            "-6 route add 2001:db8:{number}::/64 via 2001:db8::{number}0"
        ));
    }

    /// Gives the first host IPv6, or takes it away.
    pub fn set_v6(&self, on: bool) {
        let (host, number) = (&self.hosts[0], self.number);
        if on {
            host.ip(&format!("addr add 2001:db8:{number}::11/64 dev eth0 nodad"));
            host.ip(&format!("-6 route add default via 2001:db8:{number}::1"));
        } else {
            host.ip(&format!("addr del 2001:db8:{number}::11/64 dev eth0"));
        }
    }

    /// Makes the router translate like this. What it knew is forgotten.
    pub fn set(&self, nat: Nat) {
        let number = self.number;
        let masquerade = match nat {
            Nat::Open => "",
            Nat::FullCone | Nat::PortRestricted | Nat::Blocked => "masquerade",
            Nat::Symmetric => "masquerade random,fully-random",
        };
        let forward_in = if nat == Nat::FullCone {
            format!("iifname wan udp dport 1024-65535 dnat ip to 10.{number}.0.11")
        } else {
            String::new()
        };
        let filter = match nat {
            Nat::Open => String::new(),
            Nat::Blocked => "meta l4proto udp drop".to_owned(),
            _ => "iifname wan ct state new ct status ! dnat drop".to_owned(),
        };
        // What comes unasked is dropped before it is tracked: a packet that was answered by the
        // router itself would take the place of the mapping that is about to be made.
        let unasked = match nat {
            Nat::Open => "",
            _ => "iifname wan meta l4proto udp drop",
        };
        self.router.nft(&format!(
            "table inet t {{
                chain pre {{ type nat hook prerouting priority -100; {forward_in}; }}
                chain post {{ type nat hook postrouting priority 100;
                    meta nfproto ipv4 oifname wan {masquerade}; }}
                chain forward {{ type filter hook forward priority 0; {filter}; }}
                chain input {{ type filter hook input priority 0; {unasked}; }}
            }}"
        ));
        // Known connections would go on as before.
        self.forget();
    }

    /// Forgets all mappings, as a router that restarts.
    pub fn forget(&self) {
        // Without the tool, setting the table anew is the only way: known flows of earlier
        // scenarios have other ports.
        let _ = std::process::Command::new("ip")
            .args(["netns", "exec", &self.router.name, "conntrack", "-F"])
            .output();
    }
}
