//! Path-discovery messages (disco): ping, pong and call-me-maybe, sealed between disco keys.
//!
//! Outer form: magic, sender's disco key, nonce, box of (type, version, payload). Pings and pongs
//! are padded so that a path over which they pass also carries full-sized packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crypto_box::SalsaBox;
use crypto_box::aead::Aead;

use crate::key::{DiscoPrivate, DiscoPublic, KEY_LEN, NodePublic};

/// First bytes of every message.
pub const MAGIC: [u8; 6] = *b"TS\xf0\x9f\x92\xac";
/// Bytes of the nonce.
pub const NONCE_LEN: usize = 24;
/// Bytes of the payload of pings and pongs, padded: with its wrapping a datagram of 1,312 bytes, as
/// long as the longest of WireGuard. (Go peers stop two short of that.)
pub const PADDED_PAYLOAD_LEN: usize = 1232;
/// Address that a pong names when the ping came through a relay; the port is the region.
pub const RELAY_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 3, 3, 40);
/// Most candidate addresses read from one call-me-maybe.
pub const MAX_CANDIDATES: usize = 64;

const PING: u8 = 1;
const PONG: u8 = 2;
const CALL_ME_MAYBE: u8 = 3;
const OUTER_LEN: usize = MAGIC.len() + KEY_LEN + NONCE_LEN;
const ADDRESS_LEN: usize = 18;

/// Pairs a pong with its ping.
pub type TransactionId = [u8; 12];

/// A message, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Asks for a pong.
    Ping {
        /// To be repeated in the pong.
        transaction: TransactionId,
        /// The sender's node key; absent in messages of old versions.
        node: Option<NodePublic>,
    },
    /// Answers a ping.
    Pong {
        /// Of the ping.
        transaction: TransactionId,
        /// Where the ping came from, as its receiver saw it.
        source: SocketAddr,
    },
    /// Asks the receiver to ping all these addresses. Only by relay.
    CallMeMaybe {
        /// Candidate addresses of the sender.
        candidates: Vec<SocketAddr>,
    },
}

/// True if `packet` looks like a disco message rather than WireGuard.
pub fn is_disco(packet: &[u8]) -> bool {
    packet.len() > OUTER_LEN && packet.starts_with(&MAGIC)
}

/// The sender that `packet` claims, if it is a disco message. Look it up before opening.
pub fn sender(packet: &[u8]) -> Option<DiscoPublic> {
    if !is_disco(packet) {
        return None;
    }
    DiscoPublic::from_slice(&packet[MAGIC.len()..])
}

/// The precomputed secret between our disco key and a peer's.
pub struct Shared(SalsaBox);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    /// One key agreement; keep the result with the peer.
    pub fn new(ours: &DiscoPrivate, theirs: &DiscoPublic) -> Self {
        Self(SalsaBox::new(
            &theirs.0.into(),
            &ours.secret().to_bytes().into(),
        ))
    }

    /// Seals `message`. The nonce must be random and never used again.
    pub fn seal(&self, ours: &DiscoPublic, nonce: [u8; NONCE_LEN], message: &Message) -> Vec<u8> {
        // Sealing fails only beyond 2^38 bytes; an empty box is ignored by the receiver.
        let sealed = self
            .0
            .encrypt(&nonce.into(), message.encode().as_slice())
            .unwrap_or_default();
        [MAGIC.as_slice(), &ours.0, &nonce, &sealed].concat()
    }

    /// Opens a message of this peer. `None` if it is forged, malformed or of an unknown type:
    /// discovery ignores such packets.
    pub fn open(&self, packet: &[u8]) -> Option<Message> {
        let nonce: [u8; NONCE_LEN] = *packet.get(MAGIC.len() + KEY_LEN..)?.first_chunk()?;
        let plain = self
            .0
            .decrypt(&nonce.into(), packet.get(OUTER_LEN..)?)
            .ok()?;
        Message::decode(&plain)
    }
}

impl Message {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 + PADDED_PAYLOAD_LEN);
        match self {
            Self::Ping { transaction, node } => {
                out.extend([PING, 1]);
                out.extend(transaction);
                if let Some(node) = node {
                    out.extend(node.0);
                }
                out.resize(2 + PADDED_PAYLOAD_LEN, 0);
            }
            Self::Pong {
                transaction,
                source,
            } => {
                out.extend([PONG, 1]);
                out.extend(transaction);
                put_address(&mut out, *source);
                out.resize(2 + PADDED_PAYLOAD_LEN, 0);
            }
            Self::CallMeMaybe { candidates } => {
                out.extend([CALL_ME_MAYBE, 0]);
                for candidate in candidates.iter().take(MAX_CANDIDATES) {
                    put_address(&mut out, *candidate);
                }
            }
        }
        out
    }

    fn decode(plain: &[u8]) -> Option<Self> {
        let (&[kind, _version], payload) = plain.split_first_chunk::<2>()?;
        match kind {
            PING => {
                let (transaction, rest) = payload.split_first_chunk()?;
                let node = NodePublic::from_slice(rest).filter(|node| !node.is_zero());
                Some(Self::Ping {
                    transaction: *transaction,
                    node,
                })
            }
            PONG => {
                let (transaction, rest) = payload.split_first_chunk()?;
                let source = get_address(rest.first_chunk()?);
                Some(Self::Pong {
                    transaction: *transaction,
                    source,
                })
            }
            CALL_ME_MAYBE => {
                let (entries, _) = payload.as_chunks::<ADDRESS_LEN>();
                let candidates = entries
                    .iter()
                    .take(MAX_CANDIDATES)
                    .map(get_address)
                    .collect();
                Some(Self::CallMeMaybe { candidates })
            }
            _ => None,
        }
    }
}

