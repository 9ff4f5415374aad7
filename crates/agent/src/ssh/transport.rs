//! The SSH transport protocol (RFC 4253), server side, without I/O: bytes from
//! the peer go in, payloads for the layer above come out; payloads go in, bytes
//! for the peer come out. Owns version lines, key exchanges and packet
//! protection; knows nothing of users and channels.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use ring::rand::{SecureRandom, SystemRandom};

use super::cipher::{BadPacket, Opener, Sealer};
use super::host_key::HostKey;
use super::kex::{self, BadClientKey, Transcript};
use super::negotiate::{self, Choice, NoChoice};
use super::numbers::{
    DEBUG, DISCONNECT, DISCONNECT_KEY_EXCHANGE_FAILED, DISCONNECT_PROTOCOL_ERROR, EXT_INFO, IGNORE,
    KEX_INIT, KEX_REPLY, KEXINIT, NEWKEYS, UNIMPLEMENTED,
};
use super::wire::{Malformed, Reader, Write};

/// Our version line.
const VERSION: &[u8] = b"SSH-2.0-Coder";
/// Longest version line of a client, line end included (RFC 4253 section 4.2).
const MAX_VERSION: usize = 255;
/// New keys are agreed on after this many bytes out, long before any cipher wears out.
const REKEY_AFTER: u64 = 16 << 30;
/// Packets that may wait for the end of a key exchange. Only answers to the
/// client's own requests get here, so a client that overruns this is broken.
const MAX_HELD: usize = 1024;

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The peer does not speak SSH 2.
    #[error("the peer does not speak SSH 2")]
    NotSsh,
    /// A broken packet.
    #[error(transparent)]
    Packet(#[from] BadPacket),
    /// A packet with impossible content.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Nothing in common.
    #[error(transparent)]
    NoChoice(#[from] NoChoice),
    /// A bad key exchange value.
    #[error(transparent)]
    Kex(#[from] BadClientKey),
    /// A message that has no place at this point.
    #[error("SSH message {0} has no place here")]
    Unexpected(u8),
    /// Too much was waiting for the client to finish a key exchange.
    #[error("the client does not finish its key exchange")]
    Stalled,
}

impl TransportError {
    /// The reason code for the farewell to the client.
    pub fn disconnect_code(&self) -> u32 {
        match self {
            Self::NoChoice(_) | Self::Kex(_) => DISCONNECT_KEY_EXCHANGE_FAILED,
            _ => DISCONNECT_PROTOCOL_ERROR,
        }
    }
}

/// What came in.
#[derive(Debug)]
pub enum Incoming {
    /// A payload for the layer above.
    Payload(BytesMut),
    /// The client said farewell.
    Disconnected,
}

enum Kex {
    /// No exchange is under way.
    Idle,
    /// Our offer is out, the client's is awaited.
    Offered(Vec<u8>),
    /// Both offers are known, the client's half of the secret is awaited.
    Chosen {
        ours: Vec<u8>,
        theirs: Vec<u8>,
        choice: Choice,
        skip: bool,
    },
    /// Our side uses the new keys, the client's switch is awaited.
    Switching(Choice, Vec<u8>, Vec<u8>),
}

/// The server's end of one SSH transport.
pub struct Transport {
    host_key: Arc<HostKey>,
    client_version: Option<Vec<u8>>,
    opener: Opener,
    sealer: Sealer,
    out: Vec<u8>,
    /// Bytes of `out` that the peer has already got.
    sent: usize,
    kex: Kex,
    strict: bool,
    session: Option<[u8; 32]>,
    /// The first key exchange is over: the client's packets are protected.
    keyed: bool,
    held: Vec<Vec<u8>>,
    sealed: u64,
}

impl Transport {
    /// A transport whose peer has said nothing yet; the version line and our
    /// offer are ready to be sent.
    pub fn new(host_key: Arc<HostKey>) -> Self {
        let mut transport = Self {
            host_key,
            client_version: None,
            opener: Opener::clear(),
            sealer: Sealer::clear(),
            out: [VERSION, b"\r\n"].concat(),
            sent: 0,
            kex: Kex::Idle,
            strict: false,
            session: None,
            keyed: false,
            held: Vec::new(),
            sealed: 0,
        };
        transport.start_kex();
        transport
    }

    /// Bytes that wait to be written to the peer.
    pub fn output(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    /// Tells that the first `n` bytes of [`Self::output`] were written.
    pub fn advance(&mut self, n: usize) {
        self.sent += n;
        if self.sent >= self.out.len() {
            self.sent = 0;
            self.out.clear();
            // One burst must not keep its memory for the life of the connection.
            self.out.shrink_to(128 * 1024);
        }
    }

    /// Whether payloads can be sent now, rather than after a key exchange.
    pub fn ready(&self) -> bool {
        matches!(self.kex, Kex::Idle | Kex::Switching(..)) && self.session.is_some()
    }

    /// Sends one payload, or holds it until the key exchange is over.
    pub fn send(&mut self, payload: impl FnOnce(&mut Vec<u8>)) {
        if self.ready() {
            self.seal(payload);
            if self.sealed > REKEY_AFTER && matches!(self.kex, Kex::Idle) {
                self.start_kex();
            }
        } else {
            let mut bytes = Vec::new();
            payload(&mut bytes);
            self.held.push(bytes);
        }
    }

    /// Says farewell, whatever the state.
    pub fn disconnect(&mut self, code: u32, text: &str) {
        self.seal(|out| {
            out.put_byte(DISCONNECT);
            out.put_number(code);
            out.put_string(text.as_bytes());
            out.put_string(b"");
        });
    }

    fn seal(&mut self, payload: impl FnOnce(&mut Vec<u8>)) {
        let before = self.out.len();
        self.sealer.seal(&mut self.out, payload);
        self.sealed += (self.out.len() - before) as u64;
    }

    fn start_kex(&mut self) {
        let mut cookie = [0; 16];
        // The cookie only makes the exchange hash unique, to which both halves of the
        // secret contribute as well.
        let _ = SystemRandom::new().fill(&mut cookie);
        let offer = negotiate::offer(cookie, self.session.is_none());
        self.seal(|out| out.put_raw(&offer));
        self.kex = Kex::Offered(offer);
    }

    /// Takes the next message out of `input`; `None` when more bytes are needed.
    pub fn receive(&mut self, input: &mut BytesMut) -> Result<Option<Incoming>, TransportError> {
        if self.client_version.is_none() && !self.read_version(input)? {
            return Ok(None);
        }
        loop {
            let Some(length) = self.opener.whole_length(input)? else {
                return Ok(None);
            };
            if input.len() < length {
                return Ok(None);
            }
            let mut packet = input.split_to(length);
            let number = self.opener.sequence();
            let range = self.opener.open(&mut packet)?;
            packet.truncate(range.end);
            packet.advance(range.start);
            let Some(kind) = packet.first().copied() else {
                return Err(Malformed.into());
            };
            match kind {
                DISCONNECT => return Ok(Some(Incoming::Disconnected)),
                KEXINIT | NEWKEYS | KEX_INIT => self.exchange(kind, &packet)?,
                // The first exchange of a strict client admits nothing else.
                _ if self.strict && !self.keyed => {
                    return Err(TransportError::Unexpected(kind));
                }
                IGNORE | UNIMPLEMENTED | DEBUG | EXT_INFO => {}
                _ if !self.keyed || matches!(self.kex, Kex::Chosen { .. } | Kex::Switching(..)) => {
                    if !self.skip_guess() {
                        return Err(TransportError::Unexpected(kind));
                    }
                }
                20..=49 => self.unimplemented(number),
                _ => return Ok(Some(Incoming::Payload(packet))),
            }
        }
    }

    /// Tells the client that packet `number` was not understood.
    fn unimplemented(&mut self, number: u32) {
        self.send(|out| {
            out.put_byte(UNIMPLEMENTED);
            out.put_number(number);
        });
    }

    fn read_version(&mut self, input: &mut BytesMut) -> Result<bool, TransportError> {
        let Some(end) = input.iter().take(MAX_VERSION).position(|b| *b == b'\n') else {
            return if input.len() >= MAX_VERSION {
                Err(TransportError::NotSsh)
            } else {
                Ok(false)
            };
        };
        let line = input.split_to(end + 1);
        let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
        if !line.starts_with(b"SSH-2.0-") && !line.starts_with(b"SSH-1.99-") {
            return Err(TransportError::NotSsh);
        }
        self.client_version = Some(line.to_vec());
        Ok(true)
    }

    /// Drops one wrongly guessed key exchange packet, if one is due.
    fn skip_guess(&mut self) -> bool {
        match &mut self.kex {
            Kex::Chosen { skip, .. } => std::mem::take(skip),
            _ => false,
        }
    }

    fn exchange(&mut self, kind: u8, packet: &[u8]) -> Result<(), TransportError> {
        match (kind, std::mem::replace(&mut self.kex, Kex::Idle)) {
            (KEXINIT, state @ (Kex::Idle | Kex::Offered(_))) => {
                let first = self.session.is_none();
                let choice = negotiate::choose(packet, first)?;
                self.strict |= choice.strict;
                // Strictly, nothing may come before the first offer.
                if first && choice.strict && self.opener.sequence() != 1 {
                    return Err(TransportError::Unexpected(KEXINIT));
                }
                let ours = if let Kex::Offered(ours) = state {
                    ours
                } else {
                    self.start_kex();
                    match std::mem::replace(&mut self.kex, Kex::Idle) {
                        Kex::Offered(ours) => ours,
                        _ => return Err(TransportError::Unexpected(kind)),
                    }
                };
                let skip = choice.skip_guess;
                self.kex = Kex::Chosen {
                    ours,
                    theirs: packet.to_vec(),
                    choice,
                    skip,
                };
                Ok(())
            }
            (
                KEX_INIT,
                Kex::Chosen {
                    ours,
                    theirs,
                    choice,
                    skip: true,
                },
            ) => {
                self.kex = Kex::Chosen {
                    ours,
                    theirs,
                    choice,
                    skip: false,
                };
                Ok(())
            }
            (
                KEX_INIT,
                Kex::Chosen {
                    ours,
                    theirs,
                    choice,
                    ..
                },
            ) => self.agree(&ours, &theirs, choice, packet),
            (NEWKEYS, Kex::Switching(choice, key, iv)) => {
                if !self.opener.rekey(choice.inbound, &key, &iv) {
                    return Err(TransportError::Unexpected(kind));
                }
                if self.strict {
                    self.opener.reset_sequence();
                }
                self.keyed = true;
                Ok(())
            }
            _ => Err(TransportError::Unexpected(kind)),
        }
    }

    fn agree(
        &mut self,
        ours: &[u8],
        theirs: &[u8],
        choice: Choice,
        packet: &[u8],
    ) -> Result<(), TransportError> {
        let client_public = Reader::new(&packet[1..]).string()?;
        let agreed = kex::agree(choice.kex, client_public)?;
        let hash = agreed.hash(&Transcript {
            client_version: self.client_version.as_deref().unwrap_or_default(),
            server_version: VERSION,
            client_offer: theirs,
            server_offer: ours,
            host_key: self.host_key.public(),
            client_public,
        });
        let session = *self.session.get_or_insert(hash);
        let signature = self.host_key.sign(&hash);
        let host_key = self.host_key.clone();
        self.seal(|out| {
            out.put_byte(KEX_REPLY);
            out.put_string(host_key.public());
            out.put_string(&agreed.server_public);
            out.put_string(&signature);
        });
        self.seal(|out| out.put_byte(NEWKEYS));

        let derive = |letter, length| agreed.derive(&hash, letter, &session, length);
        let (cipher_in, cipher_out) = (choice.inbound, choice.outbound);
        let key = derive(b'D', cipher_out.key_length());
        if !self
            .sealer
            .rekey(cipher_out, &key, &derive(b'B', cipher_out.iv_length()))
        {
            return Err(TransportError::Unexpected(KEX_INIT));
        }
        if self.strict {
            self.sealer.reset_sequence();
        }
        self.kex = Kex::Switching(
            choice,
            derive(b'C', cipher_in.key_length()),
            derive(b'A', cipher_in.iv_length()),
        );
        self.sealed = 0;
        for payload in std::mem::take(&mut self.held) {
            self.seal(|out| out.put_raw(&payload));
        }
        Ok(())
    }

    /// Whether a client drags out a key exchange while asking for more and more.
    pub fn check_stalled(&self) -> Result<(), TransportError> {
        if self.held.len() > MAX_HELD {
            Err(TransportError::Stalled)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport() -> Transport {
        Transport::new(Arc::new(HostKey::derive("o", "w", "a")))
    }

    fn receive(bytes: &[u8]) -> Result<Option<Incoming>, TransportError> {
        transport().receive(&mut BytesMut::from(bytes))
    }

    fn clear_packet(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Sealer::clear().seal(&mut out, |p| p.extend_from_slice(payload));
        out
    }

    #[test]
    fn it_speaks_first() {
        assert!(transport().output().starts_with(b"SSH-2.0-Coder\r\n"));
    }

    #[test]
    fn other_protocols_are_refused() {
        assert!(matches!(
            receive(b"GET / HTTP/1.1\r\n"),
            Err(TransportError::NotSsh)
        ));
        assert!(matches!(receive(&[b'S'; 300]), Err(TransportError::NotSsh)));
        assert!(matches!(receive(b"SSH-2.0-x"), Ok(None)));
    }

    #[test]
    fn channel_messages_before_the_keys_are_refused() {
        let mut bytes = b"SSH-2.0-x\r\n".to_vec();
        bytes.extend(clear_packet(&[90, 0, 0, 0, 0]));
        assert!(matches!(
            receive(&bytes),
            Err(TransportError::Unexpected(90))
        ));
    }

    #[test]
    fn exchange_messages_out_of_order_are_refused() {
        for kind in [NEWKEYS, KEX_INIT] {
            let mut bytes = b"SSH-2.0-x\r\n".to_vec();
            bytes.extend(clear_packet(&[kind]));
            assert!(matches!(receive(&bytes), Err(TransportError::Unexpected(k)) if k == kind));
        }
    }

    #[test]
    fn a_strict_client_may_not_ignore_before_its_offer() {
        let mut offer = negotiate::offer([0; 16], false);
        // The same offer as a client would make it, with its marker in place.
        let names = b"curve25519-sha256,kex-strict-c-v00@openssh.com";
        let old = u32::from_be_bytes(offer[17..21].try_into().unwrap()) as usize;
        let mut with = offer[..17].to_vec();
        with.put_string(names);
        with.extend_from_slice(&offer.split_off(21 + old));
        let mut bytes = b"SSH-2.0-x\r\n".to_vec();
        bytes.extend(clear_packet(&[IGNORE, 0, 0, 0, 0]));
        bytes.extend(clear_packet(&with));
        assert!(matches!(
            receive(&bytes),
            Err(TransportError::Unexpected(KEXINIT))
        ));
    }
}
