//! Reads frames out of a byte stream without copying, within fixed bounds.

use super::{
    GoneReason, HEADER_LEN, MAGIC, MAX_FRAME_LEN, MAX_INFO_LEN, MAX_PACKET_LEN, NONCE_LEN, kind,
};
use crate::key::{KEY_LEN, NodePublic};

/// Most bytes of a text that a server may send for its health.
const MAX_TEXT_LEN: usize = 64 << 10;

/// A frame, borrowed from the receive buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The server's public key.
    ServerKey(NodePublic),
    /// The client's key, nonce and sealed [`super::ClientInfo`].
    ClientInfo {
        /// Who connects.
        key: NodePublic,
        /// Nonce of the box.
        nonce: [u8; NONCE_LEN],
        /// The sealed JSON.
        sealed: &'a [u8],
    },
    /// Nonce and sealed [`super::ServerInfo`].
    ServerInfo {
        /// Nonce of the box.
        nonce: [u8; NONCE_LEN],
        /// The sealed JSON.
        sealed: &'a [u8],
    },
    /// A packet to relay.
    SendPacket {
        /// Whom it is for.
        destination: NodePublic,
        /// The packet.
        packet: &'a [u8],
    },
    /// A relayed packet.
    RecvPacket {
        /// Whom it is from.
        source: NodePublic,
        /// The packet.
        packet: &'a [u8],
    },
    /// Nothing.
    KeepAlive,
    /// Whether this connection is the client's home.
    NotePreferred(bool),
    /// A peer is not reachable here.
    PeerGone {
        /// Which peer.
        peer: NodePublic,
        /// Why.
        reason: GoneReason,
    },
    /// A peer connected.
    PeerPresent(NodePublic),
    /// A packet between servers of one region.
    ForwardPacket {
        /// Whom it is from.
        source: NodePublic,
        /// Whom it is for.
        destination: NodePublic,
        /// The packet.
        packet: &'a [u8],
    },
    /// Asks for peer events.
    WatchConns,
    /// Asks to close a peer's connection.
    ClosePeer(NodePublic),
    /// Asks for a pong with the same bytes.
    Ping([u8; 8]),
    /// Answers a ping.
    Pong([u8; 8]),
    /// A problem of the connection, or empty. Not necessarily UTF-8.
    Health(&'a [u8]),
    /// The server restarts.
    Restarting {
        /// Wait so long before connecting again, in milliseconds.
        reconnect_in_ms: u32,
        /// Then try for so long, in milliseconds.
        try_for_ms: u32,
    },
    /// A type of a later version: skipped. Told once, when its header has been read.
    Unknown(u8),
}

/// Why a stream is not the relay protocol. The connection cannot be used any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame announces more than its kind may have.
    #[error("relay frame of type {kind:#04x} announces {len} bytes, more than the {limit} allowed")]
    TooLong {
        /// Type byte.
        kind: u8,
        /// Announced length.
        len: usize,
        /// Allowed length.
        limit: usize,
    },
    /// A frame is shorter than its kind needs.
    #[error("relay frame of type {kind:#04x} has {len} bytes, fewer than it needs")]
    TooShort {
        /// Type byte.
        kind: u8,
        /// Its length.
        len: usize,
    },
    /// The greeting does not begin with the magic bytes.
    #[error("the other end does not speak the relay protocol: wrong magic bytes")]
    Magic,
    /// A preference other than 0 or 1.
    #[error("relay frame NotePreferred does not hold one byte 0 or 1")]
    Preference,
}

/// What one look at the buffer gave.
#[derive(Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Bytes to drop from the front of the buffer, after the frame has been used.
    pub consumed: usize,
    /// The frame. `None` with `consumed == 0` means: read more first.
    pub frame: Option<Frame<'a>>,
}

/// Splits a byte stream into frames. Remembers only how much of an unknown frame is to be skipped.
#[derive(Debug, Default)]
pub struct Decoder {
    skip: usize,
}

impl Decoder {
    /// Most bytes the buffer has to hold for any known frame to fit.
    pub const BUFFER_LEN: usize = HEADER_LEN + MAX_PACKET_LEN + 2 * KEY_LEN;

