//! Lets smoltcp take one packet in and put many out, without queues of its own.

use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use tunnel_proto::packet::MTU;

/// Packets that connections want to send, back to back in one reused buffer.
#[derive(Default)]
pub(crate) struct Packets {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Packets {
    /// Bytes of all packets.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets all packets, keeps the room.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// The packets in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.bytes[start..end])
    }
}

/// The device of one poll: an incoming packet, if any, and the place for outgoing ones.
pub(crate) struct Wire<'a> {
    pub(crate) incoming: Option<&'a [u8]>,
    pub(crate) outgoing: &'a mut Packets,
}

pub(crate) struct Incoming<'a>(&'a [u8]);
pub(crate) struct Outgoing<'a>(&'a mut Packets);

impl Device for Wire<'_> {
    type RxToken<'t>
        = Incoming<'t>
    where
        Self: 't;
    type TxToken<'t>
        = Outgoing<'t>
    where
        Self: 't;

    fn receive(&mut self, _now: Instant) -> Option<(Incoming<'_>, Outgoing<'_>)> {
        let packet = self.incoming.take()?;
        Some((Incoming(packet), Outgoing(self.outgoing)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing(self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        // What arrives was authenticated packet by packet: a checksum adds nothing.
        capabilities.checksum.tcp = Checksum::Tx;
        capabilities
    }
}

impl RxToken for Incoming<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let packets = self.0;
        let start = packets.bytes.len();
        packets.bytes.resize(start + len, 0);
        let result = f(&mut packets.bytes[start..]);
        packets.ends.push(start + len);
        result
    }
}
