//! DRPC frames and the packets they make up.
//!
//! A frame is a byte (bit 7 control, bits 6–1 kind, bit 0 done), three LEB128
//! numbers (stream id, message id, length) and the data. A packet is one or more
//! frames of the same ids and kind, of which the last has the done bit.

use bytes::{Buf, BytesMut};

use super::MAX_MESSAGE;

/// Largest data of a frame that we send, as the Go side does.
const SPLIT: usize = 64 * 1024;
/// Longest LEB128 form of a 64-bit number.
const MAX_VARINT: usize = 10;

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Starts a call; data is the method's name.
    Invoke,
    /// A message.
    Message,
    /// Ends the call with a code (u64, big endian) and a text.
    Error,
    /// Ends the call from the caller's side.
    Cancel,
    /// Ends the stream.
    Close,
    /// No more messages in this direction.
    CloseSend,
    /// A map of strings that precedes the invocation.
    InvokeMetadata,
}

impl Kind {
    fn number(self) -> u8 {
        match self {
            Self::Invoke => 1,
            Self::Message => 2,
            Self::Error => 3,
            Self::Cancel => 4,
            Self::Close => 5,
            Self::CloseSend => 6,
            Self::InvokeMetadata => 7,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Invoke,
            2 => Self::Message,
            3 => Self::Error,
            4 => Self::Cancel,
            5 => Self::Close,
            6 => Self::CloseSend,
            7 => Self::InvokeMetadata,
            _ => return None,
        })
    }
}

/// A whole packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    /// Number of the call on this connection, from 1.
    pub(super) stream: u64,
    /// What it is.
    pub(super) kind: Kind,
    /// Its content.
    pub(super) data: BytesMut,
}

/// Appends a packet to `out`, in as many frames as it needs.
pub(super) fn encode(out: &mut BytesMut, kind: Kind, stream: u64, message: u64, data: &[u8]) {
    let mut rest = data;
    loop {
        let (part, after) = rest.split_at(rest.len().min(SPLIT));
        rest = after;
        let done = rest.is_empty();
        out.extend_from_slice(&[kind.number() << 1 | u8::from(done)]);
        put_varint(out, stream);
        put_varint(out, message);
        put_varint(out, part.len() as u64);
        out.extend_from_slice(part);
        if done {
            return;
        }
    }
}

fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.extend_from_slice(&[value as u8 | 0x80]);
        value >>= 7;
    }
    out.extend_from_slice(&[value as u8]);
}

/// Reads a number at `at`, and where it ends; `None` needs more bytes.
fn get_varint(bytes: &[u8], at: usize) -> Result<Option<(u64, usize)>, String> {
    let mut value = 0_u64;
    for index in 0..MAX_VARINT {
        let Some(byte) = bytes.get(at + index) else {
            return Ok(None);
        };
        value |= u64::from(byte & 0x7f)
            .checked_shl(7 * index as u32)
            .unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + index + 1)));
        }
    }
    Err("a number is longer than ten bytes".to_owned())
}

struct Frame {
    control: bool,
    kind: u8,
    done: bool,
    stream: u64,
    message: u64,
    data: BytesMut,
}

/// Puts packets together from bytes.
#[derive(Default)]
pub(super) struct Assembler {
    /// Highest (stream, message) seen.
    last: (u64, u64),
    pending: Option<Packet>,
}

impl Assembler {
    /// The next whole packet of `input`; `None` needs more bytes.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Packet>, String> {
        while let Some(frame) = take_frame(input)? {
            if let Some(packet) = self.add(frame)? {
                return Ok(Some(packet));
            }
        }
        Ok(None)
    }

    fn add(&mut self, frame: Frame) -> Result<Option<Packet>, String> {
        if frame.control && Kind::from_number(frame.kind).is_none() {
            // An extension that we may ignore.
            return Ok(None);
        }
        let kind = Kind::from_number(frame.kind)
            .ok_or_else(|| format!("unknown packet kind {}", frame.kind))?;
        let id = (frame.stream, frame.message);
        if frame.stream == 0 || frame.message == 0 || id < self.last {
            return Err(format!("packet ids went back to {id:?}"));
        }
        if id > self.last {
            // A higher id drops an unfinished packet.
            self.pending = None;
        } else if self.pending.is_none() {
            return Err(format!("packet {id:?} came twice"));
        }
        self.last = id;
        let packet = match self.pending.take() {
            Some(mut packet) => {
                if packet.kind != kind {
                    return Err(format!("the kind changed inside packet {id:?}"));
                }
                if packet.data.len() + frame.data.len() > MAX_MESSAGE {
                    return Err("data overflow".to_owned());
                }
                packet.data.extend_from_slice(&frame.data);
                packet
            }
            None => Packet {
                stream: frame.stream,
                kind,
                data: frame.data,
            },
        };
        if frame.done {
            return Ok(Some(packet));
        }
        self.pending = Some(packet);
        Ok(None)
    }
}

