//! Resume tokens: a client that reconnects keeps its peer id.
//!
//! A JWT (HS512) with `kid`, `sub` (the peer id) and `exp`; the keys live in the database, so
//! that any server takes the tokens of any other.

use chrono::{DateTime, TimeDelta, Utc};
use control::Control;
use rpc::proto::tailnet::RefreshResumeTokenResponse;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::jwt::{self, JwtError, Keys};

/// How long a token is good.
const LIFETIME: TimeDelta = TimeDelta::hours(24);
/// When a client is to ask for the next.
const REFRESH_SECONDS: i64 = 12 * 3600;
/// What the keys are for.
const FEATURE: &str = "tailnet_resume";

/// Makes and checks tokens.
pub(crate) struct ResumeTokens {
    keys: Keys,
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
struct Claims {
    sub: String,
    exp: i64,
    #[serde(default)]
    iat: i64,
}

impl ResumeTokens {
    pub(super) fn new(control: Control) -> Self {
        Self {
            keys: Keys::new(control, FEATURE),
        }
    }

    /// A token for a peer, with when to refresh it.
    pub(crate) async fn issue(
        &self,
        peer: Uuid,
        now: DateTime<Utc>,
    ) -> Result<RefreshResumeTokenResponse, control::Error> {
        let expires = now + LIFETIME;
        let claims = Claims {
            sub: peer.to_string(),
            exp: expires.timestamp(),
            iat: now.timestamp(),
        };
        Ok(RefreshResumeTokenResponse {
            token: jwt::sign(&self.keys, &claims, now).await?,
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
        let claims: Claims = match jwt::open(&self.keys, token, now).await {
            Ok(claims) => claims,
            Err(JwtError::Keyless) => return Ok(None),
            Err(JwtError::Invalid(text)) => return Err(ResumeError::Invalid(text.to_owned())),
            Err(JwtError::Failed(error)) => return Err(error.into()),
        };
        let peer = claims
            .sub
            .parse()
            .map_err(|_| ResumeError::Invalid("the token names no peer".to_owned()))?;
        Ok(Some(peer))
    }
}
