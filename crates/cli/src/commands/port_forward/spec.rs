//! Which ports go where: `[address:]local[-local][:remote[-remote]]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Result, bail};

use crate::csv;

/// More ports at once are a mistake, and each costs a socket or two.
const MAX_PORTS: usize = 1024;

/// Kind of port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Streams.
    Tcp,
    /// Datagrams.
    Udp,
}

/// One port here and one in the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Kind of port.
    pub protocol: Protocol,
    /// Address to listen on; both loopback addresses when none was named.
    pub address: Option<IpAddr>,
    /// Port here.
    pub local_port: u16,
    /// Port in the workspace.
    pub remote_port: u16,
}

impl Spec {
    /// Addresses to listen on.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let both = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        let chosen = self.address.map_or_else(|| both.to_vec(), |a| vec![a]);
        let port = self.local_port;
        chosen.into_iter().map(move |ip| SocketAddr::new(ip, port))
    }

    /// Whether listening on `address` may fail without a word.
    pub fn is_optional(&self, address: SocketAddr) -> bool {
        self.address.is_none() && address.is_ipv6()
    }

    /// For people.
    pub fn local(&self) -> String {
        let address = self.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        format!(
            "{}://{}",
            self.name(),
            SocketAddr::new(address, self.local_port)
        )
    }

    /// For people.
    pub fn remote(&self) -> String {
        format!("{}://127.0.0.1:{}", self.name(), self.remote_port)
    }

    fn name(&self) -> &'static str {
        match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

/// Reads every specification of `given`.
pub fn parse(protocol: Protocol, given: &[String]) -> Result<Vec<Spec>> {
    let mut specs: Vec<Spec> = Vec::new();
    for text in csv::split_all(given)
        .iter()
        .map(|t| t.trim())
        .filter(|t| !t.is_empty())
    {
        specs.extend(parse_one(protocol, text)?);
        if specs.len() > MAX_PORTS {
            bail!("more than {MAX_PORTS} ports were given");
        }
    }
    for (i, spec) in specs.iter().enumerate() {
        let same = |s: &Spec| s.address == spec.address && s.local_port == spec.local_port;
        if specs[..i].iter().any(same) {
            bail!("{} is given twice", spec.local());
        }
    }
    Ok(specs)
}

fn parse_one(protocol: Protocol, text: &str) -> Result<Vec<Spec>> {
    let malformed =
        || anyhow::anyhow!("{text:?} names no ports: give [address:]port[-port][:remote[-remote]]");
    let (address, rest) = match text.strip_prefix('[').and_then(|t| t.split_once("]:")) {
        Some((v6, rest)) => (Some(IpAddr::V6(v6.parse().map_err(|_| malformed())?)), rest),
        None => match text.split_once(':') {
            Some((first, rest)) if first.contains('.') => {
                (Some(first.parse().map_err(|_| malformed())?), rest)
            }
            _ => (None, text),
        },
    };
    let (local, remote) = match rest.split_once(':') {
        Some((local, remote)) => (
            range(local).ok_or_else(malformed)?,
            range(remote).ok_or_else(malformed)?,
        ),
        None => {
            let both = range(rest).ok_or_else(malformed)?;
            (both, both)
        }
    };
    if local.1 - local.0 != remote.1 - remote.0 {
        bail!("{text:?} has ranges of different lengths");
    }
    Ok((0..=local.1 - local.0)
        .map(|i| Spec {
            protocol,
            address,
            local_port: local.0 + i,
            remote_port: remote.0 + i,
        })
        .collect())
}

/// First and last port of `a` or `a-b`.
fn range(text: &str) -> Option<(u16, u16)> {
    let port = |t: &str| t.parse::<u16>().ok().filter(|p| *p > 0);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let specs = parse(Protocol::Tcp, &[text.to_owned()]).unwrap();
        specs
            .iter()
            .map(|s| format!("{}>{}", s.local(), s.remote_port))
            .collect()
    }

    #[test]
    fn every_form_is_understood() {
        assert_eq!(shown("8080"), ["tcp://127.0.0.1:8080>8080"]);
        assert_eq!(shown("8080:3000"), ["tcp://127.0.0.1:8080>3000"]);
        assert_eq!(
            shown("1.2.3.4:80:81,9000"),
            ["tcp://1.2.3.4:80>81", "tcp://127.0.0.1:9000>9000"]
        );
        assert_eq!(shown("[::1]:80:81"), ["tcp://[::1]:80>81"]);
        assert_eq!(
            shown("10-11:20-21"),
            ["tcp://127.0.0.1:10>20", "tcp://127.0.0.1:11>21"]
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "0",
            "x",
            "80:",
            ":80",
            "70000",
            "11-10",
            "10-11:20",
            "1.2.3.4:",
            "1.2.3:80:81",
            "80,80",
            "1-65535",
            "[::1:80",
        ] {
            assert!(parse(Protocol::Tcp, &[text.to_owned()]).is_err(), "{text}");
        }
    }

    #[test]
    fn both_loopback_addresses_unless_one_is_named() {
        let both = parse(Protocol::Udp, &["53".to_owned()]).unwrap();
        let addresses: Vec<SocketAddr> = both[0].addresses().collect();
        assert_eq!(addresses.len(), 2);
        assert!(!both[0].is_optional(addresses[0]) && both[0].is_optional(addresses[1]));
    }
}
