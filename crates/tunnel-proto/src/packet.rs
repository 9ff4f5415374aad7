//! IPv6 packets inside the tunnel: reading what is needed to route them, and the TSMP ping.
//!
//! TSMP is IP protocol 99 between tunnel ends; its ping tells that the whole path works.

use std::net::Ipv6Addr;

/// Largest packet inside the tunnel.
pub const MTU: usize = 1280;
/// Bytes of the fixed IPv6 header.
pub const IPV6_HEADER_LEN: usize = 40;
/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;
/// IP protocol number of TSMP.
pub const TSMP: u8 = 99;

const TSMP_PING: u8 = b'p';
const TSMP_PONG: u8 = b'o';
pub(crate) const HOP_LIMIT: u8 = 64;

/// The fixed header, as far as routing needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv6<'a> {
    /// Sender.
    pub source: Ipv6Addr,
    /// Receiver.
    pub destination: Ipv6Addr,
    /// Protocol of the payload. Extension headers are not followed: peers send none.
    pub protocol: u8,
    /// What follows the fixed header, cut to the announced length.
    pub payload: &'a [u8],
}

impl<'a> Ipv6<'a> {
    /// Reads a packet; `None` if it is not IPv6 or shorter than it announces.
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        let (header, rest) = packet.split_first_chunk::<IPV6_HEADER_LEN>()?;
        if header[0] >> 4 != 6 {
            return None;
        }
        let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let address = |at: usize| {
            header[at..]
                .first_chunk::<16>()
                .map(|raw| Ipv6Addr::from(*raw))
        };
        Some(Self {
            source: address(8)?,
            destination: address(24)?,
            protocol: header[6],
            payload: rest.get(..len)?,
        })
    }
}

/// Appends an IPv6 header for `len` bytes of payload.
pub fn put_ipv6(
    out: &mut Vec<u8>,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    protocol: u8,
    len: u16,
) {
    out.extend_from_slice(&[0x60, 0, 0, 0]);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&[protocol, HOP_LIMIT]);
    out.extend_from_slice(&source.octets());
    out.extend_from_slice(&destination.octets());
}

/// A TSMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tsmp {
    /// Asks for a pong.
    Ping([u8; 8]),
    /// Answers with the ping's bytes.
    Pong([u8; 8]),
}

impl Tsmp {
    /// Reads the payload of a packet of protocol [`TSMP`]; `None` for other messages.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&kind, rest) = payload.split_first()?;
        let data = *rest.first_chunk()?;
        match kind {
            TSMP_PING => Some(Self::Ping(data)),
            TSMP_PONG => Some(Self::Pong(data)),
            _ => None,
        }
    }

    /// The whole packet. A pong ends with a port where a peer API would listen: 0, there is none.
    pub fn packet(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let mut out = Vec::with_capacity(IPV6_HEADER_LEN + 11);
        match self {
            Self::Ping(data) => {
                put_ipv6(&mut out, source, destination, TSMP, 9);
                out.push(TSMP_PING);
                out.extend_from_slice(data);
            }
            Self::Pong(data) => {
                put_ipv6(&mut out, source, destination, TSMP, 11);
                out.push(TSMP_PONG);
                out.extend_from_slice(data);
                out.extend_from_slice(&[0, 0]);
            }
        }
        out
    }
}

/// Ones' complement sum of a transport packet with its IPv6 pseudo-header: the checksum field if
/// it was zero, or zero if it was right.
pub fn checksum(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, payload: &[u8]) -> u16 {
    let sum = words(&source.octets())
        + words(&destination.octets())
        + payload.len() as u64
        + u64::from(protocol)
        + words(payload);
    !fold(sum)
}

/// Sum of big-endian words, at most a few of them added to others before [`fold`].
fn words(bytes: &[u8]) -> u64 {
    // The sum does not depend on the byte order, but for that of its result; four bytes at a time
    // add up as two by two do.
    let (quads, rest) = bytes.as_chunks::<4>();
    let native: u64 = quads
        .iter()
        .map(|quad| u64::from(u32::from_ne_bytes(*quad)))
        .sum();
    let (pairs, odd) = rest.as_chunks::<2>();
    let rest: u64 = pairs
        .iter()
        .map(|pair| u64::from(u16::from_be_bytes(*pair)))
        .sum();
    u64::from(u16::from_be(fold(native)))
        + rest
        + odd.first().map_or(0, |&last| u64::from(last) << 8)
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tsmp_round_trips() {
        let (a, b) = (Ipv6Addr::new(1, 0, 0, 0, 0, 0, 0, 2), Ipv6Addr::LOCALHOST);
        for (message, len) in [(Tsmp::Ping([1; 8]), 9), (Tsmp::Pong([2; 8]), 11)] {
            let packet = message.packet(a, b);
            let ip = Ipv6::parse(&packet).unwrap();
            assert_eq!(
                (ip.source, ip.destination, ip.protocol, ip.payload.len()),
                (a, b, TSMP, len)
            );
            assert_eq!(Tsmp::parse(ip.payload), Some(message));
        }
    }

    #[test]
    fn malformed_packets_are_none() {
        let packet = Tsmp::Ping([1; 8]).packet(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        for cut in 0..packet.len() {
            assert_eq!(Ipv6::parse(&packet[..cut]), None);
        }
        let mut v4 = packet.clone();
        v4[0] = 0x45;
        assert_eq!(Ipv6::parse(&v4), None);
        assert_eq!(Tsmp::parse(b""), None);
        assert_eq!(Tsmp::parse(b"p1234567"), None);
        assert_eq!(Tsmp::parse(b"x12345678"), None);
    }

    #[test]
    fn checksum_is_that_of_words() {
        let bytes: Vec<u8> = (0..1300u32).map(|n| ((n * n) >> 3) as u8).collect();
        for len in [0, 1, 2, 3, 4, 5, 20, 1239, 1240, 1300] {
            let bytes = &bytes[..len];
            let mut sum = (len as u64) + 6 + 1;
            for pair in bytes.chunks(2) {
                sum += u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |&b| u64::from(b));
            }
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            let got = checksum(Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED, TCP, bytes);
            assert_eq!(got, !(sum as u16), "{len}");
        }
    }

    #[test]
    fn checksum_verifies_to_zero() {
        let mut payload = vec![0, 9, 0, 7, 0, 13, 0, 0, 1, 2, 3, 4, 5];
        let sum = checksum(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, UDP, &payload);
        payload[6..8].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(
            checksum(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, UDP, &payload),
            0
        );
    }
}
