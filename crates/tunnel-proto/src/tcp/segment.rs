//! Segments as they come: header, options, payload. And the reset that refuses one.

use std::net::Ipv6Addr;

use super::HEADER_LEN;
use crate::packet::{self, IPV6_HEADER_LEN};

/// Bits of the flags byte.
pub mod flag {
    /// The sender has no more data.
    pub const FIN: u8 = 0x01;
    /// Opens a connection.
    pub const SYN: u8 = 0x02;
    /// Ends a connection at once.
    pub const RST: u8 = 0x04;
    /// The receiver should hand the data on.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement counts.
    pub const ACK: u8 = 0x10;
}

pub(super) mod option {
    pub(in super::super) const END: u8 = 0;
    pub(in super::super) const NOP: u8 = 1;
    pub(in super::super) const MSS: u8 = 2;
    pub(in super::super) const WINDOW_SCALE: u8 = 3;
    pub(in super::super) const SACK_PERMITTED: u8 = 4;
    pub(in super::super) const SACK: u8 = 5;
}

/// Most blocks that fit the options.
pub(super) const MAX_SACK: usize = 4;

/// The options that this end understands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Largest payload that the sender takes (with SYN).
    pub mss: Option<u16>,
    /// Its windows are shifted by so many bits (with SYN).
    pub window_scale: Option<u8>,
    /// It understands selective acknowledgements (with SYN).
    pub sack_permitted: bool,
    sack: [(u32, u32); MAX_SACK],
    sack_len: u8,
}

impl Options {
    /// Blocks of sequence numbers that arrived.
    pub fn sack(&self) -> &[(u32, u32)] {
        &self.sack[..usize::from(self.sack_len)]
    }

    /// Malformed options end the list; nothing before them is lost.
    fn parse(mut bytes: &[u8]) -> Self {
        let mut options = Self::default();
        while let Some((&kind, rest)) = bytes.split_first() {
            match kind {
                option::END => break,
                option::NOP => {
                    bytes = rest;
                    continue;
                }
                _ => {}
            }
            let Some((&len, _)) = rest.split_first() else {
                break;
            };
            let Some(body) = bytes.get(2..usize::from(len)) else {
                break;
            };
            match (kind, body) {
                (option::MSS, &[a, b]) => options.mss = Some(u16::from_be_bytes([a, b])),
                (option::WINDOW_SCALE, &[shift]) => options.window_scale = Some(shift),
                (option::SACK_PERMITTED, []) => options.sack_permitted = true,
                (option::SACK, blocks) => {
                    for &[a, b, c, d, e, f, g, h] in blocks.as_chunks::<8>().0 {
                        let at = usize::from(options.sack_len);
                        if let Some(slot) = options.sack.get_mut(at) {
                            *slot = (
                                u32::from_be_bytes([a, b, c, d]),
                                u32::from_be_bytes([e, f, g, h]),
                            );
                            options.sack_len += 1;
                        }
                    }
                }
                _ => {}
            }
            bytes = &bytes[usize::from(len)..];
        }
        options
    }
}

/// A segment, borrowed from its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Port of the sender.
    pub source: u16,
    /// Port of the receiver.
    pub destination: u16,
    /// Sequence number of the first byte.
    pub sequence: u32,
    /// The next byte that the sender expects.
    pub acknowledgement: u32,
    /// See [`flag`].
    pub flags: u8,
    /// How much the sender takes, not scaled.
    pub window: u16,
    /// Options.
    pub options: Options,
    /// Data.
    pub payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Reads a segment from the payload of an IPv6 packet; `None` if it is cut short. The checksum
    /// is not looked at: what comes through the tunnel was authenticated packet by packet.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<HEADER_LEN>()?;
        let offset = usize::from(header[12] >> 4) * 4;
        let options = rest.get(..offset.checked_sub(HEADER_LEN)?)?;
        let long = |at: usize| {
            u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        Some(Self {
            source: u16::from_be_bytes([header[0], header[1]]),
            destination: u16::from_be_bytes([header[2], header[3]]),
            sequence: long(4),
            acknowledgement: long(8),
            flags: header[13],
            window: u16::from_be_bytes([header[14], header[15]]),
            options: if options.is_empty() {
                Options::default()
            } else {
                Options::parse(options)
            },
            payload: &rest[options.len()..],
        })
    }

    /// True if `flags` are all set.
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Sequence numbers that it takes.
    pub fn len(&self) -> u32 {
        self.payload.len() as u32 + u32::from(self.has(flag::SYN)) + u32::from(self.has(flag::FIN))
    }

    /// True if it takes no sequence numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True for a request to open a connection.
    pub fn opens(&self) -> bool {
        self.flags & (flag::SYN | flag::ACK | flag::RST | flag::FIN) == flag::SYN
    }
}

