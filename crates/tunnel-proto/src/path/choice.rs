//! Which of two proven addresses is better.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A better address must be better by this part, so that two equal ones do not alternate.
const HYSTERESIS_PERCENT: u32 = 1;
/// What an address inside one network is worth, in percent of latency: no third party carries it.
const PRIVATE_BONUS: u32 = 20;
/// What an address of this machine is worth.
const LOOPBACK_BONUS: u32 = 50;
/// What IPv6 is worth: no translation that forgets.
const IPV6_BONUS: u32 = 10;

/// Latency after the bonus of its kind of address.
fn weighed(address: SocketAddr, latency: Duration) -> Duration {
    let ip = address.ip();
    let private = match ip {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    };
    let mut bonus = 0;
    if ip.is_loopback() {
        bonus += LOOPBACK_BONUS;
    } else if private {
        bonus += PRIVATE_BONUS;
    }
    if ip.is_ipv6() {
        bonus += IPV6_BONUS;
    }
    latency * (100 - bonus) / 100
}

/// True if `new` is worth leaving `old` for. Each is an address and its latency.
pub(super) fn is_better(new: (SocketAddr, Duration), old: (SocketAddr, Duration)) -> bool {
    weighed(new.0, new.1) < weighed(old.0, old.1) * (100 - HYSTERESIS_PERCENT) / 100
}