    /// Looks at the front of `buffer`.
    pub fn step<'a>(&mut self, buffer: &'a [u8]) -> Result<Step<'a>, FrameError> {
        if self.skip > 0 {
            let consumed = self.skip.min(buffer.len());
            self.skip -= consumed;
            return Ok(Step {
                consumed,
                frame: None,
            });
        }
        let Some((header, rest)) = buffer.split_first_chunk::<HEADER_LEN>() else {
            return Ok(Step {
                consumed: 0,
                frame: None,
            });
        };
        let kind = header[0];
        let len = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
        let Some(limit) = limit_of(kind) else {
            if len > MAX_FRAME_LEN {
                return Err(FrameError::TooLong {
                    kind,
                    len,
                    limit: MAX_FRAME_LEN,
                });
            }
            self.skip = len;
            return Ok(Step {
                consumed: HEADER_LEN,
                frame: Some(Frame::Unknown(kind)),
            });
        };
        if len > limit {
            return Err(FrameError::TooLong { kind, len, limit });
        }
        let Some(payload) = rest.get(..len) else {
            return Ok(Step {
                consumed: 0,
                frame: None,
            });
        };
        Ok(Step {
            consumed: HEADER_LEN + len,
            frame: Some(parse(kind, payload)?),
        })
    }
}

/// Bound of a known frame's payload; `None` for an unknown type.
fn limit_of(kind: u8) -> Option<usize> {
    Some(match kind {
        kind::SEND_PACKET | kind::RECV_PACKET => KEY_LEN + MAX_PACKET_LEN,
        kind::FORWARD_PACKET => 2 * KEY_LEN + MAX_PACKET_LEN,
        kind::CLIENT_INFO => MAX_INFO_LEN,
        kind::HEALTH => MAX_TEXT_LEN,
        // Small frames, with room for fields of later versions.
        kind::SERVER_KEY
        | kind::SERVER_INFO
        | kind::KEEP_ALIVE
        | kind::NOTE_PREFERRED
        | kind::PEER_GONE
        | kind::PEER_PRESENT
        | kind::WATCH_CONNS
        | kind::CLOSE_PEER
        | kind::PING
        | kind::PONG
        | kind::RESTARTING => 4096,
        _ => return None,
    })
}

fn parse(kind: u8, payload: &[u8]) -> Result<Frame<'_>, FrameError> {
    let mut rest = Rest {
        kind,
        len: payload.len(),
        bytes: payload,
    };
    Ok(match kind {
        kind::SERVER_KEY => {
            if rest.take::<8>()? != MAGIC {
                return Err(FrameError::Magic);
            }
            Frame::ServerKey(rest.key()?)
        }
        kind::CLIENT_INFO => Frame::ClientInfo {
            key: rest.key()?,
            nonce: rest.take()?,
            sealed: rest.bytes,
        },
        kind::SERVER_INFO => Frame::ServerInfo {
            nonce: rest.take()?,
            sealed: rest.bytes,
        },
        kind::SEND_PACKET => Frame::SendPacket {
            destination: rest.key()?,
            packet: rest.bytes,
        },
        kind::RECV_PACKET => Frame::RecvPacket {
            source: rest.key()?,
            packet: rest.bytes,
        },
        kind::KEEP_ALIVE => Frame::KeepAlive,
        kind::NOTE_PREFERRED => match payload {
            [0] => Frame::NotePreferred(false),
            [1] => Frame::NotePreferred(true),
            _ => return Err(FrameError::Preference),
        },
        kind::PEER_GONE => {
            let peer = rest.key()?;
            // The first versions sent no reason.
            let reason = rest.bytes.first().copied().unwrap_or(0);
            Frame::PeerGone {
                peer,
                reason: GoneReason::from_byte(reason),
            }
        }
        kind::PEER_PRESENT => Frame::PeerPresent(rest.key()?),
        kind::FORWARD_PACKET => Frame::ForwardPacket {
            source: rest.key()?,
            destination: rest.key()?,
            packet: rest.bytes,
        },
        kind::WATCH_CONNS => Frame::WatchConns,
        kind::CLOSE_PEER => Frame::ClosePeer(rest.key()?),
        kind::PING => Frame::Ping(rest.take()?),
        kind::PONG => Frame::Pong(rest.take()?),
        kind::HEALTH => Frame::Health(payload),
        kind::RESTARTING => Frame::Restarting {
            reconnect_in_ms: u32::from_be_bytes(rest.take()?),
            try_for_ms: u32::from_be_bytes(rest.take()?),
        },
        other => Frame::Unknown(other),
    })
}