/// The packet by which `from` refuses `segment` of `to` (RFC 9293, 3.10.7.1); `None` if the segment
/// is a reset itself.
pub fn put_reset(from: Ipv6Addr, to: Ipv6Addr, segment: &Segment<'_>) -> Option<Vec<u8>> {
    if segment.has(flag::RST) {
        return None;
    }
    let (flags, sequence, acknowledgement) = if segment.has(flag::ACK) {
        (flag::RST, segment.acknowledgement, 0)
    } else {
        let next = segment.sequence.wrapping_add(segment.len());
        (flag::RST | flag::ACK, 0, next)
    };
    let mut tcp = [0; HEADER_LEN];
    tcp[..2].copy_from_slice(&segment.destination.to_be_bytes());
    tcp[2..4].copy_from_slice(&segment.source.to_be_bytes());
    tcp[4..8].copy_from_slice(&u32::to_be_bytes(sequence));
    tcp[8..12].copy_from_slice(&u32::to_be_bytes(acknowledgement));
    tcp[12] = (HEADER_LEN as u8 / 4) << 4;
    tcp[13] = flags;
    let sum = packet::checksum(from, to, packet::TCP, &tcp);
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    let mut out = Vec::with_capacity(IPV6_HEADER_LEN + HEADER_LEN);
    packet::put_ipv6(&mut out, from, to, packet::TCP, HEADER_LEN as u16);
    out.extend_from_slice(&tcp);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Ipv6;

    fn raw(flags: u8, options: &[u8], data: &[u8]) -> Vec<u8> {
        let mut out = vec![
            0, 1, 0, 2, 0, 0, 0, 10, 0, 0, 0, 20, 0, flags, 1, 0, 0, 0, 0, 0,
        ];
        out[12] = ((HEADER_LEN + options.len()) as u8 / 4) << 4;
        out.extend(options);
        out.extend(data);
        out
    }

    #[test]
    fn options_are_read_and_malformed_ones_end_the_list() {
        let bytes = raw(flag::SYN, &[2, 4, 4, 196, 4, 2, 1, 3, 3, 7, 0, 0], b"");
        let segment = Segment::parse(&bytes).unwrap();
        assert!(segment.opens());
        let Options {
            mss,
            window_scale,
            sack_permitted,
            ..
        } = segment.options;
        assert_eq!(
            (mss, window_scale, sack_permitted),
            (Some(1220), Some(7), true)
        );
        let mut sack = vec![1, 1, 5, 18];
        sack.extend([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 9]);
        let bytes = raw(flag::ACK, &sack, b"xy");
        let segment = Segment::parse(&bytes).unwrap();
        assert_eq!(segment.options.sack(), [(1, 2), (5, 9)]);
        assert_eq!(segment.payload, b"xy");
        for lying in [[2, 1, 0, 0], [2, 0, 0, 0], [5, 60, 0, 0], [1, 1, 1, 9]] {
            let bytes = raw(flag::ACK, &lying, b"");
            assert_eq!(Segment::parse(&bytes).unwrap().options, Options::default());
        }
    }

    #[test]
    fn short_or_lying_headers_are_none() {
        let whole = raw(flag::SYN, &[], b"");
        for cut in 0..HEADER_LEN {
            assert_eq!(Segment::parse(&whole[..cut]), None);
        }
        for offset in [0x00, 0x40, 0x60, 0xf0] {
            let mut lying = whole.clone();
            lying[12] = offset;
            assert_eq!(Segment::parse(&lying), None);
        }
    }

    fn reset_of(bytes: &[u8]) -> Option<Vec<u8>> {
        let (ours, theirs) = (Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED);
        put_reset(ours, theirs, &Segment::parse(bytes).unwrap())
    }

    #[test]
    fn a_refused_request_gets_a_reset_that_acknowledges_it() {
        let reset = reset_of(&raw(flag::SYN, &[], b"")).unwrap();
        let ip = Ipv6::parse(&reset).unwrap();
        assert_eq!(
            packet::checksum(ip.source, ip.destination, packet::TCP, ip.payload),
            0
        );
        let reset = Segment::parse(ip.payload).unwrap();
        assert_eq!(
            (reset.flags, reset.sequence, reset.acknowledgement),
            (flag::RST | flag::ACK, 0, 11)
        );
        assert_eq!((reset.source, reset.destination), (2, 1));
    }

    #[test]
    fn a_stray_segment_gets_a_reset_at_its_acknowledgement_and_a_reset_nothing() {
        let reset = reset_of(&raw(flag::ACK, &[], b"data")).unwrap();
        let reset = Segment::parse(&reset[IPV6_HEADER_LEN..]).unwrap();
        assert_eq!((reset.flags, reset.sequence), (flag::RST, 20));
        assert_eq!(reset_of(&raw(flag::RST, &[], b"")), None);
    }
}
