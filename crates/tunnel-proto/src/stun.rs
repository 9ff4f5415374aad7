//! STUN binding requests and responses (RFC 5389), both sides, as far as path discovery needs them.
//!
//! Requests carry SOFTWARE and FINGERPRINT: Tailscale's servers answer no others. Responses carry
//! XOR-MAPPED-ADDRESS; old servers that say only MAPPED-ADDRESS are understood too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Pairs a response with its request.
pub type TransactionId = [u8; 12];

/// Port of servers that name none.
pub const DEFAULT_PORT: u16 = 3478;
/// Bytes of every message before its attributes.
const HEADER_LEN: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const MAPPED_ADDRESS: u16 = 0x0001;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// XOR-MAPPED-ADDRESS before it had a number of its own.
const XOR_MAPPED_ADDRESS_OLD: u16 = 0x8020;
const SOFTWARE: u16 = 0x8022;
const FINGERPRINT: u16 = 0x8028;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// Bytes of FINGERPRINT with its header.
const FINGERPRINT_LEN: usize = 8;
/// What requests say of themselves; servers may insist on it.
const NAME: &[u8; 8] = b"tailnode";

/// True if `datagram` is a STUN message rather than WireGuard or disco.
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER_LEN && datagram[0] >> 6 == 0 && datagram[4..8] == COOKIE
}

/// A binding request.
pub fn request(transaction: TransactionId) -> Vec<u8> {
    let mut out = header(BINDING_REQUEST, transaction);
    put_attribute(&mut out, SOFTWARE, NAME);
    put_fingerprint(&mut out);
    out
}

/// The answer to a request that came from `source`.
pub fn response(transaction: TransactionId, source: SocketAddr) -> Vec<u8> {
    let mut out = header(BINDING_SUCCESS, transaction);
    let mut value = vec![0, if source.is_ipv4() { 1 } else { 2 }];
    value.extend((source.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]])).to_be_bytes());
    match source.ip() {
        IpAddr::V4(ip) => value.extend(masked(ip.octets(), transaction)),
        IpAddr::V6(ip) => value.extend(masked(ip.octets(), transaction)),
    }
    put_attribute(&mut out, XOR_MAPPED_ADDRESS, &value);
    put_fingerprint(&mut out);
    out
}

/// The number of a well-formed binding request; `None` for anything else. A fingerprint, if there
/// is one, must be right.
pub fn parse_request(datagram: &[u8]) -> Option<TransactionId> {
    let message = Message::parse(datagram)?;
    (message.kind == BINDING_REQUEST).then_some(message.transaction)
}

/// The number of a successful response and the address that it names.
pub fn parse_response(datagram: &[u8]) -> Option<(TransactionId, SocketAddr)> {
    let message = Message::parse(datagram)?;
    if message.kind != BINDING_SUCCESS {
        return None;
    }
    let mut plain = None;
    for (kind, value) in message.attributes() {
        match kind {
            XOR_MAPPED_ADDRESS | XOR_MAPPED_ADDRESS_OLD => {
                let address = parse_address(value, Some(message.transaction))?;
                return Some((message.transaction, address));
            }
            MAPPED_ADDRESS => plain = parse_address(value, None),
            _ => {}
        }
    }
    Some((message.transaction, plain?))
}

struct Message<'a> {
    kind: [u8; 2],
    transaction: TransactionId,
    attributes: &'a [u8],
}

impl<'a> Message<'a> {
    fn parse(datagram: &'a [u8]) -> Option<Self> {
        if !is_stun(datagram) {
            return None;
        }
        let (header, rest) = datagram.split_first_chunk::<HEADER_LEN>()?;
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let attributes = rest.get(..len)?;
        let message = Self {
            kind: [header[0], header[1]],
            transaction: *header[8..].first_chunk()?,
            attributes,
        };
        // The fingerprint is the last attribute and covers all before it.
        if let Some(body) = len.checked_sub(FINGERPRINT_LEN)
            && attributes[body..].starts_with(&FINGERPRINT.to_be_bytes())
        {
            let (_, value) = Attributes(&attributes[body..]).next()?;
            let sum = crc32(&datagram[..HEADER_LEN + body]) ^ FINGERPRINT_XOR;
            if value != sum.to_be_bytes() {
                return None;
            }
        }
        Some(message)
    }

    fn attributes(&self) -> Attributes<'a> {
        Attributes(self.attributes)
    }
}

struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[k0, k1, l0, l1], rest) = self.0.split_first_chunk()?;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let value = rest.get(..len)?;
        self.0 = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_be_bytes([k0, k1]), value))
    }
}

fn header(kind: [u8; 2], transaction: TransactionId) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.extend(kind);
    out.extend([0, 0]);
    out.extend(COOKIE);
    out.extend(transaction);
    out
}

