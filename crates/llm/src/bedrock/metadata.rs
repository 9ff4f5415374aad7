//! The services by which containers and machines of AWS learn their own credentials. Sources: the ECS
//! developer guide, "Task IAM role"; the EC2 user guide, "Use the Instance Metadata Service".
//!
//! They are asked directly, never by a proxy, and are near: who does not answer at once is not there.

use std::time::Duration;

use api_types::Secret;
use chrono::{DateTime, Utc};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use url::Url;

use super::sts::AwsRoleKeys;
use crate::endpoint::AwsKeys;
use crate::wire::redact::redact;
use crate::{Error, ErrorKind};

/// A near service accepts connections in this time.
const CONNECT: Duration = Duration::from_secs(1);
/// And has answered within this; the agent of a container may first ask AWS.
const ANSWER: Duration = Duration::from_secs(5);
/// For how long a machine's session is asked: the longest that is allowed, in seconds.
const SESSION_SECONDS: &str = "21600";
/// Longest answer that is read.
const MAX_ANSWER: usize = 64 << 10;
/// Longest name of a role: AWS allows 64 characters.
const MAX_ROLE: usize = 128;

/// Credentials, as both services write them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    #[serde(default)]
    code: String,
    #[serde(default)]
    access_key_id: Secret<String>,
    #[serde(default)]
    secret_access_key: Secret<String>,
    #[serde(default)]
    token: Secret<String>,
    expiration: Option<DateTime<Utc>>,
}

/// What the agent of this container gives.
pub(super) async fn of_container(
    url: &Url,
    token: Option<&Secret<String>>,
) -> Result<AwsRoleKeys, Error> {
    let mut asked = client()?.get(url.clone());
    if let Some(token) = token {
        let mut shown = http::HeaderValue::from_str(token.expose()).map_err(|_| {
            failed(
                ErrorKind::Config,
                "the token for the agent of the container has characters that cannot be sent",
            )
        })?;
        shown.set_sensitive(true);
        asked = asked.header(http::header::AUTHORIZATION, shown);
    }
    let answer = asked.send().await.map_err(|error| away(&error))?;
    let (status, text) = read(answer).await?;
    if !status.is_success() {
        let secrets: Vec<_> = token.into_iter().cloned().collect();
        let text = redact(&text, &secrets);
        let kind = if status.is_client_error() {
            ErrorKind::Auth
        } else {
            ErrorKind::Overloaded
        };
        let why = format!("the agent of the container answered {status}: {text}");
        return Err(failed(kind, &why).status(status.as_u16()));
    }
    keys(&text)
}

/// What this machine gives; `None` where no machine answers, or it has no role.
pub(super) async fn of_machine(service: &Url) -> Result<Option<AwsRoleKeys>, Error> {
    let client = client()?;
    let below = |path: &str| {
        let joined = service.join(path);
        joined.map_err(|error| failed(ErrorKind::Config, &error.to_string()))
    };
    let session = client
        .put(below("latest/api/token")?)
        .header("x-aws-ec2-metadata-token-ttl-seconds", SESSION_SECONDS)
        .send()
        .await;
    let Ok(session) = session else {
        return Ok(None);
    };
    let (status, session) = read(session).await?;
    if !status.is_success() {
        // Another service at that address, or one that was switched off.
        return Ok(None);
    }
    let session = http::HeaderValue::from_str(session.trim())
        .map_err(|_| failed(ErrorKind::Timeout, "the machine gave no session"))?;
    let ask = |url: Url| {
        let asked = client.get(url);
        asked
            .header("x-aws-ec2-metadata-token", session.clone())
            .send()
    };
    let roles = "latest/meta-data/iam/security-credentials/";
    let named = ask(below(roles)?).await.map_err(|error| away(&error))?;
    let (status, named) = read(named).await?;
    let role = named.lines().next().unwrap_or_default().trim();
    if status == StatusCode::NOT_FOUND || role.is_empty() {
        return Ok(None);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if !status.is_success() || role.len() > MAX_ROLE || !role.chars().all(plain) {
        let why = format!("the machine did not name its role ({status})");
        return Err(failed(ErrorKind::Timeout, &why).status(status.as_u16()));
    }
    let given = ask(below(&format!("{roles}{role}"))?)
        .await
        .map_err(|error| away(&error))?;
    let (status, given) = read(given).await?;
    if !status.is_success() {
        let why = format!("the machine did not give the credentials of {role} ({status})");
        return Err(failed(ErrorKind::Timeout, &why).status(status.as_u16()));
    }
    keys(&given).map(Some)
}

fn keys(text: &str) -> Result<AwsRoleKeys, Error> {
    let unread = || failed(ErrorKind::Timeout, "credentials came in an unknown form");
    let written: Written = serde_json::from_str(text).map_err(|_| unread())?;
    if !matches!(written.code.as_str(), "" | "Success") {
        let why = format!("credentials were refused: {}", redact(&written.code, &[]));
        return Err(failed(ErrorKind::Auth, &why));
    }
    let there = |secret: Secret<String>| (!secret.expose().is_empty()).then_some(secret);
    Ok(AwsRoleKeys {
        keys: AwsKeys {
            access_key: there(written.access_key_id).ok_or_else(unread)?,
            secret_key: there(written.secret_access_key).ok_or_else(unread)?,
            session_token: there(written.token),
        },
        until: written.expiration.ok_or_else(unread)?,
    })
}

async fn read(mut answer: Response) -> Result<(StatusCode, String), Error> {
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| away(&error))? {
        body.extend_from_slice(&piece);
        if body.len() > MAX_ANSWER {
            return Err(failed(ErrorKind::Timeout, "an answer was too long"));
        }
    }
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

fn client() -> Result<Client, Error> {
    crate::wire::http::builder()?
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .build()
        .map_err(|error| failed(ErrorKind::Generic, &error.to_string()))
}

fn away(error: &reqwest::Error) -> Error {
    let mut why: &dyn std::error::Error = error;
    while let Some(inner) = why.source() {
        why = inner;
    }
    let mut problem = failed(ErrorKind::Timeout, &why.to_string());
    problem.retryable = true;
    problem
}

fn failed(kind: ErrorKind, why: &str) -> Error {
    Error::new(
        kind,
        "AWS did not give the server credentials for this provider. An administrator can check the \
         role of the machine or container in which it runs, or give the provider a key of its own.",
    )
    .detail(why)
    .provider("bedrock")
}
