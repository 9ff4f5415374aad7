//! Protection of single packets: framing, padding, encryption and integrity
//! (RFC 4253 section 6). One [`Sealer`] per direction out, one [`Opener`] per
//! direction in; both only transform bytes that they are given.

use rand::RngCore as _;
use ring::aead::{self, chacha20_poly1305_openssh as chacha};

/// Longest packet that a peer may send, length field apart. RFC 4253 demands
/// 35,000; OpenSSH takes 256 KiB; nothing of ours needs more than data packets
/// of [`super::channel::MAX_PACKET`] and a key exchange.
pub const MAX_PACKET_LENGTH: usize = 64 * 1024;

/// Bytes of the tag that each of our ciphers appends.
const TAG: usize = 16;
/// Bytes of the length field.
const LENGTH: usize = 4;
/// Shortest allowed padding.
const MIN_PADDING: usize = 4;

/// A packet whose frame or tag was wrong: the connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPacket {
    /// The length field is out of bounds.
    #[error("SSH packet length {0} is out of bounds")]
    Length(u32),
    /// The padding does not fit into the packet.
    #[error("SSH packet has impossible padding")]
    Padding,
    /// The integrity check failed.
    #[error("SSH packet failed its integrity check")]
    Tag,
}

/// The ciphers on offer, in the order of our preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// `aes128-gcm@openssh.com`: the fastest where the CPU has AES instructions.
    Aes128Gcm,
    /// `aes256-gcm@openssh.com`.
    Aes256Gcm,
    /// `chacha20-poly1305@openssh.com`.
    ChaCha20Poly1305,
}

impl Cipher {
    /// Every cipher, best first.
    pub const ALL: [Self; 3] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::ChaCha20Poly1305];

    /// Its name in the negotiation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "aes128-gcm@openssh.com",
            Self::Aes256Gcm => "aes256-gcm@openssh.com",
            Self::ChaCha20Poly1305 => "chacha20-poly1305@openssh.com",
        }
    }

    /// Length of the key in bytes.
    pub const fn key_length(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm => 32,
            Self::ChaCha20Poly1305 => 64,
        }
    }

    /// Length of the initial vector in bytes.
    pub const fn iv_length(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm => 12,
            Self::ChaCha20Poly1305 => 0,
        }
    }
}

/// An AES-GCM key with its running nonce (RFC 5647 section 7.1).
struct Gcm {
    key: aead::LessSafeKey,
    nonce: [u8; 12],
}

impl Gcm {
    fn new(algorithm: &'static aead::Algorithm, key: &[u8], iv: &[u8]) -> Option<Self> {
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(algorithm, key).ok()?);
        Some(Self {
            key,
            nonce: iv.try_into().ok()?,
        })
    }

    /// The nonce of this packet; the counter half moves on for the next.
    fn next_nonce(&mut self) -> aead::Nonce {
        let nonce = aead::Nonce::assume_unique_for_key(self.nonce);
        for byte in self.nonce[4..].iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        nonce
    }
}

fn gcm_algorithm(cipher: Cipher) -> &'static aead::Algorithm {
    if cipher == Cipher::Aes256Gcm {
        &aead::AES_256_GCM
    } else {
        &aead::AES_128_GCM
    }
}

enum SealKey {
    Clear,
    Gcm(Box<Gcm>),
    ChaCha(Box<chacha::SealingKey>),
}

/// Protects outgoing packets and counts them.
pub struct Sealer {
    key: SealKey,
    sequence: u32,
}

impl Sealer {
    /// No protection yet: the state before the first key exchange.
    pub fn clear() -> Self {
        Self {
            key: SealKey::Clear,
            sequence: 0,
        }
    }

    /// Takes new keys into use; `false` if their lengths are not the cipher's.
    #[must_use]
    pub fn rekey(&mut self, cipher: Cipher, key: &[u8], iv: &[u8]) -> bool {
        let new = match cipher {
            Cipher::ChaCha20Poly1305 => key
                .try_into()
                .ok()
                .map(|key| SealKey::ChaCha(Box::new(chacha::SealingKey::new(key)))),
            gcm => Gcm::new(gcm_algorithm(gcm), key, iv).map(|gcm| SealKey::Gcm(Box::new(gcm))),
        };
        new.map(|new| self.key = new).is_some()
    }

    /// Starts the numbering anew (strict key exchange).
    pub fn reset_sequence(&mut self) {
        self.sequence = 0;
    }

    /// Appends the packet that `payload` writes to `out`, protected.
    pub fn seal(&mut self, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH + 1]);
        payload(out);
        let content = out.len() - start - LENGTH;
        // With the ciphers of ours the length field is not part of the padded whole.
        let (block, counted) = match self.key {
            SealKey::Clear => (8, content + LENGTH),
            SealKey::Gcm(_) => (16, content),
            SealKey::ChaCha(_) => (8, content),
        };
        let mut padding = block - counted % block;
        if padding < MIN_PADDING {
            padding += block;
        }
        let pad_at = out.len();
        out.resize(pad_at + padding, 0);
        // Not worth a system call for each key: the padding is encrypted, and its content carries no
        // security in these ciphers.
        rand::rng().fill_bytes(&mut out[pad_at..]);
        let length = (content + padding) as u32;
        out[start..start + LENGTH].copy_from_slice(&length.to_be_bytes());
        out[start + LENGTH] = padding as u8;

        match &mut self.key {
            SealKey::Clear => {}
            SealKey::Gcm(gcm) => {
                let nonce = gcm.next_nonce();
                let (head, body) = out[start..].split_at_mut(LENGTH);
                let tag = gcm
                    .key
                    .seal_in_place_separate_tag(nonce, aead::Aad::from(head), body);
                // Sealing fails only beyond 64 GiB; a zero tag makes the peer hang up.
                out.extend_from_slice(tag.as_ref().map_or(&[0; TAG], AsRef::as_ref));
            }
            SealKey::ChaCha(key) => {
                let mut tag = [0; TAG];
                key.seal_in_place(self.sequence, &mut out[start..], &mut tag);
                out.extend_from_slice(&tag);
            }
        }
        self.sequence = self.sequence.wrapping_add(1);
    }
}

