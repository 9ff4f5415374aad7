//! One peer's WireGuard session: handshake, transport keys, keepalive and their timers.
//!
//! A thin layer over boringtun's `Tunn`, which reads its own clock for the age of keys. Whatever
//! has to go to the peer is appended to a frame buffer by the caller's closure, so that a packet is
//! sealed straight into the place from which it is written to the socket.

use std::time::Duration;

use boringtun::noise::errors::WireGuardError;
use boringtun::noise::{Tunn, TunnResult};

use crate::derp::{FrameBuffer, MAX_PACKET_LEN};
use crate::key::{NodePrivate, NodePublic};

/// Bytes that sealing adds to a packet.
pub const OVERHEAD: usize = 32;
/// Size of a handshake initiation, the smallest room that any output needs.
const HANDSHAKE_LEN: usize = 148;
/// Period of the keepalive for peers that this end dials.
pub const KEEPALIVE: Duration = Duration::from_secs(25);
/// How often [`Session::tick`] should be called while a session is in use.
pub const TICK: Duration = Duration::from_secs(1);
/// … and while nothing is sent and received: an idle process should sleep. After a keepalive follow
/// one [`TICK`] and three of these, so that the next keepalive is not late for translators on the
/// way, many of which forget after 30 s.
pub const QUIET_TICK: Duration = Duration::from_secs(8);
const _: () = assert!(TICK.as_secs() + 3 * QUIET_TICK.as_secs() == KEEPALIVE.as_secs());

/// Room into which [`Session::open`] decrypts. One per data path, reused for every packet.
pub struct Scratch(Box<[u8]>);

impl Default for Scratch {
    fn default() -> Self {
        Self(vec![0; MAX_PACKET_LEN].into_boxed_slice())
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scratch")
    }
}

/// Where a session's output goes: a place to append one datagram.
pub trait Output {
    /// Calls `write` with the buffer to append one datagram to. Nothing is sent if `write` gives
    /// false or there is no room.
    fn datagram(&mut self, write: &mut dyn FnMut(&mut FrameBuffer) -> bool);
}

/// A session with one peer.
pub struct Session {
    tunn: Tunn,
    keepalive: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("keepalive", &self.keepalive)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session that has not begun. `index` should be random and unique among peers; its lower
    /// 24 bits are used.
    pub fn new(ours: &NodePrivate, theirs: &NodePublic, index: u32, keepalive: bool) -> Self {
        let period = keepalive.then_some(KEEPALIVE.as_secs() as u16);
        let theirs = (*theirs.as_bytes()).into();
        let tunn = Tunn::new(
            ours.secret().clone(),
            theirs,
            None,
            period,
            index & 0x00ff_ffff,
            None,
        );
        Self { tunn, keepalive }
    }

    /// Time since the handshake of the keys in use; `None` without keys.
    pub fn since_handshake(&self) -> Option<Duration> {
        self.tunn.time_since_last_handshake()
    }

    /// Seals `packet` for the peer. Without keys it is kept (up to 256 packets) and a handshake
    /// begins.
    pub fn seal(&mut self, packet: &[u8], out: &mut dyn Output) {
        let room = HANDSHAKE_LEN.max(packet.len() + OVERHEAD);
        let tunn = &mut self.tunn;
        out.datagram(&mut |buffer| append(buffer, room, |dst| tunn.encapsulate(packet, dst)));
    }

    /// Begins a handshake, or repeats the one in progress.
    pub fn initiate(&mut self, out: &mut dyn Output) {
        let tunn = &mut self.tunn;
        out.datagram(&mut |buffer| {
            append(buffer, HANDSHAKE_LEN, |dst| {
                tunn.format_handshake_initiation(dst, true)
            })
        });
    }

    /// Takes a datagram of the peer. Gives the packet inside, if there is one and it is authentic;
    /// answers to handshakes and packets that waited for keys go to `out`.
    pub fn open<'s>(
        &mut self,
        datagram: &[u8],
        scratch: &'s mut Scratch,
        out: &mut dyn Output,
    ) -> Option<&'s [u8]> {
        if datagram.is_empty() || datagram.len() > scratch.0.len() {
            return None;
        }
        match self.tunn.decapsulate(None, datagram, &mut scratch.0) {
            TunnResult::WriteToTunnelV6(packet, _) => return Some(packet),
            TunnResult::WriteToNetwork(reply) => out.datagram(&mut |buffer| {
                buffer.extend_from_slice(reply);
                true
            }),
            // Keepalives, IPv4 (there is none in the tunnel), forgeries and replays.
            TunnResult::Done | TunnResult::WriteToTunnelV4(..) | TunnResult::Err(_) => return None,
        }
        self.flush(out);
        None
    }

    /// Sends the packets that waited for keys.
    fn flush(&mut self, out: &mut dyn Output) {
        let mut more = true;
        while more {
            more = false;
            let tunn = &mut self.tunn;
            out.datagram(&mut |buffer| {
                more = append(buffer, MAX_PACKET_LEN.min(2048), |dst| {
                    tunn.decapsulate(None, &[], dst)
                });
                more
            });
        }
    }

    /// Runs the timers: retransmission of handshakes, renewal of keys, keepalive. True if the session
    /// had something to say.
    pub fn tick(&mut self, out: &mut dyn Output) -> bool {
        let (mut expired, mut said) = (false, false);
        let tunn = &mut self.tunn;
        out.datagram(&mut |buffer| {
            said = append(buffer, HANDSHAKE_LEN, |dst| {
                let result = tunn.update_timers(dst);
                expired = matches!(result, TunnResult::Err(WireGuardError::ConnectionExpired));
                result
            });
            said
        });
        // The library gives up after 90 s without an answer. A peer that is to be kept alive is
        // tried again for as long as it is in the map.
        if expired && self.keepalive {
            self.initiate(out);
            said = true;
        }
        said
    }
}

