//! How people give us access to a server: finding out who is asked (RFC 9728, RFC 8414), becoming
//! known to it (RFC 7591), and tokens (RFC 6749 with RFC 7636, RFC 7009).

mod discovery;
mod pkce;
mod register;
mod revoke;
mod token;

pub use discovery::{Found, discover};
pub use pkce::{challenge, random};
pub use register::register;
pub use revoke::{check_revocation, revoke};
pub use token::{Grant, TokenError, Tokens, exchange, refresh};

use serde::de::DeserializeOwned;

use crate::Error;
use crate::http::bounded;

/// Bytes of an answer about sign-in.
const MAX_ANSWER: usize = 1 << 20;

/// Who we are for an authorization server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// The id.
    pub id: String,
    /// The secret; empty if there is none.
    pub secret: api_types::Secret<String>,
}

async fn json<T: DeserializeOwned>(answer: reqwest::Response) -> Result<T, Error> {
    let text = bounded(answer, MAX_ANSWER).await;
    serde_json::from_slice(&text).map_err(|error| Error::Protocol(error.to_string()))
}
