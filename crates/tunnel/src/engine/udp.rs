//! UDP inside the tunnel: which ports have sockets, and the datagrams' wire form.

use std::collections::HashMap;
use std::net::SocketAddrV6;

use tokio::sync::mpsc;
use tunnel_proto::packet::{self, IPV6_HEADER_LEN, Ipv6, MTU};

use super::Engine;

/// Bytes of a UDP header.
const HEADER_LEN: usize = 8;
/// Most bytes of one datagram: there is no fragmentation in the tunnel.
pub(crate) const MAX_PAYLOAD: usize = MTU - IPV6_HEADER_LEN - HEADER_LEN;
/// First port given to sockets that ask for any (RFC 6335).
const FIRST_PORT: u16 = 49152;

/// A datagram that arrived.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) remote: SocketAddrV6,
    pub(crate) local: SocketAddrV6,
    pub(crate) data: Vec<u8>,
}

/// Ports with sockets, and who takes the rest.
#[derive(Default)]
pub(crate) struct Udp {
    sockets: HashMap<u16, mpsc::Sender<Datagram>>,
    pub(crate) fallback: Option<mpsc::Sender<Datagram>>,
}

impl Udp {
    /// Gives `port` (or a free one for 0) to the socket that reads from `queue`'s other end.
    pub(crate) fn bind(&mut self, port: u16, queue: mpsc::Sender<Datagram>) -> Option<u16> {
        let port = match port {
            0 => (FIRST_PORT..=u16::MAX).find(|port| !self.sockets.contains_key(port))?,
            taken if self.sockets.contains_key(&taken) => return None,
            free => free,
        };
        self.sockets.insert(port, queue);
        Some(port)
    }

    pub(crate) fn unbind(&mut self, port: u16) {
        self.sockets.remove(&port);
    }
}

impl Engine {
    pub(super) fn receive_udp(&mut self, ip: &Ipv6<'_>) {
        let Some(([s0, s1, d0, d1, l0, l1, ..], _)) = ip.payload.split_first_chunk::<HEADER_LEN>()
        else {
            return;
        };
        let len = usize::from(u16::from_be_bytes([*l0, *l1]));
        let Some(data) = ip.payload.get(HEADER_LEN..len) else {
            return;
        };
        let local = SocketAddrV6::new(ip.destination, u16::from_be_bytes([*d0, *d1]), 0, 0);
        let remote = SocketAddrV6::new(ip.source, u16::from_be_bytes([*s0, *s1]), 0, 0);
        let queue = self
            .udp
            .sockets
            .get(&local.port())
            .or(self.udp.fallback.as_ref());
        // A full queue loses datagrams, as every UDP socket does.
        if let Some(slot) = queue.and_then(|queue| queue.try_reserve().ok()) {
            slot.send(Datagram {
                remote,
                local,
                data: data.to_vec(),
            });
        }
    }

    /// Sends a datagram; false if nobody owns the address. `data` fits [`MAX_PAYLOAD`].
    pub(crate) fn send_udp(
        &mut self,
        local: SocketAddrV6,
        remote: SocketAddrV6,
        data: &[u8],
    ) -> bool {
        let Some(index) = self.peers.by_address(remote.ip()) else {
            return false;
        };
        let len = (HEADER_LEN + data.len()) as u16;
        let mut datagram = Vec::with_capacity(usize::from(len));
        datagram.extend_from_slice(&local.port().to_be_bytes());
        datagram.extend_from_slice(&remote.port().to_be_bytes());
        datagram.extend_from_slice(&len.to_be_bytes());
        datagram.extend_from_slice(&[0, 0]);
        datagram.extend_from_slice(data);
        // UDP over IPv6 must have a checksum; the value 0 stands for none.
        let sum = match packet::checksum(*local.ip(), *remote.ip(), packet::UDP, &datagram) {
            0 => u16::MAX,
            sum => sum,
        };
        datagram[6..8].copy_from_slice(&sum.to_be_bytes());
        let mut out = Vec::with_capacity(IPV6_HEADER_LEN + datagram.len());
        packet::put_ipv6(&mut out, *local.ip(), *remote.ip(), packet::UDP, len);
        out.extend_from_slice(&datagram);
        self.send_ip(index, &out);
        true
    }
}
