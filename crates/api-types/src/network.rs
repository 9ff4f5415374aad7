//! Networks as options write them: `10.0.0.0/8`.

use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses in CIDR form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

/// The text is no network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoNetwork(String);

impl std::fmt::Display for NoNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is no network like 10.0.0.0/8", self.0)
    }
}

impl std::error::Error for NoNetwork {}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let parsed = || {
            let (first, bits) = text.trim().split_once('/')?;
            let first: IpAddr = first.parse().ok()?;
            let bits: u8 = bits.parse().ok()?;
            let width = if first.is_ipv4() { 32 } else { 128 };
            (bits <= width).then_some(Network { first, bits })
        };
        parsed().ok_or_else(|| NoNetwork(text.to_owned()))
    }
}

impl Network {
    /// Whether an address is in it. An IPv4 address in the form of IPv6 counts as what it is.
    pub fn contains(self, address: IpAddr) -> bool {
        let number = |address: IpAddr| match address {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()) << 96, true),
            IpAddr::V6(ip) => (ip.to_bits(), false),
        };
        let (address, four) = number(address.to_canonical());
        let (first, first_four) = number(self.first);
        let mask = u128::MAX
            .checked_shl(128 - u32::from(self.bits))
            .unwrap_or(0);
        four == first_four && (address & mask) == (first & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let within = |network: &str, ip: &str| {
            let network: Network = network.parse().unwrap();
            network.contains(ip.parse().unwrap())
        };
        assert!(within("10.0.0.0/8", "10.1.2.3") && within("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!within("10.0.0.0/8", "11.0.0.0") && !within("::/0", "1.2.3.4"));
        assert!(within("0.0.0.0/0", "1.2.3.4") && within("fd00::/16", "fd00::1"));
        for bad in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", ""] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
