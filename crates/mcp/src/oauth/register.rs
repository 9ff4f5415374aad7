//! Becoming known to an authorization server without a person's doing (RFC 7591).

use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{Client, json};
use crate::Error;
use crate::guard::Web;
use crate::http::bounded;
use crate::protocol::shortened;

/// Bytes of a refusal that are read.
const MAX_REFUSAL: usize = 512;

#[derive(Deserialize)]
struct Registered {
    client_id: String,
    #[serde(default)]
    client_secret: Option<String>,
}

/// Registers a program called `name` whose people come back to `callback`.
///
/// # Errors
/// What the server answered.
pub async fn register(
    web: &Web,
    endpoint: &Url,
    name: &str,
    callback: &str,
) -> Result<Client, Error> {
    let metadata = json!({
        "client_name": name,
        "redirect_uris": [callback],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    });
    let answer = web.post(endpoint)?.json(&metadata).send().await?;
    let status = answer.status();
    if !status.is_success() {
        let text = bounded(answer, MAX_REFUSAL).await;
        let text = String::from_utf8_lossy(&text).into_owned();
        return Err(Error::Refused(format!(
            "registration was answered with {status}: {}",
            shortened(&text)
        )));
    }
    let registered: Registered = json(answer).await?;
    if registered.client_id.is_empty() {
        return Err(Error::Protocol("registration gave no client id".into()));
    }
    Ok(Client {
        id: registered.client_id,
        secret: registered.client_secret.unwrap_or_default().into(),
    })
}
