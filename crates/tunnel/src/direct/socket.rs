//! The UDP sockets of one end: sends bundles, receives batches, many packets per system call where
//! the system can do that.
//!
//! Packets are never fragmented: a path that does not carry them whole is no path, and discovery
//! finds that out.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Bundle, Received};

/// Room for packets on their way in: what a peer with a full window may send in one burst, as the
/// system counts it (twice the bytes). Without the right to ask for so much, it may grant less.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Room for packets on their way out.
const SEND_BUFFER: usize = 2 << 20;
/// Set to `true`, one system call carries one packet: for kernels or network cards whose offloads
/// are broken.
const NO_OFFLOAD: &str = "CODER_TUNNEL_DISABLE_UDP_OFFLOAD";

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

/// One socket, and what the system can do for it.
///
/// Only what arrives is waited for all the time. A socket tells of its room whenever a packet has left
/// it: whoever waits for that too is woken once for each.
struct Port {
    socket: AsyncFd<UdpSocket>,
    /// Several packets per call; `None`: not wanted.
    offload: Option<UdpSocketState>,
}

/// The sockets of one end; at least one of them is bound.
pub(crate) struct Socket {
    v4: Option<Port>,
    v6: Option<Port>,
}

impl Socket {
    /// Binds both families to `port` (0: any; the same for both if possible). Must be called inside
    /// a Tokio runtime. An error if no family can be bound.
    pub(crate) fn bind(port: u16) -> io::Result<Self> {
        let unwanted = std::env::var(NO_OFFLOAD).is_ok_and(|value| value == "true" || value == "1");
        Self::bind_with(port, !unwanted)
    }

    fn bind_with(port: u16, offload: bool) -> io::Result<Self> {
        let v4 = bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), offload);
        let same = v4
            .as_ref()
            .ok()
            .and_then(|port| port.socket.get_ref().local_addr().ok())
            .map_or(port, |address| address.port());
        let v6 = bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, same)), offload)
            .or_else(|_| bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)), offload));
        match (v4, v6) {
            (Err(error), Err(_)) => Err(error),
            (v4, v6) => Ok(Self {
                v4: v4.ok(),
                v6: v6.ok(),
            }),
        }
    }

    fn get(&self, family: Family) -> Option<&Port> {
        match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }

    /// The port of a family; `None` without a socket.
    pub(crate) fn port(&self, family: Family) -> Option<u16> {
        Some(self.get(family)?.socket.get_ref().local_addr().ok()?.port())
    }

    /// Bytes of packets that the system keeps until they are received, at least.
    pub(crate) fn receive_room(&self) -> Option<usize> {
        let ports = [&self.v4, &self.v6].into_iter().flatten();
        // It counts its own effort too: about as much as the packets.
        ports
            .filter_map(|port| SockRef::from(port.socket.get_ref()).recv_buffer_size().ok())
            .map(|bytes| bytes / 2)
            .min()
    }

    /// Sends what is left of `bundle`, without waiting.
    pub(crate) fn try_send(&self, bundle: &mut Bundle) -> Sent {
        let Some(port) = self.get(Family::of(bundle.to)) else {
            let text = "this machine has no socket of the address's family";
            return Sent::Unreachable(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        };
        while let Some(run) = bundle.run(bundle.sent, port.most_segments()) {
            let count = run.count;
            match port.send(bundle.to, run.bytes, run.segment) {
                Ok(()) => {}
                // The system cannot segment for this route after all: packet by packet then.
                Err(_) if count > 1 && port.most_segments() == 1 => continue,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Sent::Full,
                    // Something on the way lost an earlier packet: nothing about this one.
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted => {}
                    _ if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                    _ => return Sent::Unreachable(error),
                },
            }
            bundle.sent += count;
        }
        Sent::All
    }

    /// Waits until the socket for `to` has room.
    pub(crate) async fn writable(&self, to: SocketAddr) -> io::Result<()> {
        if let Some(port) = self.get(Family::of(to)) {
            let socket = port.socket.get_ref().try_clone()?;
            let watched = watch(socket, Interest::WRITABLE)?;
            let _ready = watched.writable().await?;
        }
        Ok(())
    }

    /// Waits for datagrams and takes as many as are there and fit. Never ends without a socket of
    /// the family.
    pub(crate) async fn receive(&self, family: Family, into: &mut Received) -> io::Result<()> {
        let Some(port) = self.get(family) else {
            return std::future::pending().await;
        };
        into.clear();
        loop {
            let mut ready = port.socket.readable().await?;
            match port.receive(into) {
                Ok(drained) => {
                    // What comes from now on is told anew.
                    if drained {
                        ready.clear_ready();
                    }
                    return Ok(());
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => ready.clear_ready(),
                    // Reports about packets that were sent earlier.
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

impl Port {
    /// Packets that one call may carry.
    fn most_segments(&self) -> usize {
        self.offload
            .as_ref()
            .map_or(1, UdpSocketState::max_gso_segments)
    }

    /// Sends packets of `segment` bytes each (the last may be shorter).
    fn send(&self, to: SocketAddr, bytes: &[u8], segment: usize) -> io::Result<()> {
        let Some(offload) = &self.offload else {
            self.socket.get_ref().send_to(bytes, to)?;
            return Ok(());
        };
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: bytes,
            segment_size: Some(segment),
            src_ip: None,
        };
        offload.try_send(UdpSockRef::from(self.socket.get_ref()), &transmit)
    }

    /// Takes what is there and fits; true if that was everything.
    fn receive(&self, into: &mut Received) -> io::Result<bool> {
        let socket = self.socket.get_ref();
        let Some(offload) = &self.offload else {
            return into.fill_singly(|room| socket.recv_from(room));
        };
        let joined = offload.gro_segments() > 1;
        into.fill(joined, |buffers, about| {
            offload.recv(UdpSockRef::from(socket), buffers, about)
        })
    }
}

fn bind(address: SocketAddr, offload: bool) -> io::Result<Port> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    options::dont_fragment(&socket, address.is_ipv6());
    options::buffers(&socket, RECEIVE_BUFFER, SEND_BUFFER);
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    let offload = match offload.then(|| UdpSocketState::new(UdpSockRef::from(&socket))) {
        Some(Ok(state)) => Some(state),
        Some(Err(error)) => {
            tracing::debug!(%error, "no batches of packets: one system call for each");
            None
        }
        None => None,
    };
    Ok(Port {
        socket: watch(socket, Interest::READABLE)?,
        offload,
    })
}

/// Lets the runtime tell of one kind of readiness.
fn watch(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    #[expect(
        unsafe_code,
        reason = "registering a descriptor promises that it stays the same"
    )]
    // SAFETY: a socket keeps its descriptor until it is dropped, with its registration.
    unsafe {
        Ok(AsyncFd::register_with_interest(socket, interest)?)
    }
}

