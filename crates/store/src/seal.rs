//! Secrets at rest: AES-256-GCM under keys of the deployment. A sealed text is the base64 of nonce and
//! ciphertext; beside it stands the digest of the key that sealed it.

use std::sync::Arc;

use api_types::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};

use crate::conn::Conn;
use crate::{Result, StoreError};

/// Hex digits of a key's digest that are kept.
const DIGEST_CHARS: usize = 7;
/// What every key seals once, to be recognized by.
const TEST: &str = "coder";

/// The keys that seal and open secrets. Cheap to clone.
#[derive(Clone, Default)]
pub struct Seal {
    keys: Arc<Vec<(String, LessSafeKey)>>,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.keys.iter().map(|(digest, _)| digest))
            .finish()
    }
}

impl Seal {
    /// Seals with the first of `keys` (32 bytes each) and opens with any. Without keys, secrets are
    /// stored as they are.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a key of another length.
    pub fn new(keys: &[Secret<Vec<u8>>]) -> Result<Self> {
        let keys = keys.iter().map(|key| {
            let unbound = UnboundKey::new(&AES_256_GCM, key.expose()).map_err(|_| {
                StoreError::Invalid("an encryption key must have 32 bytes".to_owned())
            })?;
            let mut hash = Sha256::new();
            hash.update(b"aes256gcm");
            hash.update(key.expose());
            let digest = hex::encode(hash.finalize())[..DIGEST_CHARS].to_owned();
            Ok((digest, LessSafeKey::new(unbound)))
        });
        Ok(Self {
            keys: Arc::new(keys.collect::<Result<_>>()?),
        })
    }

    /// The sealed text, and the digest of the key that seals; the text itself and none without keys.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if the system has no randomness.
    pub fn seal(&self, text: &str) -> Result<(String, Option<String>)> {
        let Some((digest, key)) = self.keys.first() else {
            return Ok((text.to_owned(), None));
        };
        let failed = |_| StoreError::Internal("a secret cannot be sealed".to_owned());
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(failed)?;
        let mut sealed = text.as_bytes().to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut sealed,
        )
        .map_err(failed)?;
        let mut whole = nonce.to_vec();
        whole.extend_from_slice(&sealed);
        Ok((STANDARD.encode(whole), Some(digest.clone())))
    }

    /// The text of what was sealed by the key of this digest.
    ///
    /// # Errors
    /// [`StoreError::Internal`], saying which key is missing, or that the text was tampered with.
    pub fn open(&self, sealed: &str, digest: Option<&str>) -> Result<Secret<String>> {
        let Some(digest) = digest else {
            return Ok(Secret::new(sealed.to_owned()));
        };
        let key = self.keys.iter().find(|(have, _)| have == digest);
        let (_, key) = key.ok_or_else(|| {
            StoreError::Internal(format!(
                "a secret was sealed by the encryption key {digest}, which this server does not \
                 have; give all servers the same --external-token-encryption-keys"
            ))
        })?;
        let broken = || StoreError::Internal("a sealed secret cannot be opened".to_owned());
        let mut bytes = STANDARD.decode(sealed).map_err(|_| broken())?;
        let (nonce, rest) = bytes.split_at_mut_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let text = key
            .open_in_place(nonce, Aad::empty(), rest)
            .map_err(|_| broken())?;
        String::from_utf8(text.to_vec())
            .map(Secret::new)
            .map_err(|_| broken())
    }
}

impl Conn {
    /// Makes the keys known to the database, before anything is sealed with them.
    ///
    /// # Errors
    /// [`StoreError::Internal`] when the database knows a key of the same digest that is another.
    pub async fn seal_register(&self, seal: &Seal) -> Result<()> {
        for (digest, _) in seal.keys.iter() {
            let alone = Seal {
                keys: Arc::new(
                    seal.keys
                        .iter()
                        .filter(|(have, _)| have == digest)
                        .cloned()
                        .collect(),
                ),
            };
            let (test, _) = alone.seal(TEST)?;
            let sql = "INSERT INTO dbcrypt_keys (active_key_digest, test) VALUES ($1, $2) \
                       ON CONFLICT (active_key_digest) DO UPDATE SET test = dbcrypt_keys.test \
                       RETURNING test";
            let stored: String = self.query_one(sql, &[digest, &test]).await?.try_get(0)?;
            alone.open(&stored, Some(digest))?;
        }
        Ok(())
    }
}

/// A secret as it may be shown: up to four characters of each end.
pub fn masked(secret: &str) -> String {
    let chars: Vec<char> = secret.chars().collect();
    let shown = match chars.len() {
        0 => return String::new(),
        1..=4 => 0,
        5..=9 => 1,
        10..=19 => 2,
        _ => 4,
    };
    let head: String = chars[..shown].iter().collect();
    let tail: String = chars[chars.len() - shown..].iter().collect();
    format!("{head}...{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(bytes: &[u8]) -> Seal {
        let keys: Vec<_> = bytes.iter().map(|b| Secret::new(vec![*b; 32])).collect();
        Seal::new(&keys).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_any_of_the_keys_only() {
        let (sealed, digest) = seal(&[1]).seal("hunter2").unwrap();
        assert!(!sealed.contains("hunter2"));
        let opened = seal(&[2, 1]).open(&sealed, digest.as_deref()).unwrap();
        assert_eq!(opened.expose(), "hunter2");
        let error = seal(&[2]).open(&sealed, digest.as_deref()).unwrap_err();
        assert!(error.to_string().contains("does not have"), "{error}");
        let mut bytes = STANDARD.decode(&sealed).unwrap();
        bytes[NONCE_LEN] ^= 1;
        assert!(
            seal(&[1])
                .open(&STANDARD.encode(bytes), digest.as_deref())
                .is_err()
        );
        assert!(seal(&[1]).open("AA==", digest.as_deref()).is_err());
    }

    #[test]
    fn without_keys_nothing_is_sealed() {
        let none = Seal::default();
        let (text, digest) = none.seal("plain").unwrap();
        assert_eq!((text.as_str(), digest), ("plain", None));
        assert_eq!(none.open("plain", None).unwrap().expose(), "plain");
        assert!(Seal::new(&[Secret::new(vec![0; 16])]).is_err());
    }

    #[test]
    fn masks_show_little() {
        assert_eq!(masked(""), "");
        assert_eq!(masked("abc"), "...");
        assert_eq!(masked("abcdef"), "a...f");
        assert_eq!(masked("sk-0123456789abcdefghij"), "sk-0...ghij");
    }
}