enum OpenKey {
    Clear,
    Gcm(Box<Gcm>),
    ChaCha(Box<chacha::OpeningKey>),
}

/// Checks and decrypts incoming packets and counts them.
pub struct Opener {
    key: OpenKey,
    sequence: u32,
}

impl Opener {
    /// No protection yet: the state before the first key exchange.
    pub fn clear() -> Self {
        Self {
            key: OpenKey::Clear,
            sequence: 0,
        }
    }

    /// Takes new keys into use; `false` if their lengths are not the cipher's.
    #[must_use]
    pub fn rekey(&mut self, cipher: Cipher, key: &[u8], iv: &[u8]) -> bool {
        let new = match cipher {
            Cipher::ChaCha20Poly1305 => key
                .try_into()
                .ok()
                .map(|key| OpenKey::ChaCha(Box::new(chacha::OpeningKey::new(key)))),
            gcm => Gcm::new(gcm_algorithm(gcm), key, iv).map(|gcm| OpenKey::Gcm(Box::new(gcm))),
        };
        new.map(|new| self.key = new).is_some()
    }

    /// Starts the numbering anew (strict key exchange).
    pub fn reset_sequence(&mut self) {
        self.sequence = 0;
    }

    /// Number of the next packet.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Length in bytes of the whole packet at the front of `input`, `None` while
    /// its length field is incomplete.
    pub fn whole_length(&self, input: &[u8]) -> Result<Option<usize>, BadPacket> {
        let Some(head) = input.first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let (length, tag) = match &self.key {
            OpenKey::Clear => (*head, 0),
            OpenKey::Gcm(_) => (*head, TAG),
            OpenKey::ChaCha(key) => (key.decrypt_packet_length(self.sequence, *head), TAG),
        };
        let length = u32::from_be_bytes(length);
        if length < 1 + MIN_PADDING as u32 || length as usize > MAX_PACKET_LENGTH {
            return Err(BadPacket::Length(length));
        }
        Ok(Some(LENGTH + length as usize + tag))
    }

    /// Opens one whole packet in place; answers where in it the payload lies.
    pub fn open(&mut self, packet: &mut [u8]) -> Result<std::ops::Range<usize>, BadPacket> {
        let body_end = match &mut self.key {
            OpenKey::Clear => packet.len(),
            OpenKey::Gcm(gcm) => {
                let nonce = gcm.next_nonce();
                let (head, body) = packet.split_at_mut_checked(LENGTH).ok_or(BadPacket::Tag)?;
                gcm.key
                    .open_in_place(nonce, aead::Aad::from(head), body)
                    .map_err(|_| BadPacket::Tag)?;
                packet.len() - TAG
            }
            OpenKey::ChaCha(key) => {
                let (body, tag) = packet.split_last_chunk_mut::<TAG>().ok_or(BadPacket::Tag)?;
                key.open_in_place(self.sequence, body, tag)
                    .map_err(|_| BadPacket::Tag)?;
                packet.len() - TAG
            }
        };
        self.sequence = self.sequence.wrapping_add(1);
        let padding = usize::from(*packet.get(LENGTH).ok_or(BadPacket::Padding)?);
        let start = LENGTH + 1;
        let end = body_end.checked_sub(padding).filter(|end| *end >= start);
        Ok(start..end.ok_or(BadPacket::Padding)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(cipher: Cipher) -> (Sealer, Opener) {
        let key = vec![7; cipher.key_length()];
        let iv = vec![255; cipher.iv_length()];
        let (mut sealer, mut opener) = (Sealer::clear(), Opener::clear());
        assert!(sealer.rekey(cipher, &key, &iv));
        assert!(opener.rekey(cipher, &key, &iv));
        (sealer, opener)
    }

    #[test]
    fn packets_survive_every_cipher() {
        for cipher in Cipher::ALL {
            let (mut sealer, mut opener) = pair(cipher);
            for length in [0, 1, 11, 12, 13, 255, 32 * 1024] {
                let payload = vec![length as u8; length];
                let mut out = Vec::new();
                sealer.seal(&mut out, |p| p.extend_from_slice(&payload));
                assert_eq!(opener.whole_length(&out), Ok(Some(out.len())));
                let range = opener.open(&mut out).unwrap();
                assert_eq!(out[range], payload);
            }
        }
    }

    #[test]
    fn one_flipped_bit_is_noticed() {
        for cipher in Cipher::ALL {
            let (mut sealer, mut opener) = pair(cipher);
            let mut out = Vec::new();
            sealer.seal(&mut out, |p| p.extend_from_slice(b"payload"));
            out[9] ^= 1;
            assert_eq!(opener.open(&mut out), Err(BadPacket::Tag));
        }
    }

    #[test]
    fn absurd_lengths_and_paddings_are_refused() {
        let mut opener = Opener::clear();
        assert_eq!(opener.whole_length(&[0, 0]), Ok(None));
        assert!(opener.whole_length(&[0xff; 8]).is_err());
        assert!(opener.whole_length(&[0, 0, 0, 4, 0]).is_err());
        assert_eq!(
            opener.open(&mut [0, 0, 0, 5, 200, 1, 2, 3, 4]),
            Err(BadPacket::Padding)
        );
    }
}
