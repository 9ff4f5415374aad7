//! One TCP connection: a smoltcp socket with an interface of its own.

use std::net::SocketAddrV6;
use std::task::Waker;

use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpCidr, IpEndpoint, IpListenEndpoint};

use super::device::{Packets, Wire};
use super::segment::FlowKey;

/// Receive window: 425 packets, fewer than the 512 that a relay keeps for a client that reads
/// slowly, so that one connection never loses any there. Enough for 40 Mbit/s at 100 ms. Pages are
/// taken from the system only when used.
const RECEIVE_BUFFER: usize = 512 << 10;
/// Bytes written but not acknowledged yet, bounded for the same reason.
const SEND_BUFFER: usize = 512 << 10;
/// A quiet connection proves its peer this often.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// A connection whose peer says nothing for so long is reset.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);
/// The same for shells: a laptop may sleep over a weekend.
const SHELL_IDLE_TIMEOUT: Duration = Duration::from_secs(72 * 60 * 60);
/// Ports of the agent where shells are served.
const SHELL_PORTS: [u16; 2] = [1, 22];
/// A connection that was asked for must be established in this time.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
/// After the owner let go, the rest must be delivered in this time.
const LINGER: Duration = Duration::from_secs(60);

/// While a sender is finding its speed, it grows by acknowledgements, not by bytes: so many bytes
/// are acknowledged densely from the start and after each loss, later ones once per bundle.
const DENSE_BYTES: usize = 4 << 20;
/// The first of them one by one, the others two by two.
const DENSEST_BYTES: usize = 64 << 10;
/// Packets longer than this carry data.
const LONGEST_PURE_ACK: usize = 100;

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadState {
    /// Bytes were copied.
    Read(usize),
    /// The peer closed its half, and everything was read.
    End,
    /// The connection was reset.
    Reset,
    /// Nothing yet; the waker is kept.
    Wait,
}

/// What a writer finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WriteState {
    /// Bytes were taken.
    Written(usize),
    /// Our half is closed, or the connection was reset.
    Closed,
    /// No room; the waker is kept.
    Wait,
}

/// A connection.
pub(crate) struct Flow {
    pub(crate) key: FlowKey,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    /// The peer's FIN was received: what follows the buffered bytes is the end, not a reset.
    ended: bool,
    established: bool,
    /// Bytes still to be acknowledged densely.
    dense: usize,
    /// An odd number of segments came since then.
    odd: bool,
}

impl Flow {
    /// A connection that is about to ask the peer. `None` if the addresses cannot be connected.
    pub(crate) fn connect(key: FlowKey, seed: u64, now: Instant) -> Option<Self> {
        let mut flow = Self::new(key, seed, now);
        let socket = flow.sockets.get_mut::<Socket>(flow.handle);
        let (remote, local) = (endpoint(key.remote), endpoint(key.local));
        socket
            .connect(flow.interface.context(), remote, local)
            .ok()?;
        Some(flow)
    }

    /// A connection that the peer asked for: give its segment to [`Flow::ingress`] next.
    pub(crate) fn accept(key: FlowKey, seed: u64, now: Instant) -> Option<Self> {
        let mut flow = Self::new(key, seed, now);
        let local = endpoint(key.local);
        let listen = IpListenEndpoint {
            addr: Some(local.addr),
            port: local.port,
        };
        flow.socket_mut().listen(listen).ok()?;
        Some(flow)
    }

    fn new(key: FlowKey, seed: u64, now: Instant) -> Self {
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut none = Packets::default();
        let mut wire = Wire {
            incoming: None,
            outgoing: &mut none,
        };
        let mut interface = Interface::new(config, &mut wire, now);
        interface.update_ip_addrs(|addresses| {
            // One address always fits into an empty list of two.
            let _ = addresses.push(IpCidr::new((*key.local.ip()).into(), 128));
        });
        let buffer = |len| SocketBuffer::new(vec![0; len]);
        let mut socket = Socket::new(buffer(RECEIVE_BUFFER), buffer(SEND_BUFFER));
        socket.set_congestion_control(CongestionControl::Cubic);
        // Interactive traffic must not wait, and one poll handles a whole bundle of packets, so
        // that acknowledgements are sparse without a delay.
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        socket.set_timeout(Some(OPEN_TIMEOUT));
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        Self {
            key,
            interface,
            sockets,
            handle,
            ended: false,
            established: false,
            dense: DENSE_BYTES,
            odd: false,
        }
    }

