//! The yamux frame header: twelve bytes, big endian.
//!
//! Format: version (0), type, flags (u16), stream id (u32), length (u32), after
//! the specification published with hashicorp/yamux.

/// Bytes of a header.
pub(super) const HEADER_LEN: usize = 12;

/// Opens a stream.
pub(super) const SYN: u16 = 1;
/// Accepts a stream, or answers a ping.
pub(super) const ACK: u16 = 2;
/// No more data will follow on this stream in this direction.
pub(super) const FIN: u16 = 4;
/// The stream is gone at once, in both directions.
pub(super) const RST: u16 = 8;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `length` bytes follow.
    Data,
    /// `length` is the growth of the receive window.
    WindowUpdate,
    /// `length` is an opaque value to be echoed.
    Ping,
    /// `length` is a reason: 0 normal, 1 protocol error, 2 internal error.
    GoAway,
}

/// One frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// What the frame carries.
    pub(super) kind: Kind,
    /// `SYN`, `ACK`, `FIN`, `RST`.
    pub(super) flags: u16,
    /// 0 for the session itself.
    pub(super) stream: u32,
    /// Its meaning depends on `kind`.
    pub(super) length: u32,
}

impl Header {
    /// A header of these parts.
    pub(super) fn new(kind: Kind, flags: u16, stream: u32, length: u32) -> Self {
        Self {
            kind,
            flags,
            stream,
            length,
        }
    }

    /// Whether `flag` is set.
    pub(super) fn has(self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// The bytes on the wire.
    pub(super) fn encode(self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out[1] = match self.kind {
            Kind::Data => 0,
            Kind::WindowUpdate => 1,
            Kind::Ping => 2,
            Kind::GoAway => 3,
        };
        out[2..4].copy_from_slice(&self.flags.to_be_bytes());
        out[4..8].copy_from_slice(&self.stream.to_be_bytes());
        out[8..12].copy_from_slice(&self.length.to_be_bytes());
        out
    }

    /// Reads a header; `Err` names what is wrong with it.
    pub(super) fn decode(bytes: [u8; HEADER_LEN]) -> Result<Self, String> {
        let [version, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = bytes;
        if version != 0 {
            return Err(format!("unsupported yamux version {version}"));
        }
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::WindowUpdate,
            2 => Kind::Ping,
            3 => Kind::GoAway,
            other => return Err(format!("unknown yamux frame type {other}")),
        };
        Ok(Self {
            kind,
            flags: u16::from_be_bytes([f0, f1]),
            stream: u32::from_be_bytes([s0, s1, s2, s3]),
            length: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_bytes_match_the_specification() {
        let header = Header::new(Kind::WindowUpdate, SYN | FIN, 3, 0x0004_0000);
        assert_eq!(header.encode(), [0, 1, 0, 5, 0, 0, 0, 3, 0, 4, 0, 0]);
        assert_eq!(Header::decode(header.encode()), Ok(header));
    }

    #[test]
    fn wrong_version_and_type_are_refused() {
        let mut bytes = Header::new(Kind::Ping, SYN, 0, 7).encode();
        bytes[0] = 1;
        assert!(Header::decode(bytes).is_err());
        bytes[0] = 0;
        bytes[1] = 4;
        assert!(Header::decode(bytes).is_err());
    }
}
