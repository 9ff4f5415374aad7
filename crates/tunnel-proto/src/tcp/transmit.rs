//! Outgoing segments: what they say, and how they are cut into packets.

use std::net::SocketAddrV6;

use super::segment::{MAX_SACK, flag, option};
use super::{Connection, HEADER_LEN, MSS};
use crate::packet::{self, IPV6_HEADER_LEN, MTU};

/// Most bytes of options.
const MAX_OPTIONS: usize = 40;
/// Place of the checksum in the header.
const CHECKSUM: usize = 16;

/// The two ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Addresses {
    /// Ours.
    pub local: SocketAddrV6,
    /// The peer's.
    pub remote: SocketAddrV6,
}

/// A segment to send: up to [`super::MAX_BURST`] packets of data, which
/// [`Connection::cut`] writes before anything else happens to the connection.
#[derive(Debug, Clone, Copy)]
pub struct Transmit {
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
    pub(super) options: [u8; MAX_OPTIONS],
    pub(super) options_len: usize,
    /// Position of the data in the stream.
    pub(super) start: u64,
    /// Bytes of data.
    pub(super) len: usize,
}

impl Transmit {
    /// A segment without data and options.
    pub(super) fn bare(sequence: u32, acknowledgement: u32, flags: u8, window: u16) -> Self {
        Self {
            sequence,
            acknowledgement,
            flags,
            window,
            options: [option::NOP; MAX_OPTIONS],
            options_len: 0,
            start: 0,
            len: 0,
        }
    }

    /// Bytes of data in it.
    pub fn data_len(&self) -> usize {
        self.len
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.options_len + bytes.len();
        if let Some(room) = self.options.get_mut(self.options_len..end) {
            room.copy_from_slice(bytes);
            self.options_len = end;
        }
    }

    /// Options of a SYN: our segment size, selective acknowledgements, and window scaling.
    pub(super) fn put_syn(&mut self, sack: bool, scale: Option<u8>) {
        let [a, b] = (MSS as u16).to_be_bytes();
        self.put(&[option::MSS, 4, a, b]);
        if sack {
            self.put(&[option::NOP, option::NOP, option::SACK_PERMITTED, 2]);
        }
        if let Some(scale) = scale {
            self.put(&[option::NOP, option::WINDOW_SCALE, 3, scale]);
        }
    }

    /// Blocks that arrived, given by `each` in order of importance.
    pub(super) fn put_sack(&mut self, each: impl FnOnce(&mut dyn FnMut(u32, u32))) {
        let begin = self.options_len;
        self.put(&[option::NOP, option::NOP, option::SACK, 2]);
        let mut count = 0;
        each(&mut |from, until| {
            if count < MAX_SACK {
                self.put(&from.to_be_bytes());
                self.put(&until.to_be_bytes());
                count += 1;
            }
        });
        self.options[begin + 3] = 2 + 8 * count as u8;
        if count == 0 {
            self.options_len = begin;
        }
    }
}

impl Connection {
    /// Writes `transmit` as packets of at most [`MTU`] bytes, one call of `put` for each.
    pub fn cut(&self, transmit: &Transmit, put: &mut dyn FnMut(&[u8])) {
        let Addresses { local, remote } = self.addresses();
        let head = IPV6_HEADER_LEN + HEADER_LEN + transmit.options_len;
        let mut packet = [0; MTU];
        let (source, destination) = (*local.ip(), *remote.ip());
        packet[0] = 0x60;
        packet[6] = packet::TCP;
        packet[7] = packet::HOP_LIMIT;
        packet[8..24].copy_from_slice(&source.octets());
        packet[24..40].copy_from_slice(&destination.octets());
        let most = (self.mss() - transmit.options_len).min(MTU - head);
        let mut done = 0;
        loop {
            let len = (transmit.len - done).min(most);
            let last = done + len == transmit.len;
            let tcp_len = HEADER_LEN + transmit.options_len + len;
            packet[4..6].copy_from_slice(&(tcp_len as u16).to_be_bytes());
            let tcp = &mut packet[IPV6_HEADER_LEN..head + len];
            tcp[..2].copy_from_slice(&local.port().to_be_bytes());
            tcp[2..4].copy_from_slice(&remote.port().to_be_bytes());
            let sequence = transmit.sequence.wrapping_add(done as u32);
            tcp[4..8].copy_from_slice(&sequence.to_be_bytes());
            tcp[8..12].copy_from_slice(&transmit.acknowledgement.to_be_bytes());
            tcp[12] = ((head - IPV6_HEADER_LEN) as u8 / 4) << 4;
            tcp[13] = if last {
                transmit.flags
            } else {
                transmit.flags & !(flag::FIN | flag::PSH)
            };
            tcp[14..16].copy_from_slice(&transmit.window.to_be_bytes());
            tcp[CHECKSUM..HEADER_LEN].fill(0);
            tcp[HEADER_LEN..HEADER_LEN + transmit.options_len]
                .copy_from_slice(&transmit.options[..transmit.options_len]);
            let (a, b) = self.data(transmit.start + done as u64, len);
            let body = &mut tcp[HEADER_LEN + transmit.options_len..];
            body[..a.len()].copy_from_slice(a);
            body[a.len()..].copy_from_slice(b);
            let sum = packet::checksum(source, destination, packet::TCP, tcp);
            tcp[CHECKSUM..CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
            put(&packet[..head + len]);
            done += len;
            if last {
                return;
            }
        }
    }
}
