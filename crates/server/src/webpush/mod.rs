//! Messages to browsers through the push services of their makers (RFC 8030): sealed for the browser
//! ([`seal`], RFC 8291), signed by this deployment ([`vapid`], RFC 8292).

mod seal;
mod vapid;

use std::sync::Arc;
use std::time::Duration;

use api_types::{WebpushMessage, WebpushSubscription};
use control::{Control, Push, PushError};
use futures::future::BoxFuture;
use http::header;
use mcp::Guard;
use reqwest::redirect::Policy;
use url::Url;

use vapid::Vapid;

/// How long a push service may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a push service keeps a message for a browser that is off, in seconds: news of the day.
const KEPT: &str = "86400";
/// Longest explanation of a push service that is passed on, in characters.
const MAX_REASON: usize = 300;
/// Bytes of an explanation that are read. Members name the services, which may say any amount.
const MAX_ANSWER: usize = 4 << 10;

/// Sends messages.
pub(crate) struct WebPush {
    client: reqwest::Client,
    guard: Guard,
    vapid: Vapid,
}

impl WebPush {
    /// With the deployment's keys. `guard` says which addresses may be reached.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    fn new(vapid: Vapid, guard: Guard, tls: rustls::ClientConfig) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            // A message goes where the browser said, or nowhere.
            .redirect(Policy::none())
            .dns_resolver(Arc::new(guard.clone()))
            .timeout(TIMEOUT)
            .build()?;
        Ok(WebPush {
            client,
            guard,
            vapid,
        })
    }

    async fn deliver(
        &self,
        to: &WebpushSubscription,
        message: &WebpushMessage,
    ) -> Result<(), PushError> {
        let failed = |message: String| PushError {
            message,
            gone: false,
        };
        let url = Url::parse(&to.endpoint).map_err(|error| failed(error.to_string()))?;
        self.guard
            .check(&url)
            .map_err(|blocked| failed(blocked.to_string()))?;
        let text = serde_json::to_vec(message).map_err(|error| failed(error.to_string()))?;
        // Keys that are none will never be any.
        let body =
            seal::seal(&to.p256dh_key, &to.auth_key, &text).map_err(|message| PushError {
                message,
                gone: true,
            })?;
        let token = self.vapid.authorization(&url).map_err(failed)?;
        let answer = self
            .client
            .post(url)
            .header(header::AUTHORIZATION, token)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_ENCODING, "aes128gcm")
            .header("ttl", KEPT)
            .body(body)
            .send()
            .await
            .map_err(|error| failed(error.without_url().to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let said = reason(answer).await;
        Err(PushError {
            message: format!("the push service answered {}: {said}", status.as_u16()),
            // Unknown there, or keys that were renewed: the browser asks again when it wants to.
            gone: matches!(status.as_u16(), 400 | 403 | 404 | 410),
        })
    }
}

/// What a push service says to a message that it does not take: its beginning.
async fn reason(mut answer: reqwest::Response) -> String {
    let mut said = Vec::new();
    // One that breaks off has said what it has said.
    while let Ok(Some(part)) = answer.chunk().await {
        let room = MAX_ANSWER - said.len();
        said.extend_from_slice(part.get(..room).unwrap_or(&part));
        if said.len() == MAX_ANSWER {
            break;
        }
    }
    let said = String::from_utf8_lossy(&said);
    said.chars().take(MAX_REASON).collect()
}

impl Push for WebPush {
    fn public_key(&self) -> &str {
        self.vapid.public_key()
    }

    fn send<'a>(
        &'a self,
        to: &'a WebpushSubscription,
        message: &'a WebpushMessage,
    ) -> BoxFuture<'a, Result<(), PushError>> {
        Box::pin(self.deliver(to, message))
    }
}

/// Begins to tell browsers, where that can be.
pub(crate) async fn start(
    control: &Control,
    tls: rustls::ClientConfig,
) -> Result<(), control::Error> {
    let vapid = Vapid::load(control).await?;
    match WebPush::new(vapid, Guard::default(), tls) {
        Ok(push) => control.push_set(Arc::new(push)),
        Err(error) => tracing::error!(%error, "browsers are not told by push"),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
