//! Tokens: for a code, and for an older token (RFC 6749).

use std::time::Duration;

use ::http::header::ACCEPT;
use api_types::Secret;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{Client, json};
use crate::Error;
use crate::guard::Web;

/// What an authorization server gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Opens the server.
    pub access: Secret<String>,
    /// Gets the next one; empty if there is none.
    pub refresh: Secret<String>,
    /// How it is presented: `Bearer`.
    pub kind: String,
    /// How long it is good for; none if that was not said.
    pub lives: Option<Duration>,
}

/// What is given for tokens.
#[derive(Debug, Clone)]
pub enum Grant<'a> {
    /// A code that a person brought back to `callback`.
    Code {
        /// The code.
        code: &'a str,
        /// Where the person came back to.
        callback: &'a str,
        /// The proof of who asked; empty if none was promised.
        verifier: &'a str,
    },
    /// An older token.
    Refresh(&'a str),
}

/// Why there are no tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The server said no, by this code of the standard.
    #[error("the authorization server refused: {0}")]
    Refused(String),
    /// It said nothing that makes sense.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl TokenError {
    /// Whether only the person can help, by connecting anew: what was given is used up or was taken
    /// back. Faults of the configuration are not: they concern everyone.
    pub fn is_final(&self) -> bool {
        matches!(self, TokenError::Refused(code) if code == "invalid_grant" || code == "bad_refresh_token")
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    error: Option<String>,
}

/// Tokens for a code.
///
/// # Errors
/// [`TokenError`].
pub async fn exchange(
    web: &Web,
    endpoint: &Url,
    client: &Client,
    grant: Grant<'_>,
) -> Result<Tokens, TokenError> {
    let first = ask(web, endpoint, client, &grant, false).await;
    match first {
        // Some take the secret in the body only.
        Err(TokenError::Refused(code))
            if code == "invalid_client" && !client.secret.expose().is_empty() =>
        {
            ask(web, endpoint, client, &grant, true).await
        }
        other => other,
    }
}

/// New tokens for an older one, which stays if no other is given.
///
/// # Errors
/// [`TokenError`].
pub async fn refresh(
    web: &Web,
    endpoint: &Url,
    client: &Client,
    token: &Secret<String>,
) -> Result<Tokens, TokenError> {
    let grant = Grant::Refresh(token.expose());
    let mut tokens = exchange(web, endpoint, client, grant).await?;
    if tokens.refresh.expose().is_empty() {
        tokens.refresh = token.clone();
    }
    Ok(tokens)
}

async fn ask(
    web: &Web,
    endpoint: &Url,
    client: &Client,
    grant: &Grant<'_>,
    secret_in_body: bool,
) -> Result<Tokens, TokenError> {
    let mut form = match grant {
        Grant::Code {
            code,
            callback,
            verifier,
        } => {
            let mut form = vec![
                ("grant_type", "authorization_code"),
                ("code", *code),
                ("redirect_uri", *callback),
            ];
            if !verifier.is_empty() {
                form.push(("code_verifier", *verifier));
            }
            form
        }
        Grant::Refresh(token) => vec![("grant_type", "refresh_token"), ("refresh_token", *token)],
    };
    let secret = client.secret.expose();
    let mut request = web.post(endpoint)?.header(ACCEPT, "application/json");
    if secret.is_empty() || secret_in_body {
        form.push(("client_id", &client.id));
        if !secret.is_empty() {
            form.push(("client_secret", secret));
        }
    } else {
        request = request.basic_auth(encoded(&client.id), Some(encoded(secret)));
    }
    let answer = request.form(&form).send().await.map_err(Error::from)?;
    let status = answer.status();
    let answer: Result<Answer, Error> = json(answer).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(_) if !status.is_success() => return Err(TokenError::Refused(status.to_string())),
        Err(error) => return Err(error.into()),
    };
    if let Some(code) = answer.error {
        return Err(TokenError::Refused(code.chars().take(64).collect()));
    }
    let access = answer.access_token.filter(|token| !token.is_empty());
    let Some(access) = access.filter(|_| status.is_success()) else {
        return Err(TokenError::Refused(format!("{status}, without a token")));
    };
    let seconds = match &answer.expires_in {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    Ok(Tokens {
        access: access.into(),
        refresh: answer.refresh_token.unwrap_or_default().into(),
        kind: answer.token_type.unwrap_or_default(),
        lives: seconds
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs),
    })
}

/// As forms have it, which the standard asks for before the base64.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
