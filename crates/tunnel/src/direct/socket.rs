//! The UDP sockets of one end: sends bundles, receives batches.
//!
//! Packets are never fragmented: a path that does not carry them whole is no path, and discovery
//! finds that out.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use socket2::{Domain, Protocol, SockAddr, SockRef, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::Bundle;

/// Room for packets on their way in: what a peer with a full window may send in one burst. The
/// system may grant less.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Room for packets on their way out.
const SEND_BUFFER: usize = 1 << 20;
/// Bytes taken in one turn.
const BATCH_BYTES: usize = 64 << 10;
/// Largest datagram taken: more than any peer sends.
const MAX_DATAGRAM: usize = 2048;

/// Which socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }
}

/// What became of a bundle.
#[derive(Debug)]
pub(crate) enum Sent {
    /// The system took it.
    All,
    /// The socket's buffer is full; the bundle knows how far it got.
    Full,
    /// The system cannot send to this address.
    Unreachable(io::Error),
}

/// The sockets of one end; at least one of them is bound.
pub(crate) struct Socket {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl Socket {
    /// Binds both families to `port` (0: any; the same for both if possible). Must be called inside
    /// a Tokio runtime. An error if no family can be bound.
    pub(crate) fn bind(port: u16) -> io::Result<Self> {
        let v4 = bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
        let same = v4
            .as_ref()
            .ok()
            .and_then(|socket| socket.local_addr().ok())
            .map_or(port, |address| address.port());
        let v6 = bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, same)))
            .or_else(|_| bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))));
        match (v4, v6) {
            (Err(error), Err(_)) => Err(error),
            (v4, v6) => Ok(Self {
                v4: v4.ok(),
                v6: v6.ok(),
            }),
        }
    }

    fn get(&self, family: Family) -> Option<&UdpSocket> {
        match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }

    /// The port of a family; `None` without a socket.
    pub(crate) fn port(&self, family: Family) -> Option<u16> {
        Some(self.get(family)?.local_addr().ok()?.port())
    }

    /// Sends what is left of `bundle`, without waiting.
    pub(crate) fn try_send(&self, bundle: &mut Bundle) -> Sent {
        let Some(socket) = self.get(Family::of(bundle.to)) else {
            let text = "this machine has no socket of the address's family";
            return Sent::Unreachable(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        };
        let to = SockAddr::from(bundle.to);
        let raw = SockRef::from(socket);
        while let Some(packet) = bundle.packet(bundle.sent) {
            // The runtime only lets a send through after it saw the socket writable: it is asked
            // when the system has refused one.
            let sent = match raw.send_to(packet, &to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.try_io(Interest::WRITABLE, || raw.send_to(packet, &to))
                }
                sent => sent,
            };
            match sent {
                Ok(_) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Sent::Full,
                    // Something on the way lost an earlier packet: nothing about this one.
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted => {}
                    _ if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                    _ => return Sent::Unreachable(error),
                },
            }
            bundle.sent += 1;
        }
        Sent::All
    }

    /// Waits until the socket for `to` has room.
    pub(crate) async fn writable(&self, to: SocketAddr) -> io::Result<()> {
        match self.get(Family::of(to)) {
            Some(socket) => socket.writable().await,
            None => Ok(()),
        }
    }

    /// Waits for datagrams and takes as many as are there and fit. Never ends without a socket of
    /// the family.
    pub(crate) async fn receive(&self, family: Family, into: &mut Received) -> io::Result<()> {
        let Some(socket) = self.get(family) else {
            return std::future::pending().await;
        };
        into.clear();
        loop {
            socket.readable().await?;
            while let Some(room) = into.room() {
                match socket.try_recv_from(room) {
                    Ok((len, from)) => into.push(from, len),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // Reports about packets that were sent earlier.
                    Err(error)
                        if matches!(
                            error.kind(),
                            io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted
                        ) => {}
                    Err(error) => return Err(error),
                }
            }
            if !into.is_empty() {
                return Ok(());
            }
        }
    }
}

/// A batch of datagrams that arrived.
pub(crate) struct Received {
    data: Box<[u8]>,
    filled: usize,
    datagrams: Vec<(SocketAddr, Range<usize>)>,
}

impl Default for Received {
    fn default() -> Self {
        Self {
            data: vec![0; BATCH_BYTES].into_boxed_slice(),
            filled: 0,
            datagrams: Vec::new(),
        }
    }
}

impl Received {
    fn clear(&mut self) {
        self.filled = 0;
        self.datagrams.clear();
    }

    fn room(&mut self) -> Option<&mut [u8]> {
        self.data.get_mut(self.filled..self.filled + MAX_DATAGRAM)
    }

    fn push(&mut self, from: SocketAddr, len: usize) {
        self.datagrams.push((from, self.filled..self.filled + len));
        self.filled += len;
    }

    fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Each datagram with its sender, in the order of arrival.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.datagrams
            .iter()
            .filter_map(|(from, range)| Some((*from, self.data.get(range.clone())?)))
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    dont_fragment(&socket, address.is_ipv6());
    // Smaller buffers work too, only not as fast.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Asks the system to send packets whole or not at all, whatever it believes of the path.
#[cfg(target_os = "linux")]
fn dont_fragment(socket: &socket2::Socket, v6: bool) {
    use std::os::fd::AsRawFd;

    let (level, name, value) = if v6 {
        (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_PROBE,
        )
    } else {
        (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_PROBE,
        )
    };
    let value: libc::c_int = value;
    // SAFETY: the descriptor is open, and the pointer and length are those of a living integer.
    // A failure leaves the system's default, which works except on paths with a small MTU.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}

#[cfg(not(target_os = "linux"))]
fn dont_fragment(_: &socket2::Socket, _: bool) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bundle_arrives_as_its_packets() {
        let (a, b) = (Socket::bind(0).unwrap(), Socket::bind(0).unwrap());
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, b.port(Family::V4).unwrap()));
        let mut bundle = super::super::BundlePool::default().take(to);
        for packet in [b"one".as_slice(), b"three", b"x"] {
            bundle.data.extend_from_slice(packet);
            bundle.finish_packet();
        }
        assert!(matches!(a.try_send(&mut bundle), Sent::All));
        let mut received = Received::default();
        let mut all = Vec::new();
        while all.len() < 3 {
            b.receive(Family::V4, &mut received).await.unwrap();
            all.extend(received.iter().map(|(_, data)| data.to_vec()));
        }
        assert_eq!(all, [b"one".to_vec(), b"three".to_vec(), b"x".to_vec()]);
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_told() {
        let socket = Socket::bind(0).unwrap();
        let mut bundle =
            super::super::BundlePool::default().take("255.255.255.255:9".parse().unwrap());
        bundle.data.push(0);
        bundle.finish_packet();
        assert!(matches!(socket.try_send(&mut bundle), Sent::Unreachable(_)));
    }
}
