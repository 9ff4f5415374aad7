//! What relays deliver: frames, the packets in them, and what is inside those.

use std::time::Instant;

use tunnel_proto::derp::{self, Decoder, Frame, FrameError};
use tunnel_proto::disco::{self, Message};
use tunnel_proto::key::NodePublic;
use tunnel_proto::packet::{self, Ipv6, Tsmp};
use tunnel_proto::peers::PeerIndex;

use super::Engine;
use crate::netstack::Segment;

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
            self.receive_disco(index, region, datagram, now);
            return;
        }
        let mut scratch = self.scratch.take().unwrap_or_default();
        let opened = self.with_session(index, |session, out| {
            session.open(datagram, &mut scratch, out)
        });
        if let Some(Some(packet)) = opened {
            if let Some(peer) = self.peers.get_mut(index) {
                peer.path.heard_on_relay(region);
            }
            // A peer that sends through the tunnel knows us: no reason to wait any longer.
            if self.peers.activate(index, now) {
                self.peers_changed(now);
            }
            self.receive_ip(index, packet, now);
        }
        self.scratch = Some(scratch);
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
        let Some(segment) = Segment::parse(ip) else {
            return;
        };
        if let Some(id) = self.flows.find(&segment.key) {
            self.feed(id, packet, now);
        } else if segment.opens() {
            self.requested(&segment, packet, now);
        } else {
            self.refuse(&segment);
        }
    }

    /// Takes a disco message. Its sender must be the peer that the relay names.
    fn receive_disco(&mut self, index: PeerIndex, region: u16, datagram: &[u8], now: Instant) {
        let Some(peer) = self.peers.get(index) else {
            return;
        };
        if disco::sender(datagram) != Some(peer.node.disco) {
            return;
        }
        match peer.disco.open(datagram) {
            Some(Message::Ping { transaction, .. }) => {
                let pong = Message::Pong {
                    transaction,
                    source: disco::relay_source(region),
                };
                self.send_disco(index, region, &pong, now);
            }
            Some(Message::Pong { transaction, .. }) => {
                self.disco_pong(index, &transaction, region, now);
            }
            // Asks for direct paths: without a UDP socket there are none to offer.
            Some(Message::CallMeMaybe { .. }) | None => {}
        }
    }
}
