//! Signed tokens (JWT, HS512) with a key's number as `kid`. The keys live in the database, so that
//! any server takes the tokens of any other; they are remembered for a while.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use control::{Control, CryptoKey};
use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha512;

/// Longest token that is looked at.
const MAX_TOKEN: usize = 4096;
/// How long keys are remembered: a new key signs, and an old one ends, at most so late.
const REMEMBER: TimeDelta = TimeDelta::minutes(1);

/// Why a token is not taken.
#[derive(Debug)]
pub(crate) enum JwtError {
    /// It is not one of ours, or too old.
    Invalid(&'static str),
    /// It says nothing of its key.
    Keyless,
    /// It could not be checked.
    Failed(control::Error),
}

/// The keys of one feature.
pub(crate) struct Keys {
    control: Control,
    feature: &'static str,
    known: Mutex<Option<Known>>,
}

struct Known {
    at: DateTime<Utc>,
    /// Newest first.
    keys: Vec<Arc<CryptoKey>>,
}

impl Keys {
    /// Keys that are for `feature`.
    pub(crate) fn new(control: Control, feature: &'static str) -> Self {
        Self {
            control,
            feature,
            known: Mutex::new(None),
        }
    }

    /// The key that signs now.
    pub(crate) async fn signing(&self, now: DateTime<Utc>) -> control::Result<Arc<CryptoKey>> {
        let known = self.remembered(now).and_then(|keys| keys.first().cloned());
        if let Some(key) = known {
            return Ok(key);
        }
        // Makes one if there is none, or the last is old.
        let key = self.control.crypto_key_signing(self.feature, now).await?;
        self.load(now).await?;
        Ok(Arc::new(key))
    }

    /// The key of this number, if what it made is still accepted.
    pub(crate) async fn verifying(
        &self,
        sequence: i32,
        now: DateTime<Utc>,
    ) -> control::Result<Option<Arc<CryptoKey>>> {
        let find = |keys: Vec<Arc<CryptoKey>>| keys.into_iter().find(|k| k.sequence == sequence);
        if let Some(keys) = self.remembered(now) {
            let newest = keys.first().map_or(0, |key| key.sequence);
            // Another server may have made a new key since; one that is far off is forged.
            if sequence != newest + 1 {
                return Ok(find(keys));
            }
        }
        Ok(find(self.load(now).await?))
    }

    fn remembered(&self, now: DateTime<Utc>) -> Option<Vec<Arc<CryptoKey>>> {
        let known = self.known.lock();
        let known = known.as_ref().filter(|known| now - known.at < REMEMBER)?;
        Some(known.keys.clone())
    }

    async fn load(&self, now: DateTime<Utc>) -> control::Result<Vec<Arc<CryptoKey>>> {
        let keys = self.control.crypto_key_list(self.feature, now).await?;
        let keys: Vec<_> = keys.into_iter().map(Arc::new).collect();
        *self.known.lock() = Some(Known {
            at: now,
            keys: keys.clone(),
        });
        Ok(keys)
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    kid: String,
}

/// What every token says beside its own claims.
#[derive(Deserialize)]
struct Times {
    exp: i64,
}

/// Makes a token. `claims` must hold `exp`.
pub(crate) async fn sign(
    keys: &Keys,
    claims: &impl Serialize,
    now: DateTime<Utc>,
) -> control::Result<String> {
    let key = keys.signing(now).await?;
    let header = Header {
        alg: "HS512".to_owned(),
        kid: key.sequence.to_string(),
    };
    let signed = format!("{}.{}", encode(&header), encode(claims));
    let signature = mac(key.secret.expose(), &signed).finalize().into_bytes();
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The claims of a token that is good at `now`.
pub(crate) async fn open<T: DeserializeOwned>(
    keys: &Keys,
    token: &str,
    now: DateTime<Utc>,
) -> Result<T, JwtError> {
    const MALFORMED: JwtError = JwtError::Invalid("the token is malformed");
    if token.len() > MAX_TOKEN {
        return Err(JwtError::Invalid("the token is too long"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(MALFORMED)?;
    let (header, claims) = signed.split_once('.').ok_or(MALFORMED)?;
    let header: Header = decode(header).ok_or(MALFORMED)?;
    if header.alg != "HS512" {
        return Err(JwtError::Invalid(
            "the token is signed by another algorithm",
        ));
    }
    if header.kid.is_empty() {
        return Err(JwtError::Keyless);
    }
    let sequence = header
        .kid
        .parse()
        .map_err(|_| JwtError::Invalid("the token names no key of ours"))?;
    let key = keys
        .verifying(sequence, now)
        .await
        .map_err(JwtError::Failed)?
        .ok_or(JwtError::Invalid("the token's key is no longer valid"))?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| MALFORMED)?;
    mac(key.secret.expose(), signed)
        .verify_slice(&signature)
        .map_err(|_| JwtError::Invalid("the token's signature is wrong"))?;
    let times: Times = decode(claims).ok_or(MALFORMED)?;
    if times.exp <= now.timestamp() {
        return Err(JwtError::Invalid("the token has expired"));
    }
    decode(claims).ok_or(MALFORMED)
}

/// A part of a token.
pub(crate) fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The text of a part.
pub(crate) fn encode(part: &impl Serialize) -> String {
    // A struct of plain fields always serialises.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).unwrap_or_default())
}

fn mac(secret: &[u8], text: &str) -> Hmac<Sha512> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha512>::new_from_slice(secret).expect("a key of any length");
    mac.update(text.as_bytes());
    mac
}
