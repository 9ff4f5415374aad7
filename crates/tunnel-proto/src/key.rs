//! The two Curve25519 identities of a peer: the node key (WireGuard and DERP) and the disco key.
//!
//! Private halves do not print and are wiped when dropped. Nothing here draws randomness
//! by itself: the caller passes the generator.

use std::fmt;
use std::str::FromStr;

use rand::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};

/// Length of a raw Curve25519 key, in bytes.
pub const KEY_LEN: usize = 32;

/// Text before the hexadecimal form of a node key.
const NODE_TEXT_PREFIX: &str = "nodekey:";
/// Text before the hexadecimal form of a disco key.
const DISCO_TEXT_PREFIX: &str = "discokey:";
/// Two bytes before the raw key in the protobuf form of a node key.
const NODE_BINARY_PREFIX: &[u8; 2] = b"np";

/// Why a text or byte string is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The prefix that names the kind of key is absent.
    #[error("a key of this kind begins with {expected:?}")]
    Prefix {
        /// The prefix that the text or bytes should begin with.
        expected: &'static str,
    },
    /// The rest is not 32 bytes in the expected encoding.
    #[error("a key is 32 bytes (64 hexadecimal digits)")]
    Length,
}

fn parse_hex(text: &str, prefix: &'static str) -> Result<[u8; KEY_LEN], KeyError> {
    let digits = text
        .strip_prefix(prefix)
        .ok_or(KeyError::Prefix { expected: prefix })?;
    let mut raw = [0; KEY_LEN];
    hex::decode_to_slice(digits, &mut raw).map_err(|_| KeyError::Length)?;
    Ok(raw)
}

macro_rules! public_key {
    ($name:ident, $prefix:expr, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub [u8; KEY_LEN]);

        impl $name {
            /// The raw 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
                &self.0
            }

            /// True for the all-zero key, which stands for "no key".
            pub fn is_zero(&self) -> bool {
                self.0 == [0; KEY_LEN]
            }

            /// Reads the first 32 bytes of `bytes`; `None` if there are fewer.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.first_chunk().map(|raw| Self(*raw))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Eight digits tell keys apart in a log without filling the line.
                write!(f, "{}{}…", $prefix, hex::encode(&self.0[..4]))
            }
        }

        impl FromStr for $name {
            type Err = KeyError;

            fn from_str(text: &str) -> Result<Self, KeyError> {
                parse_hex(text, $prefix).map(Self)
            }
        }
    };
}

public_key!(
    NodePublic,
    NODE_TEXT_PREFIX,
    "Public node key: the peer's identity in WireGuard and on every relay."
);
public_key!(
    DiscoPublic,
    DISCO_TEXT_PREFIX,
    "Public disco key: seals path-discovery messages."
);

impl NodePublic {
    /// The form carried in protobuf: `np` and the 32 raw bytes.
    pub fn to_binary(&self) -> Vec<u8> {
        [NODE_BINARY_PREFIX.as_slice(), &self.0].concat()
    }

    /// Reads the form of [`NodePublic::to_binary`].
    pub fn from_binary(bytes: &[u8]) -> Result<Self, KeyError> {
        let raw = bytes
            .strip_prefix(NODE_BINARY_PREFIX)
            .ok_or(KeyError::Prefix { expected: "np" })?;
        Ok(Self(raw.try_into().map_err(|_| KeyError::Length)?))
    }

    /// 64 hexadecimal digits without prefix, the form of the `Derp-Public-Key` header.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

macro_rules! private_key {
    ($name:ident, $public:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone)]
        pub struct $name(StaticSecret);

        impl $name {
            /// Draws a new key from `rng`.
            pub fn generate(rng: &mut impl CryptoRng) -> Self {
                let mut raw = [0; KEY_LEN];
                rng.fill_bytes(&mut raw);
                Self(StaticSecret::from(raw))
            }

            /// Takes a stored key.
            pub fn from_bytes(raw: [u8; KEY_LEN]) -> Self {
                Self(StaticSecret::from(raw))
            }

            /// The public half.
            pub fn public(&self) -> $public {
                $public(PublicKey::from(&self.0).to_bytes())
            }

            pub(crate) fn secret(&self) -> &StaticSecret {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.public())
            }
        }
    };
}

private_key!(
    NodePrivate,
    NodePublic,
    "Private node key. New in every process; prints only its public half."
);
private_key!(
    DiscoPrivate,
    DiscoPublic,
    "Private disco key. New in every process; prints only its public half."
);

impl NodePrivate {
    /// Bytes for a key store. Keep them out of logs.
    pub fn to_bytes(&self) -> [u8; KEY_LEN] {
        self.0.to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_round_trip() {
        let private = NodePrivate::from_bytes([7; 32]);
        let public = private.public();
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(NodePublic::from_binary(&public.to_binary()), Ok(public));
        assert_eq!(public.to_binary().len(), 34);
        assert!(!format!("{private:?}").contains(&hex::encode([7; 32])));
    }

    #[test]
    fn wrong_forms_are_refused() {
        assert_eq!(
            "discokey:00".parse::<NodePublic>(),
            Err(KeyError::Prefix {
                expected: NODE_TEXT_PREFIX
            })
        );
        for text in [
            "nodekey:",
            "nodekey:zz",
            &format!("nodekey:{}", "0".repeat(66)),
        ] {
            assert_eq!(text.parse::<NodePublic>(), Err(KeyError::Length), "{text}");
        }
        assert!(NodePublic::from_binary(b"np").is_err());
        assert!(NodePublic::from_binary(&[0; 34]).is_err());
        assert!(NodePublic::from_slice(&[0; 31]).is_none());
    }
}