#[cfg(target_os = "linux")]
mod options;
#[cfg(not(target_os = "linux"))]
#[path = "socket/options_other.rs"]
mod options;

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of all sizes in one bundle, over sockets of every kind.
    #[tokio::test]
    async fn a_bundle_arrives_as_its_packets() {
        for (from, to) in [(true, true), (true, false), (false, true), (false, false)] {
            let a = Socket::bind_with(0, from).unwrap();
            let b = Socket::bind_with(0, to).unwrap();
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, b.port(Family::V4).unwrap()));
            let mut bundle = super::super::BundlePool::default().take(to);
            let mut packets: Vec<Vec<u8>> = Vec::new();
            for (n, len) in [1312, 1312, 1312, 700, 1312, 1, 1, 2, 90, 1312, 1312]
                .into_iter()
                .chain([1312; 25])
                .enumerate()
            {
                packets.push(vec![n as u8; len]);
            }
            for packet in &packets {
                bundle.data.extend_from_slice(packet);
                bundle.finish_packet();
            }
            assert!(matches!(a.try_send(&mut bundle), Sent::All));
            let mut received = Received::default();
            let mut all = Vec::new();
            while all.len() < packets.len() {
                b.receive(Family::V4, &mut received).await.unwrap();
                all.extend(received.iter().map(|(_, data)| data.to_vec()));
            }
            assert!(all == packets);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_told() {
        for offload in [true, false] {
            let socket = Socket::bind_with(0, offload).unwrap();
            let mut bundle =
                super::super::BundlePool::default().take("255.255.255.255:9".parse().unwrap());
            bundle.data.push(0);
            bundle.finish_packet();
            assert!(matches!(socket.try_send(&mut bundle), Sent::Unreachable(_)));
        }
    }
}