struct Rest<'a> {
    kind: u8,
    len: usize,
    bytes: &'a [u8],
}

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (head, tail) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or(FrameError::TooShort {
                kind: self.kind,
                len: self.len,
            })?;
        self.bytes = tail;
        Ok(*head)
    }

    fn key(&mut self) -> Result<NodePublic, FrameError> {
        self.take().map(NodePublic)
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode::*;
    use super::*;

    fn one(bytes: &[u8]) -> Frame<'_> {
        let step = Decoder::default().step(bytes).unwrap();
        assert_eq!(step.consumed, bytes.len());
        step.frame.unwrap()
    }

    #[test]
    fn frames_round_trip() {
        let (a, b) = (NodePublic([1; 32]), NodePublic([2; 32]));
        let mut out = Vec::new();
        server_key(&mut out, &a);
        assert_eq!(one(&out), Frame::ServerKey(a));
        out.clear();
        send_packet(&mut out, &a, b"packet");
        assert_eq!(
            one(&out),
            Frame::SendPacket {
                destination: a,
                packet: b"packet"
            }
        );
        out.clear();
        forward_packet(&mut out, &a, &b, b"");
        assert_eq!(
            one(&out),
            Frame::ForwardPacket {
                source: a,
                destination: b,
                packet: b""
            }
        );
        out.clear();
        peer_gone(&mut out, &a, GoneReason::NotHere);
        assert_eq!(
            one(&out),
            Frame::PeerGone {
                peer: a,
                reason: GoneReason::NotHere
            }
        );
        out.clear();
        note_preferred(&mut out, true);
        assert_eq!(one(&out), Frame::NotePreferred(true));
        out.clear();
        ping(&mut out, [9; 8]);
        assert_eq!(one(&out), Frame::Ping([9; 8]));
    }

    #[test]
    fn needs_the_whole_frame() {
        let mut out = Vec::new();
        recv_packet(&mut out, &NodePublic([1; 32]), &[5; 100]);
        let mut decoder = Decoder::default();
        for cut in 0..out.len() {
            assert_eq!(
                decoder.step(&out[..cut]).unwrap(),
                Step {
                    consumed: 0,
                    frame: None
                }
            );
        }
        assert!(decoder.step(&out).unwrap().frame.is_some());
    }

    #[test]
    fn skips_unknown_frames_in_pieces() {
        let mut bytes = vec![0x77, 0, 0, 0, 10];
        bytes.extend([0; 10]);
        keep_alive(&mut bytes);
        let mut decoder = Decoder::default();
        let step = decoder.step(&bytes[..5]).unwrap();
        assert_eq!((step.consumed, step.frame), (5, Some(Frame::Unknown(0x77))));
        assert_eq!(
            decoder.step(&bytes[5..9]).unwrap(),
            Step {
                consumed: 4,
                frame: None
            }
        );
        assert_eq!(
            decoder.step(&bytes[9..]).unwrap(),
            Step {
                consumed: 6,
                frame: None
            }
        );
        assert_eq!(
            decoder.step(&bytes[15..]).unwrap().frame,
            Some(Frame::KeepAlive)
        );
    }

    #[test]
    fn bad_frames_are_refused() {
        let step = |bytes: &[u8]| Decoder::default().step(bytes).unwrap_err();
        assert!(matches!(
            step(&[0x04, 0xff, 0xff, 0xff, 0xff]),
            FrameError::TooLong { .. }
        ));
        assert!(matches!(
            step(&[0x77, 0, 0x20, 0, 0]),
            FrameError::TooLong { .. }
        ));
        assert!(matches!(
            step(&[0x05, 0, 0, 0, 1, 0]),
            FrameError::TooShort { .. }
        ));
        assert!(matches!(
            step(&[0x12, 0, 0, 0, 0]),
            FrameError::TooShort { .. }
        ));
        assert_eq!(step(&[0x07, 0, 0, 0, 1, 2]), FrameError::Preference);
        assert_eq!(step(&[0x07, 0, 0, 0, 0]), FrameError::Preference);
        let mut greeting = Vec::new();
        server_key(&mut greeting, &NodePublic([1; 32]));
        greeting[6] ^= 1;
        assert_eq!(step(&greeting), FrameError::Magic);
    }
}
