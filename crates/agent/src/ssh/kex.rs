//! Agreeing on a secret and deriving keys from it: X25519 (RFC 8731) and its
//! hybrid with ML-KEM-768. Server side only.

use ml_kem::kem::{Encapsulate, TryKeyInit};
use ml_kem::{EncapsulationKey, MlKem768};
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::SystemRandom;
use sha2::{Digest, Sha256};

use super::negotiate::KexMethod;
use super::wire::Write;

/// Length of an X25519 public key.
const X25519_KEY: usize = 32;
/// Length of an ML-KEM-768 encapsulation key.
const MLKEM_KEY: usize = 1184;

/// The client's half of the exchange was no valid key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client's key exchange value is not valid")]
pub struct BadClientKey;

/// The outcome of one agreement.
pub struct Agreement {
    /// Our half, for the client.
    pub server_public: Vec<u8>,
    /// The shared secret, encoded as it enters the hashes.
    secret: Vec<u8>,
}

/// Everything the exchange hash covers beside the outcome itself.
pub struct Transcript<'a> {
    /// Version line of the client, without line end.
    pub client_version: &'a [u8],
    /// Version line of ours, without line end.
    pub server_version: &'a [u8],
    /// The client's KEXINIT payload.
    pub client_offer: &'a [u8],
    /// Our KEXINIT payload.
    pub server_offer: &'a [u8],
    /// Our public host key.
    pub host_key: &'a [u8],
    /// The client's half.
    pub client_public: &'a [u8],
}

/// Answers the client's half with ours.
pub fn agree(method: KexMethod, client_public: &[u8]) -> Result<Agreement, BadClientKey> {
    match method {
        KexMethod::Curve25519 | KexMethod::Curve25519LibSsh => {
            let (server_public, shared) = x25519(client_public)?;
            let mut secret = Vec::with_capacity(X25519_KEY + 5);
            secret.put_mpint(&shared);
            Ok(Agreement {
                server_public,
                secret,
            })
        }
        KexMethod::MlKem768X25519 => {
            if client_public.len() != MLKEM_KEY + X25519_KEY {
                return Err(BadClientKey);
            }
            let (lattice, curve) = client_public.split_at(MLKEM_KEY);
            let lattice =
                EncapsulationKey::<MlKem768>::new_from_slice(lattice).map_err(|_| BadClientKey)?;
            let (ciphertext, lattice_secret) = lattice.encapsulate();
            let (curve_public, curve_secret) = x25519(curve)?;
            let mut server_public = ciphertext.to_vec();
            server_public.extend_from_slice(&curve_public);
            let mut hash = Sha256::new();
            hash.update(lattice_secret);
            hash.update(&curve_secret);
            let mut secret = Vec::with_capacity(36);
            secret.put_string(&hash.finalize());
            Ok(Agreement {
                server_public,
                secret,
            })
        }
    }
}

/// One X25519 exchange: our public key and the shared secret.
fn x25519(client_public: &[u8]) -> Result<(Vec<u8>, Vec<u8>), BadClientKey> {
    let private =
        EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).map_err(|_| BadClientKey)?;
    let public = private.compute_public_key().map_err(|_| BadClientKey)?;
    let peer = UnparsedPublicKey::new(&X25519, client_public);
    // Refuses the all-zero outcome of low-order points, as RFC 8731 demands.
    let shared = agree_ephemeral(private, &peer, <[u8]>::to_vec).map_err(|_| BadClientKey)?;
    Ok((public.as_ref().to_vec(), shared))
}

impl Agreement {
    /// The exchange hash, which the host key signs.
    pub fn hash(&self, transcript: &Transcript<'_>) -> [u8; 32] {
        let mut input = Vec::with_capacity(4096);
        input.put_string(transcript.client_version);
        input.put_string(transcript.server_version);
        input.put_string(transcript.client_offer);
        input.put_string(transcript.server_offer);
        input.put_string(transcript.host_key);
        input.put_string(transcript.client_public);
        input.put_string(&self.server_public);
        input.put_raw(&self.secret);
        Sha256::digest(&input).into()
    }

    /// Key material for one purpose (RFC 4253 section 7.2).
    pub fn derive(
        &self,
        hash: &[u8; 32],
        letter: u8,
        session: &[u8; 32],
        length: usize,
    ) -> Vec<u8> {
        let mut out: Vec<u8> = Vec::with_capacity(64);
        while out.len() < length {
            let mut digest = Sha256::new();
            digest.update(&self.secret);
            digest.update(hash);
            if out.is_empty() {
                digest.update([letter]);
                digest.update(session);
            } else {
                digest.update(&out);
            }
            out.extend_from_slice(&digest.finalize());
        }
        out.truncate(length);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_client_keys_are_refused() {
        for method in [KexMethod::Curve25519, KexMethod::MlKem768X25519] {
            assert!(agree(method, &[]).is_err());
            assert!(agree(method, &[9; 31]).is_err());
        }
        assert!(
            agree(KexMethod::Curve25519, &[0; 32]).is_err(),
            "a low-order point"
        );
        assert!(
            agree(KexMethod::MlKem768X25519, &[0xff; 1216]).is_err(),
            "not reduced"
        );
    }

    #[test]
    fn long_keys_extend_short_ones() {
        let agreed = agree(KexMethod::Curve25519, &[9; 32]).unwrap();
        let short = agreed.derive(&[1; 32], b'C', &[2; 32], 16);
        let long = agreed.derive(&[1; 32], b'C', &[2; 32], 64);
        assert_eq!((short.len(), long.len()), (16, 64));
        assert_eq!(long[..16], short);
        assert_ne!(agreed.derive(&[1; 32], b'D', &[2; 32], 16), short);
    }
}
