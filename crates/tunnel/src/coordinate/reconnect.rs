//! Keeps a tunnel end coordinated over connections that come and go.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use rpc::TailnetClient;
use rpc::proto::tailnet::RefreshResumeTokenRequest;
use tokio_util::sync::CancellationToken;

use super::{Role, run};
use crate::Conn;

/// First wait before connecting again; doubled up to [`MAX_BACKOFF`].
const MIN_BACKOFF: Duration = Duration::from_millis(50);
/// Longest wait.
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// A connection that held so long was good: the next wait is the shortest.
const GOOD_CONNECTION: Duration = Duration::from_secs(30);
/// The first token is asked for only after so long: short commands never need one.
const FIRST_REFRESH: Duration = Duration::from_secs(2);
/// Next refresh when the server does not say when, or the refresh failed.
const REFRESH_RETRY: Duration = Duration::from_mins(30);

/// Proves to the coordinator that a reconnecting client is the same peer. Does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct ResumeToken(String);

impl ResumeToken {
    /// The text, for the query parameter `resume_token`.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeToken")
    }
}

/// Why a connection to the control plane could not be made.
#[derive(Debug)]
pub enum DialError {
    /// Trying again gives the same. Ends [`keep_running`] if it is the first attempt.
    Permanent(Box<dyn StdError + Send + Sync>),
    /// The resume token was refused: tried again at once without it.
    TokenRefused,
    /// Worth another attempt.
    Temporary(Box<dyn StdError + Send + Sync>),
}

/// The connection being made.
pub type DialFuture<'a> =
    Pin<Box<dyn Future<Output = Result<TailnetClient, DialError>> + Send + 'a>>;

/// Serves `conn` as a client until `stop`, connecting by `dial` and again after each failure.
///
/// # Errors
///
/// Only if the first attempt fails permanently.
pub async fn keep_running<'a>(
    conn: &Conn,
    dial: impl Fn(Option<ResumeToken>) -> DialFuture<'a>,
    stop: &CancellationToken,
) -> Result<(), Box<dyn StdError + Send + Sync>> {
    let mut token: Option<ResumeToken> = None;
    let mut backoff = MIN_BACKOFF;
    let mut first = true;
    while !stop.is_cancelled() {
        let dialled = tokio::select! {
            dialled = dial(token.clone()) => dialled,
            () = stop.cancelled() => return Ok(()),
        };
        match dialled {
            Ok(client) => {
                first = false;
                let begun = Instant::now();
                let result = tokio::select! {
                    result = run(conn, &client, Role::Client, stop) => result,
                    () = refresh_token(&client, &mut token) => continue,
                };
                match result {
                    Ok(()) => return Ok(()),
                    Err(error) => tracing::debug!(%error, "coordination ended, connecting again"),
                }
                if begun.elapsed() >= GOOD_CONNECTION {
                    backoff = MIN_BACKOFF;
                }
            }
            Err(DialError::TokenRefused) if token.is_some() => {
                token = None;
                continue;
            }
            Err(DialError::Permanent(error)) if first => return Err(error),
            Err(DialError::Permanent(error) | DialError::Temporary(error)) => {
                tracing::debug!(%error, "cannot reach the coordinator, trying again");
            }
            Err(DialError::TokenRefused) => {
                tracing::debug!("the coordinator refused a resume token that was not sent");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff + backoff.mul_f64(rand::random_range(0.0..0.5))) => {}
            () = stop.cancelled() => {}
        }
        backoff = (backoff * 2).min(MAX_BACKOFF);
    }
    Ok(())
}

/// Keeps `token` fresh. Never ends: without such tokens it just waits.
async fn refresh_token(client: &TailnetClient, token: &mut Option<ResumeToken>) {
    tokio::time::sleep(FIRST_REFRESH).await;
    loop {
        let wait = match client
            .refresh_resume_token(&RefreshResumeTokenRequest {})
            .await
        {
            Ok(response) => {
                let wait = response
                    .refresh_in
                    .as_ref()
                    .and_then(|wait| Duration::try_from(*wait).ok());
                *token = Some(ResumeToken(response.token.clone()));
                wait.filter(|wait| !wait.is_zero()).unwrap_or(REFRESH_RETRY)
            }
            Err(error) if error.is_unimplemented() => std::future::pending().await,
            // A broken connection ends the coordination too; anything else may pass.
            Err(_) => REFRESH_RETRY,
        };
        tokio::time::sleep(wait).await;
    }
}
