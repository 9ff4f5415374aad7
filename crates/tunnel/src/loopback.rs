//! Addresses that mean this very machine, to which no proxy leads.

use std::net::IpAddr;

/// Whether a host of an address or a URL, IPv6 addresses in brackets or not, is this machine.
pub fn is_loopback_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || bare
            .unwrap_or(host)
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback_host;

    #[test]
    fn this_machine_has_several_names() {
        for host in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.8.0.1",
            "::1",
            "[::1]",
        ] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in ["", "localhost.example.com", "10.0.0.1", "::2", "here"] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