fn take_frame(input: &mut BytesMut) -> Result<Option<Frame>, String> {
    let Some(&first) = input.first() else {
        return Ok(None);
    };
    let Some((stream, at)) = get_varint(input, 1)? else {
        return Ok(None);
    };
    let Some((message, at)) = get_varint(input, at)? else {
        return Ok(None);
    };
    let Some((length, at)) = get_varint(input, at)? else {
        return Ok(None);
    };
    if length > MAX_MESSAGE as u64 {
        return Err("data overflow".to_owned());
    }
    let length = length as usize;
    if input.len() < at + length {
        // Room for the rest at once, instead of growing by each read.
        input.reserve(at + length - input.len());
        return Ok(None);
    }
    input.advance(at);
    Ok(Some(Frame {
        control: first & 0x80 != 0,
        kind: first >> 1 & 0x3f,
        done: first & 1 != 0,
        stream,
        message,
        data: input.split_to(length),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Packet>, String> {
        let mut input = BytesMut::from(bytes);
        let mut assembler = Assembler::default();
        let mut packets = Vec::new();
        while let Some(packet) = assembler.next(&mut input)? {
            packets.push(packet);
        }
        Ok(packets)
    }

    #[test]
    fn frame_bytes_match_the_protocol() {
        let mut out = BytesMut::new();
        encode(&mut out, Kind::Invoke, 1, 1, b"/a");
        encode(&mut out, Kind::CloseSend, 1, 300, b"");
        assert_eq!(
            &out[..],
            [
                0b0000_0011,
                1,
                1,
                2,
                b'/',
                b'a',
                0b0000_1101,
                1,
                0xac,
                0x02,
                0
            ]
        );
    }

    #[test]
    fn a_large_packet_is_split_and_put_together() {
        let data = vec![7; SPLIT * 2 + 5];
        let mut out = BytesMut::new();
        encode(&mut out, Kind::Message, 1, 2, &data);
        let packets = all(&out).unwrap();
        assert_eq!(packets.len(), 1);
        assert_eq!(&packets[0].data[..], &data[..]);
    }

    #[test]
    fn every_cut_of_the_input_gives_the_same_packets() {
        let mut out = BytesMut::new();
        encode(&mut out, Kind::Invoke, 1, 1, b"/service/method");
        encode(&mut out, Kind::Message, 1, 2, &[9; 200]);
        let whole = all(&out).unwrap();
        for cut in 0..out.len() {
            let mut assembler = Assembler::default();
            let mut input = BytesMut::from(&out[..cut]);
            let mut packets = Vec::new();
            while let Some(packet) = assembler.next(&mut input).unwrap() {
                packets.push(packet);
            }
            input.extend_from_slice(&out[cut..]);
            while let Some(packet) = assembler.next(&mut input).unwrap() {
                packets.push(packet);
            }
            assert_eq!(packets, whole, "cut at {cut}");
        }
    }

    #[test]
    fn ids_that_go_back_or_repeat_are_errors() {
        let mut out = BytesMut::new();
        encode(&mut out, Kind::Message, 1, 2, b"x");
        encode(&mut out, Kind::Message, 1, 1, b"y");
        assert!(all(&out).is_err());
        let mut out = BytesMut::new();
        encode(&mut out, Kind::Message, 1, 2, b"x");
        encode(&mut out, Kind::Message, 1, 2, b"y");
        assert!(all(&out).is_err());
    }

    #[test]
    fn a_higher_id_drops_an_unfinished_packet() {
        let mut bytes = vec![0b0000_0100, 1, 1, 1, b'x'];
        bytes.extend_from_slice(&[0b0000_0101, 1, 2, 1, b'y']);
        let packets = all(&bytes).unwrap();
        assert_eq!(packets.len(), 1);
        assert_eq!(&packets[0].data[..], b"y");
    }

    #[test]
    fn a_kind_that_changes_inside_a_packet_is_an_error() {
        let bytes = [0b0000_0100, 1, 1, 0, 0b0000_1101, 1, 1, 0];
        assert!(all(&bytes).is_err());
    }

    #[test]
    fn unknown_kinds_are_ignored_only_with_the_control_bit() {
        assert_eq!(all(&[0x80 | 40 << 1 | 1, 1, 1, 0]).unwrap(), []);
        assert!(all(&[40 << 1 | 1, 1, 1, 0]).is_err());
    }

    #[test]
    fn lengths_beyond_the_limit_are_errors_before_the_data_comes() {
        assert!(all(&[5, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
        assert!(
            all(&[
                5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
            ])
            .is_err()
        );
    }
}
