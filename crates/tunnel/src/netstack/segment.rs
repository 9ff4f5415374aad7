//! The few fields of a TCP segment that routing needs, and the reset that refuses one.

use std::net::SocketAddrV6;

use tunnel_proto::packet::{self, Ipv6};

const HEADER_LEN: usize = 20;
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// Which connection a segment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FlowKey {
    pub(crate) local: SocketAddrV6,
    pub(crate) remote: SocketAddrV6,
}

/// The head of an incoming segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) key: FlowKey,
    flags: u8,
    sequence: u32,
    acknowledgement: u32,
    len: u32,
}

impl Segment {
    /// Reads the TCP header in `ip`; `None` if it is cut short.
    pub(crate) fn parse(ip: &Ipv6<'_>) -> Option<Self> {
        let header = ip.payload.first_chunk::<HEADER_LEN>()?;
        let [
            s0,
            s1,
            d0,
            d1,
            q0,
            q1,
            q2,
            q3,
            a0,
            a1,
            a2,
            a3,
            offset,
            flags,
            ..,
        ] = *header;
        let data = ip.payload.len().checked_sub(usize::from(offset >> 4) * 4)? as u32;
        Some(Self {
            key: FlowKey {
                local: SocketAddrV6::new(ip.destination, u16::from_be_bytes([d0, d1]), 0, 0),
                remote: SocketAddrV6::new(ip.source, u16::from_be_bytes([s0, s1]), 0, 0),
            },
            flags,
            sequence: u32::from_be_bytes([q0, q1, q2, q3]),
            acknowledgement: u32::from_be_bytes([a0, a1, a2, a3]),
            len: data + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0),
        })
    }

    /// True for a request to open a connection.
    pub(crate) fn opens(&self) -> bool {
        self.flags & (SYN | ACK | RST | FIN) == SYN
    }

    /// True for a reset.
    pub(crate) fn resets(&self) -> bool {
        self.flags & RST != 0
    }
}

/// The packet that refuses `segment` (RFC 9293, 3.10.7.1); `None` if it is a reset itself.
pub(crate) fn reset_for(segment: &Segment) -> Option<Vec<u8>> {
    if segment.resets() {
        return None;
    }
    let (flags, sequence, acknowledgement) = if segment.flags & ACK != 0 {
        (RST, segment.acknowledgement, 0)
    } else {
        (RST | ACK, 0, segment.sequence.wrapping_add(segment.len))
    };
    let FlowKey { local, remote } = segment.key;
    let mut tcp = [0; HEADER_LEN];
    tcp[..2].copy_from_slice(&local.port().to_be_bytes());
    tcp[2..4].copy_from_slice(&remote.port().to_be_bytes());
    tcp[4..8].copy_from_slice(&u32::to_be_bytes(sequence));
    tcp[8..12].copy_from_slice(&u32::to_be_bytes(acknowledgement));
    tcp[12] = (HEADER_LEN as u8 / 4) << 4;
    tcp[13] = flags;
    let sum = packet::checksum(*local.ip(), *remote.ip(), packet::TCP, &tcp);
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    let mut out = Vec::with_capacity(packet::IPV6_HEADER_LEN + HEADER_LEN);
    packet::put_ipv6(
        &mut out,
        *local.ip(),
        *remote.ip(),
        packet::TCP,
        HEADER_LEN as u16,
    );
    out.extend_from_slice(&tcp);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    fn segment(flags: u8, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let len = (HEADER_LEN + data.len()) as u16;
        packet::put_ipv6(
            &mut out,
            Ipv6Addr::LOCALHOST,
            Ipv6Addr::LOCALHOST,
            packet::TCP,
            len,
        );
        out.extend([
            0, 1, 0, 2, 0, 0, 0, 10, 0, 0, 0, 20, 0x50, flags, 0, 0, 0, 0, 0, 0,
        ]);
        out.extend(data);
        out
    }

    fn parse(packet: &[u8]) -> Option<Segment> {
        Segment::parse(&Ipv6::parse(packet)?)
    }

    #[test]
    fn a_refused_request_gets_a_reset_that_acknowledges_it() {
        let syn = parse(&segment(SYN, b"")).unwrap();
        assert!(syn.opens());
        let reset = reset_for(&syn).unwrap();
        let ip = Ipv6::parse(&reset).unwrap();
        assert_eq!(
            packet::checksum(ip.source, ip.destination, packet::TCP, ip.payload),
            0
        );
        let reset = Segment::parse(&ip).unwrap();
        assert_eq!(
            (reset.flags, reset.sequence, reset.acknowledgement),
            (RST | ACK, 0, 11)
        );
        assert_eq!((reset.key.local.port(), reset.key.remote.port()), (1, 2));
    }

    #[test]
    fn a_stray_segment_gets_a_reset_at_its_acknowledgement_and_a_reset_nothing() {
        let stray = parse(&segment(ACK, b"data")).unwrap();
        let reset = parse(&reset_for(&stray).unwrap()).unwrap();
        assert_eq!((reset.flags, reset.sequence), (RST, 20));
        assert!(reset_for(&parse(&segment(RST, b"")).unwrap()).is_none());
    }

    #[test]
    fn short_or_lying_headers_are_none() {
        let whole = segment(SYN, b"");
        let ip = Ipv6::parse(&whole).unwrap();
        for cut in 0..HEADER_LEN {
            assert!(
                Segment::parse(&Ipv6 {
                    payload: &ip.payload[..cut],
                    ..ip
                })
                .is_none()
            );
        }
        let mut lying = whole.clone();
        lying[packet::IPV6_HEADER_LEN + 12] = 0xf0;
        assert!(parse(&lying).is_none());
    }
}