/// Appends an attribute whose value is shorter than 64 KiB, and corrects the length.
fn put_attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend(kind.to_be_bytes());
    out.extend((value.len() as u16).to_be_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
    set_len(out, 0);
}

fn put_fingerprint(out: &mut Vec<u8>) {
    // It counts itself into the length that it covers.
    set_len(out, FINGERPRINT_LEN);
    let sum = crc32(out) ^ FINGERPRINT_XOR;
    put_attribute(out, FINGERPRINT, &sum.to_be_bytes());
}

fn set_len(out: &mut [u8], more: usize) {
    let len = (out.len() - HEADER_LEN + more) as u16;
    out[2..4].copy_from_slice(&len.to_be_bytes());
}

/// Mixes an address with cookie and transaction, or undoes that.
fn masked<const N: usize>(mut octets: [u8; N], transaction: TransactionId) -> [u8; N] {
    let mask = COOKIE.iter().chain(&transaction);
    for (octet, mask) in octets.iter_mut().zip(mask) {
        *octet ^= mask;
    }
    octets
}

/// An address attribute; with a transaction, one that is mixed with it.
fn parse_address(value: &[u8], mixed: Option<TransactionId>) -> Option<SocketAddr> {
    let (&[_, family, p0, p1], ip) = value.split_first_chunk()?;
    let mut port = u16::from_be_bytes([p0, p1]);
    if mixed.is_some() {
        port ^= u16::from_be_bytes([COOKIE[0], COOKIE[1]]);
    }
    let ip: IpAddr = match family {
        1 => {
            let octets: [u8; 4] = ip.try_into().ok()?;
            Ipv4Addr::from(mixed.map_or(octets, |number| masked(octets, number))).into()
        }
        2 => {
            let octets: [u8; 16] = ip.try_into().ok()?;
            Ipv6Addr::from(mixed.map_or(octets, |number| masked(octets, number))).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The checksum of Ethernet and zip. Messages are short: no table.
fn crc32(data: &[u8]) -> u32 {
    let mut sum = !0u32;
    for &byte in data {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            let carry = 0u32.wrapping_sub(sum & 1);
            sum = (sum >> 1) ^ (0xedb8_8320 & carry);
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_round_trip() {
        let request = request([7; 12]);
        assert!(is_stun(&request));
        assert_eq!(parse_request(&request), Some([7; 12]));
        assert_eq!(parse_response(&request), None);
        for source in ["192.0.2.1:41641", "[2001:db8::1]:5"] {
            let source: SocketAddr = source.parse().unwrap();
            let response = response([7; 12], source);
            assert_eq!(parse_response(&response), Some(([7; 12], source)));
            assert_eq!(parse_request(&response), None);
        }
    }

    #[test]
    fn the_response_of_rfc_5769_is_understood() {
        // Section 2.2: address 192.0.2.1 port 32853.
        let text = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
                    002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7\
                    80280004c07d4c96";
        let datagram = hex::decode(text).unwrap();
        let (_, address) = parse_response(&datagram).unwrap();
        assert_eq!(address, "192.0.2.1:32853".parse().unwrap());
        let mut forged = datagram.clone();
        forged[50] ^= 1;
        assert_eq!(parse_response(&forged), None, "the fingerprint is wrong");
    }

    #[test]
    fn old_servers_are_understood() {
        let mut out = header(BINDING_SUCCESS, [1; 12]);
        put_attribute(&mut out, MAPPED_ADDRESS, &[0, 1, 0x12, 0x34, 192, 0, 2, 9]);
        let address = parse_response(&out).unwrap().1;
        assert_eq!(address, "192.0.2.9:4660".parse().unwrap());
    }

    #[test]
    fn torn_and_lying_messages_are_none() {
        let whole = response([7; 12], "192.0.2.1:5".parse().unwrap());
        for cut in 0..whole.len() {
            assert_eq!(parse_response(&whole[..cut]), None, "{cut}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bad = whole.clone();
                bad[at] ^= 1 << bit;
                // Nothing panics, and no flipped bit of the address goes unnoticed.
                if (HEADER_LEN..whole.len()).contains(&at)
                    && let Some((_, address)) = parse_response(&bad)
                {
                    assert_eq!(address, "192.0.2.1:5".parse().unwrap());
                }
            }
        }
        let mut long = header(BINDING_SUCCESS, [1; 12]);
        long.extend([0, 0x20, 0xff, 0xff, 1, 2, 3]);
        set_len(&mut long, 0);
        assert_eq!(parse_response(&long), None);
        assert!(!is_stun(&[1; 200]) && !is_stun(b""));
    }
}