/// Grows `buffer` by `room`, lets `write` fill the new part and cuts it to what was written.
fn append(
    buffer: &mut FrameBuffer,
    room: usize,
    write: impl for<'d> FnOnce(&'d mut [u8]) -> TunnResult<'d>,
) -> bool {
    let start = buffer.len();
    buffer.resize(start + room, 0);
    let written = match write(&mut buffer[start..]) {
        TunnResult::WriteToNetwork(datagram) => datagram.len(),
        _ => 0,
    };
    buffer.truncate(start + written);
    written > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Tsmp;
    use std::net::Ipv6Addr;

    #[derive(Default)]
    struct Sent(Vec<Vec<u8>>);

    impl Output for Sent {
        fn datagram(&mut self, write: &mut dyn FnMut(&mut FrameBuffer) -> bool) {
            let mut buffer = Vec::new();
            if write(&mut buffer) {
                self.0.push(buffer);
            }
        }
    }

    fn pair() -> (Session, Session) {
        let (a, b) = (
            NodePrivate::from_bytes([1; 32]),
            NodePrivate::from_bytes([2; 32]),
        );
        (
            Session::new(&a, &b.public(), 1, true),
            Session::new(&b, &a.public(), 2, false),
        )
    }

    /// Carries datagrams both ways until none is left; gives the packets that arrived at `b`.
    fn run(a: &mut Session, b: &mut Session, mut to_b: Sent) -> Vec<Vec<u8>> {
        let mut scratch = Scratch::default();
        let mut arrived = Vec::new();
        while !to_b.0.is_empty() {
            let mut to_a = Sent::default();
            for datagram in to_b.0.drain(..) {
                arrived.extend(
                    b.open(&datagram, &mut scratch, &mut to_a)
                        .map(<[u8]>::to_vec),
                );
            }
            for datagram in to_a.0 {
                assert!(a.open(&datagram, &mut scratch, &mut to_b).is_none());
            }
        }
        arrived
    }

    #[test]
    fn packets_wait_for_the_handshake_and_arrive_in_order() {
        let (mut a, mut b) = pair();
        let packets: Vec<_> = (0..5u8)
            .map(|n| Tsmp::Ping([n; 8]).packet(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST))
            .collect();
        let mut out = Sent::default();
        for packet in &packets {
            a.seal(packet, &mut out);
        }
        assert_eq!(out.0.len(), 1, "one handshake for all of them");
        assert_eq!(run(&mut a, &mut b, out), packets);
        assert!(a.since_handshake().is_some() && b.since_handshake().is_some());
        let mut out = Sent::default();
        a.seal(&packets[0], &mut out);
        assert_eq!(out.0[0].len(), packets[0].len() + OVERHEAD);
    }

    #[test]
    fn garbage_forgeries_and_replays_are_dropped() {
        let (mut a, mut b) = pair();
        let packet = Tsmp::Ping([7; 8]).packet(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        let mut out = Sent::default();
        a.seal(&packet, &mut out);
        run(&mut a, &mut b, out);
        let mut out = Sent::default();
        a.seal(&packet, &mut out);
        let sealed = out.0.remove(0);
        let (mut scratch, mut none) = (Scratch::default(), Sent::default());
        let mut forged = sealed.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert!(b.open(&forged, &mut scratch, &mut none).is_none());
        assert!(b.open(&sealed, &mut scratch, &mut none).is_some());
        assert!(b.open(&sealed, &mut scratch, &mut none).is_none(), "replay");
        for len in [
            0,
            1,
            4,
            31,
            32,
            148,
            1312,
            MAX_PACKET_LEN,
            MAX_PACKET_LEN + 1,
        ] {
            for first in 0..6 {
                let mut garbage = vec![0xa5; len];
                if let Some(kind) = garbage.first_chunk_mut::<4>() {
                    *kind = [first, 0, 0, 0];
                }
                assert!(b.open(&garbage, &mut scratch, &mut none).is_none());
            }
        }
        assert!(none.0.is_empty());
    }

    #[test]
    fn a_stranger_cannot_shake_hands() {
        let (_, mut b) = pair();
        let stranger = NodePrivate::from_bytes([9; 32]);
        let mut s = Session::new(
            &stranger,
            &NodePrivate::from_bytes([2; 32]).public(),
            3,
            false,
        );
        let mut out = Sent::default();
        s.initiate(&mut out);
        let mut replies = Sent::default();
        assert!(
            b.open(&out.0[0], &mut Scratch::default(), &mut replies)
                .is_none()
        );
        assert!(replies.0.is_empty());
    }
}
