//! Notices that the network of this machine changed: other addresses, another way to the Internet,
//! or a time in which the machine slept.
//!
//! Linux tells of changes; nothing is asked at intervals. What it tells is compared with what was
//! before, because many of its messages (a container's interface, a route that is refreshed) mean
//! nothing here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use super::interfaces;
use crate::shared::Shared;

/// Changes come in bursts: the last one counts, once it has been quiet for so long.
const QUIET: Duration = Duration::from_millis(250);
/// … but a burst is looked at after so long at the latest.
const MAX_BURST: u32 = 8;

/// What matters of this machine's network.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Snapshot {
    addresses: Vec<IpAddr>,
    /// The addresses from which the Internet would be reached.
    sources: [Option<IpAddr>; 2],
}

impl Snapshot {
    fn take() -> Self {
        let mut addresses = interfaces::addresses();
        addresses.sort_unstable();
        Self {
            addresses,
            // Addresses for documentation (RFC 5737, RFC 3849): only asked for a route.
            sources: [
                source(Ipv4Addr::new(192, 0, 2, 1).into()),
                source(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
            ],
        }
    }
}

/// The address from which `to` would be reached. Sends nothing.
pub(super) fn source(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(to, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Tells the tunnel of every change, until the tunnel ends.
pub(super) async fn run(shared: &Arc<Shared>) {
    let events = match events::Events::open() {
        Ok(events) => events,
        Err(error) => {
            tracing::debug!(%error, "changes of the network are not noticed");
            return std::future::pending().await;
        }
    };
    let mut known = Snapshot::take();
    loop {
        if let Err(error) = events.next().await {
            tracing::debug!(%error, "changes of the network are not noticed any more");
            return std::future::pending().await;
        }
        for _ in 0..MAX_BURST {
            if tokio::time::timeout(QUIET, events.next()).await.is_err() {
                break;
            }
        }
        let now = Snapshot::take();
        if now != known {
            tracing::debug!(?now, "the network of this machine changed");
            let elsewhere = now.sources != known.sources;
            known = now;
            if elsewhere {
                shared.moved().await;
            } else {
                shared.network_changed();
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod events {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};

    use nix::sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// Messages are only counted, not read.
    const BUFFER_LEN: usize = 8 << 10;

    /// The kernel's messages about interfaces, addresses and routes.
    pub(super) struct Events(AsyncFd<OwnedFd>);

    impl Events {
        pub(super) fn open() -> io::Result<Self> {
            let fd = socket(
                AddressFamily::Netlink,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
                SockProtocol::NetlinkRoute,
            )?;
            let groups = libc::RTMGRP_LINK
                | libc::RTMGRP_IPV4_IFADDR
                | libc::RTMGRP_IPV4_ROUTE
                | libc::RTMGRP_IPV6_IFADDR
                | libc::RTMGRP_IPV6_ROUTE;
            bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups.unsigned_abs()))?;
            // SAFETY: the descriptor is open, owned by the registration, and the only one that its
            // owner ever gives.
            let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?;
            Ok(Self(fd))
        }

        /// Waits for a message.
        pub(super) async fn next(&self) -> io::Result<()> {
            let mut buffer = [0; BUFFER_LEN];
            loop {
                let mut ready = self.0.readable().await?;
                let read =
                    ready.try_io(|fd| Ok(recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty())?));
                match read {
                    Ok(Ok(_)) => return Ok(()),
                    // More happened than the kernel kept: something did.
                    Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(()),
                    Ok(Err(error)) => return Err(error),
                    Err(_) => {}
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod events {
    use std::io;

    use tokio::time::Duration;

    /// Without messages of the system, the network is looked at so often.
    const INTERVAL: Duration = Duration::from_secs(10);

    pub(super) struct Events;

    impl Events {
        pub(super) fn open() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn next(&self) -> io::Result<()> {
            tokio::time::sleep(INTERVAL).await;
            Ok(())
        }
    }
}
