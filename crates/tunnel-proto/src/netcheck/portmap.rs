//! Asking the router for a port: NAT-PMP (RFC 6886) and PCP (RFC 6887).
//!
//! Both are asked on one port of the gateway; routers speak one of them, or none. Only what is
//! needed: one UDP port, its outside address, and giving it back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::time::Duration;

/// Where gateways listen.
pub const PORT: u16 = 5351;
/// How long a mapping is asked for. Renewed at half of it; short, because many ends live only for
/// one command, and routers have few places.
pub const LIFETIME: Duration = Duration::from_mins(10);

const PMP: u8 = 0;
const PCP: u8 = 2;
const PMP_EXTERNAL: u8 = 0;
const PMP_MAP_UDP: u8 = 1;
const PCP_MAP: u8 = 1;
/// Set in answers.
const ANSWER: u8 = 0x80;
const UDP: u8 = 17;
/// Bytes of a PCP header with a MAP request or answer.
const PCP_LEN: usize = 60;

/// Tells our mapping from those of others.
pub type Nonce = [u8; 12];

/// What a gateway answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// NAT-PMP: the gateway's outside address.
    External(Ipv4Addr),
    /// NAT-PMP: our port is reachable by this outside port.
    Port(u16, Duration),
    /// PCP: our port is reachable here.
    Mapped(SocketAddrV4, Duration),
}

/// NAT-PMP: asks for the outside address.
pub fn pmp_external() -> [u8; 2] {
    [PMP, PMP_EXTERNAL]
}

/// NAT-PMP: asks for `port`, the same outside if possible. A lifetime of 0 gives it back.
pub fn pmp_map(port: u16, lifetime: Duration) -> [u8; 12] {
    let mut out = [0; 12];
    out[1] = PMP_MAP_UDP;
    out[4..6].copy_from_slice(&port.to_be_bytes());
    if !lifetime.is_zero() {
        out[6..8].copy_from_slice(&port.to_be_bytes());
    }
    out[8..].copy_from_slice(&(lifetime.as_secs() as u32).to_be_bytes());
    out
}

/// PCP: asks for `port` of this machine, whose address towards the gateway is `ours`. A lifetime
/// of 0 gives it back.
pub fn pcp_map(ours: Ipv4Addr, port: u16, lifetime: Duration, nonce: Nonce) -> [u8; PCP_LEN] {
    let mut out = [0; PCP_LEN];
    out[0] = PCP;
    out[1] = PCP_MAP;
    out[4..8].copy_from_slice(&(lifetime.as_secs() as u32).to_be_bytes());
    out[8..24].copy_from_slice(&ours.to_ipv6_mapped().octets());
    out[24..36].copy_from_slice(&nonce);
    out[36] = UDP;
    out[40..42].copy_from_slice(&port.to_be_bytes());
    out[42..44].copy_from_slice(&port.to_be_bytes());
    out[44..60].copy_from_slice(&Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
    out
}

/// Reads an answer about `port`; `None` for refusals, answers about other ports and anything else.
pub fn parse(datagram: &[u8], port: u16, nonce: Nonce) -> Option<Answer> {
    let word = |at: usize| -> Option<u32> {
        Some(u32::from_be_bytes(
            *datagram.get(at..at + 4)?.first_chunk()?,
        ))
    };
    let short = |at: usize| -> Option<u16> {
        Some(u16::from_be_bytes(
            *datagram.get(at..at + 2)?.first_chunk()?,
        ))
    };
    let seconds = |at: usize| Some(Duration::from_secs(word(at)?.into()));
    match (*datagram.first()?, datagram.get(1)? ^ ANSWER) {
        (PMP, PMP_EXTERNAL) if short(2)? == 0 => {
            let ip = Ipv4Addr::from(word(8)?);
            usable(ip).then_some(Answer::External(ip))
        }
        (PMP, PMP_MAP_UDP) if short(2)? == 0 && short(8)? == port => {
            let outside = short(10).filter(|port| *port != 0)?;
            Some(Answer::Port(outside, seconds(12)?))
        }
        (PCP, PCP_MAP)
            if datagram.get(3)? == &0
                && datagram.get(24..36)? == nonce
                && datagram.get(36)? == &UDP
                && short(40)? == port =>
        {
            let outside = short(42).filter(|port| *port != 0)?;
            let ip: [u8; 16] = *datagram.get(44..60)?.first_chunk()?;
            let IpAddr::V4(ip) = IpAddr::from(Ipv6Addr::from(ip)).to_canonical() else {
                return None;
            };
            let address = SocketAddrV4::new(ip, outside);
            usable(ip).then_some(Answer::Mapped(address, seconds(4)?))
        }
        _ => None,
    }
}

/// A gateway behind another one names an address that nobody outside reaches: no help.
pub(super) fn usable(ip: Ipv4Addr) -> bool {
    !ip.is_private() && !ip.is_unspecified() && !ip.is_loopback() && !ip.is_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Nonce = [7; 12];

    #[test]
    fn nat_pmp_as_in_the_rfc() {
        assert_eq!(pmp_external(), [0, 0]);
        let request = pmp_map(41641, LIFETIME);
        assert_eq!(request[..8], [0, 1, 0, 0, 0xa2, 0xa9, 0xa2, 0xa9]);
        let external = [0, 128, 0, 0, 0, 0, 0, 9, 203, 0, 113, 5];
        assert_eq!(
            parse(&external, 41641, NONCE),
            Some(Answer::External(Ipv4Addr::new(203, 0, 113, 5)))
        );
        let mapped = [
            0, 129, 0, 0, 0, 0, 0, 9, 0xa2, 0xa9, 0x04, 0x00, 0, 0, 2, 0x58,
        ];
        assert_eq!(
            parse(&mapped, 41641, NONCE),
            Some(Answer::Port(1024, LIFETIME))
        );
        assert_eq!(parse(&mapped, 41642, NONCE), None, "another port");
        let mut refused = mapped;
        refused[3] = 2;
        assert_eq!(parse(&refused, 41641, NONCE), None);
    }

    #[test]
    fn pcp_as_in_the_rfc() {
        let request = pcp_map(Ipv4Addr::new(192, 168, 1, 2), 41641, LIFETIME, NONCE);
        assert_eq!(request[..8], [2, 1, 0, 0, 0, 0, 2, 0x58]);
        let mut answer = request;
        answer[1] = 129;
        answer[42..44].copy_from_slice(&1024u16.to_be_bytes());
        answer[44..60].copy_from_slice(&Ipv4Addr::new(203, 0, 113, 5).to_ipv6_mapped().octets());
        let expected = Answer::Mapped("203.0.113.5:1024".parse().unwrap(), LIFETIME);
        assert_eq!(parse(&answer, 41641, NONCE), Some(expected));
        assert_eq!(parse(&answer, 41641, [8; 12]), None, "somebody else's");
        answer[44..60].copy_from_slice(&Ipv4Addr::new(10, 0, 0, 5).to_ipv6_mapped().octets());
        assert_eq!(parse(&answer, 41641, NONCE), None, "behind another router");
    }

    #[test]
    fn torn_answers_are_none() {
        let mut answer = pcp_map(Ipv4Addr::LOCALHOST, 5, LIFETIME, NONCE);
        answer[1] = 129;
        for cut in 0..answer.len() {
            assert_eq!(parse(&answer[..cut], 5, NONCE), None);
        }
        for first in 0..=255 {
            for second in 0..=255 {
                // Nothing panics.
                let _ = parse(&[first, second, 0, 0, 0], 5, NONCE);
            }
        }
    }
}