    fn socket(&self) -> &Socket<'static> {
        self.sockets.get(self.handle)
    }

    fn socket_mut(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    /// Takes a packet of this connection. Immediate answers go to `out`; call [`Flow::egress`]
    /// after the last packet of a bundle. True if [`Flow::acknowledge`] should be called before.
    pub(crate) fn ingress(&mut self, packet: &[u8], out: &mut Packets, now: Instant) -> bool {
        let mut wire = Wire {
            incoming: Some(packet),
            outgoing: out,
        };
        self.interface
            .poll_ingress_single(now, &mut wire, &mut self.sockets);
        match self.socket().state() {
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait => {
                self.ended = true;
            }
            _ => {}
        }
        if !self.established && self.is_established() {
            self.established = true;
            let FlowKey { local, remote } = self.key;
            let shell = [local, remote]
                .iter()
                .any(|end| SHELL_PORTS.contains(&end.port()));
            let timeout = if shell {
                SHELL_IDLE_TIMEOUT
            } else {
                IDLE_TIMEOUT
            };
            let socket = self.socket_mut();
            socket.set_timeout(Some(timeout));
            socket.set_keep_alive(Some(KEEP_ALIVE));
        }
        let answered = out.len() > 0;
        self.owes_ack(packet.len(), answered)
    }

    /// Whether the segment that was just taken should be acknowledged before the bundle ends.
    fn owes_ack(&mut self, len: usize, answered: bool) -> bool {
        if answered {
            // An answer at once tells of a gap: the sender will have to find its speed again.
            self.dense = DENSE_BYTES;
            return false;
        }
        if self.dense == 0 || len <= LONGEST_PURE_ACK {
            return false;
        }
        self.dense = self.dense.saturating_sub(len);
        self.odd = !self.odd;
        !self.odd || DENSE_BYTES - self.dense < DENSEST_BYTES
    }

    /// Sends just one packet, which acknowledges whether it carries data or not.
    pub(crate) fn acknowledge(&mut self, out: &mut Packets, now: Instant) {
        self.egress(out, 1, now);
    }

    /// Sends what is due until `out` holds `limit` bytes; true if there is more to send.
    pub(crate) fn egress(&mut self, out: &mut Packets, limit: usize, now: Instant) -> bool {
        loop {
            // The time-wait timer would throw unread bytes away. One poll sends an owed
            // acknowledgement before it looks at the timer.
            let last = self.holds_unread();
            let mut wire = Wire {
                incoming: None,
                outgoing: out,
            };
            let sent = self
                .interface
                .poll_egress(now, &mut wire, &mut self.sockets);
            if sent == PollResult::None || last {
                return false;
            }
            if out.len() >= limit {
                return true;
            }
        }
    }

    fn holds_unread(&self) -> bool {
        let socket = self.socket();
        socket.state() == State::TimeWait && socket.recv_queue() > 0
    }

    /// When [`Flow::egress`] is due next without an event.
    pub(crate) fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        if self.holds_unread() {
            return None;
        }
        self.interface.poll_at(now, &self.sockets)
    }

    /// True once the handshake is complete, also after a close.
    pub(crate) fn is_established(&self) -> bool {
        self.established
            || !matches!(
                self.socket().state(),
                State::Closed | State::Listen | State::SynSent | State::SynReceived
            )
    }

    /// True while the connection is being asked for or established in any way.
    pub(crate) fn is_open(&self) -> bool {
        // A listening socket is one whose request was reset before it was established.
        !matches!(self.socket().state(), State::Closed | State::Listen)
    }

    /// True when nothing is left to do but wait for stray packets.
    pub(crate) fn is_over(&self) -> bool {
        matches!(
            self.socket().state(),
            State::Closed | State::Listen | State::TimeWait
        )
    }

    /// True when written bytes (or our FIN) are not acknowledged yet.
    pub(crate) fn is_sending(&self) -> bool {
        let socket = self.socket();
        socket.send_queue() > 0
            || matches!(
                socket.state(),
                State::FinWait1 | State::Closing | State::LastAck
            )
    }

    /// Copies received bytes.
    pub(crate) fn read(&mut self, buffer: &mut [u8], waker: &Waker) -> ReadState {
        let ended = self.ended;
        let socket = self.socket_mut();
        if socket.recv_queue() > 0 {
            return ReadState::Read(socket.recv_slice(buffer).unwrap_or(0));
        }
        match socket.state() {
            _ if ended => ReadState::End,
            State::Closed | State::Listen => ReadState::Reset,
            _ => {
                socket.register_recv_waker(waker);
                ReadState::Wait
            }
        }
    }

    /// Takes bytes to send.
    pub(crate) fn write(&mut self, data: &[u8], waker: &Waker) -> WriteState {
        let established = self.established;
        let socket = self.socket_mut();
        if !socket.may_send() && (established || socket.state() == State::Closed) {
            return WriteState::Closed;
        }
        match socket.send_slice(data) {
            Ok(written) if written > 0 || data.is_empty() => WriteState::Written(written),
            _ => {
                socket.register_send_waker(waker);
                WriteState::Wait
            }
        }
    }

    /// Calls `waker` when the connection is established or refused.
    pub(crate) fn wait_open(&mut self, waker: &Waker) {
        self.socket_mut().register_send_waker(waker);
    }

    /// Closes our half after everything written was sent.
    pub(crate) fn close(&mut self) {
        self.socket_mut().close();
    }

    /// Resets the connection.
    pub(crate) fn abort(&mut self) {
        self.socket_mut().abort();
    }

    /// The owner let go: closes, or resets if received bytes will never be read.
    pub(crate) fn detach(&mut self) {
        if self.socket().recv_queue() > 0 {
            self.abort();
        } else {
            let socket = self.socket_mut();
            socket.close();
            socket.set_keep_alive(None);
            socket.set_timeout(Some(LINGER));
        }
    }

    /// True if bytes arrived that nobody will read.
    pub(crate) fn has_unread(&self) -> bool {
        self.socket().recv_queue() > 0
    }
}

fn endpoint(address: SocketAddrV6) -> IpEndpoint {
    IpEndpoint {
        addr: (*address.ip()).into(),
        port: address.port(),
    }
}