fn put_address(out: &mut Vec<u8>, address: SocketAddr) {
    let ip = match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    out.extend(ip.octets());
    out.extend(address.port().to_be_bytes());
}

fn get_address(bytes: &[u8; ADDRESS_LEN]) -> SocketAddr {
    let mut ip = [0; 16];
    ip.copy_from_slice(&bytes[..16]);
    let ip = Ipv6Addr::from(ip);
    let port = u16::from_be_bytes([bytes[16], bytes[17]]);
    match ip.to_ipv4_mapped() {
        Some(v4) => SocketAddrV4::new(v4, port).into(),
        None => SocketAddrV6::new(ip, port, 0, 0).into(),
    }
}

/// The source that a pong names for a ping that came through relay `region`.
pub fn relay_source(region: u16) -> SocketAddr {
    SocketAddrV4::new(RELAY_ADDRESS, region).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (DiscoPrivate, DiscoPrivate) {
        (
            DiscoPrivate::from_bytes([1; 32]),
            DiscoPrivate::from_bytes([2; 32]),
        )
    }

    #[test]
    fn messages_round_trip() {
        let (a, b) = pair();
        let (at_a, at_b) = (Shared::new(&a, &b.public()), Shared::new(&b, &a.public()));
        for message in [
            Message::Ping {
                transaction: [3; 12],
                node: Some(NodePublic([4; 32])),
            },
            Message::Pong {
                transaction: [3; 12],
                source: relay_source(999),
            },
            Message::Pong {
                transaction: [3; 12],
                source: "[2001:db8::1]:41641".parse().unwrap(),
            },
            Message::CallMeMaybe { candidates: vec![] },
            Message::CallMeMaybe {
                candidates: vec!["10.0.0.1:5".parse().unwrap()],
            },
        ] {
            let packet = at_a.seal(&a.public(), [9; 24], &message);
            assert_eq!(sender(&packet), Some(a.public()));
            assert_eq!(at_b.open(&packet), Some(message));
        }
    }

    #[test]
    fn pings_fill_a_full_datagram() {
        let (a, b) = pair();
        let ping = Message::Ping {
            transaction: [0; 12],
            node: None,
        };
        let packet = Shared::new(&a, &b.public()).seal(&a.public(), [0; 24], &ping);
        assert_eq!(
            packet.len(),
            crate::packet::MTU + crate::wireguard::OVERHEAD
        );
    }

    #[test]
    fn bad_packets_are_ignored() {
        let (a, b) = pair();
        let (at_a, at_b) = (Shared::new(&a, &b.public()), Shared::new(&b, &a.public()));
        let ping = Message::Ping {
            transaction: [0; 12],
            node: None,
        };
        let mut packet = at_a.seal(&a.public(), [0; 24], &ping);
        for cut in 0..OUTER_LEN + 16 {
            assert_eq!(at_b.open(&packet[..cut]), None);
        }
        assert_eq!(sender(&packet[..20]), None);
        packet[100] ^= 1;
        assert_eq!(at_b.open(&packet), None);
        // Unknown types, short payloads and any version.
        assert_eq!(Message::decode(&[9, 0]), None);
        assert_eq!(Message::decode(&[PING]), None);
        assert_eq!(Message::decode(&[PING, 7, 0]), None);
        assert_eq!(Message::decode(&[PONG, 7, 0]), None);
        let mut short = vec![PING, 200];
        short.extend([5; 12]);
        assert_eq!(
            Message::decode(&short),
            Some(Message::Ping {
                transaction: [5; 12],
                node: None
            })
        );
        // A call-me-maybe with thousands of entries and a torn last one.
        let mut many = vec![CALL_ME_MAYBE, 0];
        many.resize(2 + ADDRESS_LEN * 3000 + 5, 1);
        let Some(Message::CallMeMaybe { candidates }) = Message::decode(&many) else {
            panic!("not decoded");
        };
        assert_eq!(candidates.len(), MAX_CANDIDATES);
    }
}
