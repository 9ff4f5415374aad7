//! Addresses inside the tunnel: an identifier with its first six bytes replaced by a prefix.

use std::net::Ipv6Addr;

use uuid::Uuid;

/// `fd7a:115c:a1e0::/48`: what command-line clients and control planes dial.
pub const TAILNET_PREFIX: [u8; 6] = [0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0];
/// `fd60:627a:a42b::/48`: what desktop clients dial.
pub const SERVICE_PREFIX: [u8; 6] = [0xfd, 0x60, 0x62, 0x7a, 0xa4, 0x2b];
/// The one address that agents of early versions had.
pub const LEGACY_AGENT: Ipv6Addr = Ipv6Addr::new(
    0xfd7a, 0x115c, 0xa1e0, 0x49d6, 0xb259, 0xb7ac, 0xb1b2, 0x48f4,
);

/// The address of `id` under `prefix`.
pub fn of(prefix: [u8; 6], id: Uuid) -> Ipv6Addr {
    let mut octets = *id.as_bytes();
    octets[..prefix.len()].copy_from_slice(&prefix);
    Ipv6Addr::from(octets)
}

/// The address that command-line clients dial for the agent `id`.
pub fn tailnet(id: Uuid) -> Ipv6Addr {
    of(TAILNET_PREFIX, id)
}

/// True for addresses that exist only inside a tunnel.
pub fn is_inside(ip: &Ipv6Addr) -> bool {
    let octets = ip.octets();
    octets.starts_with(&TAILNET_PREFIX) || octets.starts_with(&SERVICE_PREFIX)
}

/// Both addresses of the agent `id`, in the order in which agents advertise them.
pub fn agent(id: Uuid) -> [Ipv6Addr; 2] {
    [of(TAILNET_PREFIX, id), of(SERVICE_PREFIX, id)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_replaces_six_bytes() {
        let id = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
        let [first, second] = agent(id);
        assert_eq!(first.to_string(), "fd7a:115c:a1e0:708:90a:b0c:d0e:f10");
        assert_eq!(second.to_string(), "fd60:627a:a42b:708:90a:b0c:d0e:f10");
    }
}
