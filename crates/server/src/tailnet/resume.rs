//! Resume tokens: a client that reconnects keeps its peer id.
//!
//! A JWT (HS512) with `kid`, `sub` (the peer id) and `exp`; the keys live in the database, so
//! that any server takes the tokens of any other.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use control::Control;
use hmac::{Hmac, Mac};
use rpc::proto::tailnet::RefreshResumeTokenResponse;
use serde::{Deserialize, Serialize};
use sha2::Sha512;
use uuid::Uuid;

/// How long a token is good.
const LIFETIME: TimeDelta = TimeDelta::hours(24);
/// When a client is to ask for the next.
const REFRESH_SECONDS: i64 = 12 * 3600;
/// Longest token that is looked at.
const MAX_TOKEN: usize = 4096;
/// What the keys are for.
const FEATURE: &str = "tailnet_resume";

/// Makes and checks tokens.
pub(crate) struct ResumeTokens {
    control: Control,
}

/// Why a token is not taken.
#[derive(Debug)]
pub(crate) enum ResumeError {
    /// It is not one of ours, or too old.
    Invalid(String),
    /// It could not be checked.
    Failed(control::Error),
}

impl From<control::Error> for ResumeError {
    fn from(error: control::Error) -> Self {
        Self::Failed(error)
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    kid: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    #[serde(default)]
    iat: i64,
}

impl ResumeTokens {
    pub(super) fn new(control: Control) -> Self {
        Self { control }
    }

    /// A token for a peer, with when to refresh it.
    pub(crate) async fn issue(
        &self,
        peer: Uuid,
        now: DateTime<Utc>,
    ) -> Result<RefreshResumeTokenResponse, control::Error> {
        let key = self.control.crypto_key_signing(FEATURE, now).await?;
        let expires = now + LIFETIME;
        let header = Header {
            alg: "HS512".to_owned(),
            kid: key.sequence.to_string(),
        };
        let claims = Claims {
            sub: peer.to_string(),
            exp: expires.timestamp(),
            iat: now.timestamp(),
        };
        Ok(RefreshResumeTokenResponse {
            token: sign(&header, &claims, key.secret.expose()),
            refresh_in: Some(prost_types::Duration {
                seconds: REFRESH_SECONDS,
                nanos: 0,
            }),
            expires_at: Some(prost_types::Timestamp {
                seconds: expires.timestamp(),
                nanos: 0,
            }),
        })
    }

    /// The peer that a token names; `None` if it says nothing of its key, which is no mistake.
    pub(crate) async fn open(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, ResumeError> {
        let invalid = |text: &str| ResumeError::Invalid(text.to_owned());
        if token.len() > MAX_TOKEN {
            return Err(invalid("the token is too long"));
        }
        let (signed, signature) = token
            .rsplit_once('.')
            .ok_or_else(|| invalid("the token is malformed"))?;
        let (header, claims) = signed
            .split_once('.')
            .ok_or_else(|| invalid("the token is malformed"))?;
        let header: Header = decode(header).ok_or_else(|| invalid("the token is malformed"))?;
        if header.alg != "HS512" {
            return Err(invalid("the token is signed by another algorithm"));
        }
        if header.kid.is_empty() {
            return Ok(None);
        }
        let sequence = header
            .kid
            .parse()
            .map_err(|_| invalid("the token names no key of ours"))?;
        let key = self
            .control
            .crypto_key_verifying(FEATURE, sequence, now)
            .await?
            .ok_or_else(|| invalid("the token's key is no longer valid"))?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| invalid("the token is malformed"))?;
        mac(key.secret.expose(), signed)
            .verify_slice(&signature)
            .map_err(|_| invalid("the token's signature is wrong"))?;
        let claims: Claims = decode(claims).ok_or_else(|| invalid("the token is malformed"))?;
        if claims.exp <= now.timestamp() {
            return Err(invalid("the token has expired"));
        }
        let peer = claims
            .sub
            .parse()
            .map_err(|_| invalid("the token names no peer"))?;
        Ok(Some(peer))
    }
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn encode(part: &impl Serialize) -> String {
    // A struct of plain fields always serialises.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).unwrap_or_default())
}

fn sign(header: &Header, claims: &Claims, secret: &[u8]) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(mac(secret, &signed).finalize().into_bytes());
    format!("{signed}.{signature}")
}

fn mac(secret: &[u8], text: &str) -> Hmac<Sha512> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha512>::new_from_slice(secret).expect("a key of any length");
    mac.update(text.as_bytes());
    mac
}
