//! What relays and sockets deliver: frames, the packets in them, and what is inside those.

use std::net::SocketAddr;
use std::net::SocketAddrV6;
use std::time::Instant;

use tunnel_proto::derp::{self, Decoder, Frame, FrameError};
use tunnel_proto::disco;
use tunnel_proto::key::NodePublic;
use tunnel_proto::packet::{self, Ipv6, Tsmp};
use tunnel_proto::path::Via;
use tunnel_proto::peers::PeerIndex;
use tunnel_proto::stun;
use tunnel_proto::tcp::Segment;

use super::Engine;
use crate::direct::Received;
use crate::netstack::FlowKey;

impl Engine {
    /// Takes all whole frames at the front of `buffer`; gives how many bytes they were.
    pub(crate) fn receive_frames(
        &mut self,
        region: u16,
        decoder: &mut Decoder,
        buffer: &[u8],
        now: Instant,
    ) -> Result<usize, FrameError> {
        let mut used = 0;
        loop {
            let step = decoder.step(&buffer[used..])?;
            match step.frame {
                Some(Frame::RecvPacket { source, packet }) => {
                    self.receive_packet(region, &source, packet, now);
                }
                Some(Frame::Ping(data)) => self.send_frame(region, |out| derp::pong(out, data)),
                Some(Frame::PeerGone { peer, .. }) => {
                    if let Some(index) = self.peers.by_node(&peer)
                        && let Some(peer) = self.peers.get_mut(index)
                    {
                        peer.path.gone_from_relay(region);
                    }
                }
                None if step.consumed == 0 => return Ok(used),
                // Health, restarts and types of later versions change nothing here.
                Some(_) | None => {}
            }
            used += step.consumed;
        }
    }

    /// Takes a datagram that `source` sent by `region`. Strangers are ignored.
    fn receive_packet(&mut self, region: u16, source: &NodePublic, datagram: &[u8], now: Instant) {
        let index = match self.last_source {
            Some((last, index)) if last == *source => index,
            _ => {
                let Some(index) = self.peers.by_node(source) else {
                    return;
                };
                self.last_source = Some((*source, index));
                index
            }
        };
        if disco::is_disco(datagram) {
            self.receive_disco(Via::Relay(region), Some(index), datagram, now);
            return;
        }
        self.receive_sealed(index, Via::Relay(region), datagram, now);
    }

    /// Takes a batch of datagrams from the socket.
    pub(crate) fn receive_datagrams(&mut self, received: &Received, now: Instant) {
        for (from, datagram) in received.iter() {
            self.receive_datagram(from, datagram, now);
        }
        self.last_heard = None;
    }

    /// Takes a datagram that came directly. Strangers are ignored.
    fn receive_datagram(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        let via = Via::Direct(from);
        if disco::is_disco(datagram) {
            self.receive_disco(via, None, datagram, now);
            return;
        }
        if stun::is_stun(datagram) {
            self.receive_stun(datagram, now);
            return;
        }
        // Addresses prove nothing and change; a session's number is found at once. Only a first
        // message has none yet, and is taken from addresses that discovery has proven.
        let index = self
            .peers
            .by_session(datagram)
            .or_else(|| self.peers.by_source(from));
        if let Some(index) = index.filter(|_| !self.peers.is_direct_blocked()) {
            self.receive_sealed(index, via, datagram, now);
        }
    }

    /// Takes a datagram that may be of the session with `index`.
    fn receive_sealed(&mut self, index: PeerIndex, via: Via, datagram: &[u8], now: Instant) {
        let mut scratch = self.scratch.take().unwrap_or_default();
        let opened = self.with_session(index, |session, out| {
            session.open(datagram, &mut scratch, out)
        });
        if let Some(Some(packet)) = opened {
            self.heard(index, via, now);
            // A peer that sends through the tunnel knows us: no reason to wait any longer.
            if self.peers.activate(index, now) {
                self.peers_changed(now);
            }
            self.receive_ip(index, packet, now);
        }
        self.scratch = Some(scratch);
    }

    /// An authentic packet came by `via`.
    fn heard(&mut self, index: PeerIndex, via: Via, now: Instant) {
        match via {
            Via::Relay(region) => {
                if let Some(peer) = self.peers.get_mut(index) {
                    peer.path.heard_on_relay(region);
                }
            }
            Via::Direct(address) => {
                // Once per batch is enough.
                if self.last_heard != Some((index, address)) {
                    self.last_heard = Some((index, address));
                    self.peers.note_heard(index, address, now, &mut rand::rng());
                    self.send_discovery(now);
                }
            }
        }
    }

    /// Takes an authentic packet of a peer.
    fn receive_ip(&mut self, index: PeerIndex, packet: &[u8], now: Instant) {
        let Some(ip) = Ipv6::parse(packet) else {
            return;
        };
        // A peer speaks only for its own addresses, and only to ours.
        if self.peers.by_address(&ip.source) != Some(index)
            || !self.addresses.contains(&ip.destination)
        {
            return;
        }
        self.traffic.rx_packets += 1;
        self.traffic.rx_bytes += packet.len() as u64;
        if let Some(capture) = &mut self.capture {
            capture(packet);
        }
        match ip.protocol {
            packet::TCP => self.receive_tcp(&ip, packet, now),
            packet::UDP => self.receive_udp(&ip),
            packet::TSMP => match Tsmp::parse(ip.payload) {
                Some(Tsmp::Ping(data)) => {
                    let pong = Tsmp::Pong(data).packet(ip.destination, ip.source);
                    self.send_ip(index, &pong);
                }
                Some(Tsmp::Pong(data)) => self.tsmp_pong(data),
                None => {}
            },
            _ => {}
        }
    }

    fn receive_tcp(&mut self, ip: &Ipv6<'_>, packet: &[u8], now: Instant) {
        let Some(segment) = Segment::parse(ip.payload) else {
            return;
        };
        let key = FlowKey {
            local: SocketAddrV6::new(ip.destination, segment.destination, 0, 0),
            remote: SocketAddrV6::new(ip.source, segment.source, 0, 0),
        };
        if let Some(id) = self.flows.find(&key)
            && self.feed(id, &segment, now)
        {
            return;
        }
        if segment.opens() {
            self.requested(key, &segment, packet, now);
        } else {
            self.refuse(key, &segment);
        }
    }

    /// Takes a disco message. By a relay, its sender must be the peer that the relay names.
    fn receive_disco(
        &mut self,
        via: Via,
        relayed: Option<PeerIndex>,
        datagram: &[u8],
        now: Instant,
    ) {
        let answered = self
            .peers
            .receive_disco(via, relayed, datagram, now, &mut rand::rng());
        if let Some((index, answered)) = answered {
            self.pings.answered(index, &answered);
        }
        self.send_discovery(now);
        self.resume_switched();
    }
}
