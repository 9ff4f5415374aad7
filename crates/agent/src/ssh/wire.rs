//! The primitive types of SSH (RFC 4251 section 5): reading them out of a
//! packet and writing them into one. Knows no message.

/// A packet that ended early or held a value of the wrong shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed SSH packet")]
pub struct Malformed;

/// Reads primitive values from the front of a packet.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts at the first byte of `packet`.
    pub fn new(packet: &'a [u8]) -> Self {
        Self(packet)
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.bytes(1)?[0])
    }

    /// A boolean; every value but zero is true.
    pub fn boolean(&mut self) -> Result<bool, Malformed> {
        Ok(self.byte()? != 0)
    }

    /// A 32-bit number.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        let bytes = self.bytes(4)?.try_into().map_err(|_| Malformed)?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// A string of arbitrary bytes.
    pub fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()? as usize;
        self.bytes(length)
    }

    /// A string that must be UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.string()?).map_err(|_| Malformed)
    }

    /// A comma-separated list of names.
    pub fn names(&mut self) -> Result<Vec<&'a str>, Malformed> {
        Ok(self.text()?.split(',').filter(|n| !n.is_empty()).collect())
    }
}

/// Appends primitive values to a buffer.
pub trait Write {
    /// One byte.
    fn put_byte(&mut self, value: u8);
    /// Bytes as they are, without a length.
    fn put_raw(&mut self, value: &[u8]);

    /// A boolean.
    fn put_bool(&mut self, value: bool) {
        self.put_byte(u8::from(value));
    }

    /// A 32-bit number.
    fn put_number(&mut self, value: u32) {
        self.put_raw(&value.to_be_bytes());
    }

    /// A string. Strings of ours are all far below the 4 GiB that the length holds.
    fn put_string(&mut self, value: &[u8]) {
        self.put_number(value.len() as u32);
        self.put_raw(value);
    }

    /// A non-negative multiple-precision integer given as big-endian bytes.
    fn put_mpint(&mut self, value: &[u8]) {
        let first = value.iter().position(|b| *b != 0).unwrap_or(value.len());
        let value = &value[first..];
        // A set top bit would make the number negative: a zero byte goes before it.
        let pad = value.first().is_some_and(|b| b & 0x80 != 0);
        self.put_number(value.len() as u32 + u32::from(pad));
        if pad {
            self.put_byte(0);
        }
        self.put_raw(value);
    }
}

impl Write for Vec<u8> {
    fn put_byte(&mut self, value: u8) {
        self.push(value);
    }

    fn put_raw(&mut self, value: &[u8]) {
        self.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        out.put_byte(7);
        out.put_bool(true);
        out.put_number(0x0102_0304);
        out.put_string(b"a,b,,c");
        let mut reader = Reader::new(&out);
        assert_eq!(reader.byte(), Ok(7));
        assert_eq!(reader.boolean(), Ok(true));
        assert_eq!(reader.u32(), Ok(0x0102_0304));
        assert_eq!(reader.names(), Ok(vec!["a", "b", "c"]));
        assert_eq!(reader.byte(), Err(Malformed));
    }

    #[test]
    fn integers_are_minimal_and_never_negative() {
        let encode = |value: &[u8]| {
            let mut out = Vec::new();
            out.put_mpint(value);
            out
        };
        // The examples of RFC 4251 section 5.
        assert_eq!(encode(&[]), [0, 0, 0, 0]);
        assert_eq!(encode(&[0, 0]), [0, 0, 0, 0]);
        assert_eq!(encode(&[0x80]), [0, 0, 0, 2, 0, 0x80]);
        assert_eq!(
            encode(&[0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7]),
            [0, 0, 0, 8, 0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7]
        );
    }

    #[test]
    fn a_length_beyond_the_packet_is_refused() {
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]).string(),
            Err(Malformed)
        );
        assert_eq!(
            Reader::new(&[0, 0, 0, 2, 0xff, 0xfe]).text(),
            Err(Malformed)
        );
    }
}
