//! Agents of cloud instances have no token of their own: the cloud's metadata
//! service says which instance this is, and the control plane gives a token for
//! what it said.

use std::time::Duration;

use api_types::Secret;
use client::Client;
use http::Method;
use serde::{Deserialize, Serialize};

/// How long the metadata service may take. It is on the same machine.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer of the metadata service.
const MAX_ANSWER: usize = 64 * 1024;
/// The address that Amazon and Microsoft serve in every instance.
const LINK_LOCAL: &str = "http://169.254.169.254";
/// The same of Google.
const GOOGLE: &str = "http://metadata.google.internal";

/// Whose cloud it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon EC2.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Compute Engine.
    Google,
}

/// How an agent of an instance proves who it is.
#[derive(Debug, Clone)]
pub struct Identity {
    cloud: Cloud,
    agent_name: String,
    metadata: String,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The metadata service did not answer.
    #[error(
        "the metadata service of the cloud did not answer: {0}; is this machine an instance there?"
    )]
    Metadata(String),
    /// The control plane refused.
    #[error(transparent)]
    Refused(#[from] client::Error),
}

#[derive(Serialize)]
struct Aws<'a> {
    signature: String,
    document: String,
    agent_name: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Azure {
    signature: String,
    encoding: String,
    #[serde(default)]
    agent_name: String,
}

#[derive(Serialize)]
struct Google<'a> {
    json_web_token: String,
    agent_name: &'a str,
}

#[derive(Deserialize)]
struct Granted {
    session_token: Secret<String>,
}

fn no_answer(error: impl std::fmt::Display) -> IdentityError {
    IdentityError::Metadata(error.to_string())
}

impl Identity {
    /// The identity of this instance; the name chooses among several agents of it.
    pub fn new(cloud: Cloud, agent_name: impl Into<String>) -> Self {
        let metadata = match cloud {
            Cloud::Aws | Cloud::Azure => LINK_LOCAL.to_owned(),
            // The variable is known to all programs of Google.
            Cloud::Google => match std::env::var("GCE_METADATA_HOST") {
                Ok(host) if !host.is_empty() => format!("http://{host}"),
                _ => GOOGLE.to_owned(),
            },
        };
        Self {
            cloud,
            agent_name: agent_name.into(),
            metadata,
        }
    }

    /// Asks who this is, and trades the answer for a token.
    pub async fn exchange(&self, client: &Client) -> Result<Secret<String>, IdentityError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(rustls::ClientConfig::clone(client.tls_config()))
            .timeout(TIMEOUT)
            // It is never reached through a proxy, and never leads elsewhere.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(no_answer)?;
        let name = self.agent_name.as_str();
        let (path, call) = match self.cloud {
            Cloud::Aws => {
                let url = format!("{}/latest/api/token", self.metadata);
                let ttl = ("X-aws-ec2-metadata-token-ttl-seconds", "21600");
                let token = text(http.put(url).header(ttl.0, ttl.1)).await?;
                let get = |what: &str| {
                    let url = format!("{}/latest/dynamic/instance-identity/{what}", self.metadata);
                    text(http.get(url).header("X-aws-ec2-metadata-token", &token))
                };
                let body = Aws {
                    signature: get("signature").await?,
                    document: get("document").await?,
                    agent_name: name,
                };
                ("aws", serde_json::to_value(body))
            }
            Cloud::Azure => {
                let url = format!(
                    "{}/metadata/attested/document?api-version=2020-09-01",
                    self.metadata
                );
                let said = text(http.get(url).header("Metadata", "true")).await?;
                let mut body: Azure = serde_json::from_str(&said).map_err(no_answer)?;
                name.clone_into(&mut body.agent_name);
                ("azure", serde_json::to_value(body))
            }
            Cloud::Google => {
                let url = format!(
                    "{}/computeMetadata/v1/instance/service-accounts/default/identity\
                     ?audience=coder&format=full",
                    self.metadata
                );
                let body = Google {
                    json_web_token: text(http.get(url).header("Metadata-Flavor", "Google")).await?,
                    agent_name: name,
                };
                ("google", serde_json::to_value(body))
            }
        };
        let path = format!("/api/v2/workspaceagents/{path}-instance-identity");
        // A token from before would be sent along, and may have expired.
        let client = client.with_token(String::new().into());
        let granted: Granted = client
            .call(Method::POST, &path)
            .json(&call.map_err(no_answer)?)
            .decode()
            .await?;
        Ok(granted.session_token)
    }
}

async fn text(request: reqwest::RequestBuilder) -> Result<String, IdentityError> {
    let answer = request.send().await.map_err(no_answer)?;
    let mut answer = answer.error_for_status().map_err(no_answer)?;
    let mut text = Vec::new();
    while let Some(bytes) = answer.chunk().await.map_err(no_answer)? {
        text.extend_from_slice(&bytes);
        if text.len() > MAX_ANSWER {
            return Err(no_answer("its answer is too long"));
        }
    }
    String::from_utf8(text).map_err(no_answer)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::{Json, OriginalUri};
    use axum::http::HeaderMap;
    use axum::routing::{any, post};
    use serde_json::{Value, json};

    use super::*;

    /// A metadata service and a control plane in one, which echoes what it was told.
    async fn cloud() -> String {
        let metadata = |headers: HeaderMap, OriginalUri(uri): OriginalUri| async move {
            let sent = |name: &str| {
                headers
                    .get(name)
                    .and_then(|v| v.to_str().ok())
                    .unwrap_or("")
            };
            match uri.path() {
                "/latest/api/token" => "aws-token".to_owned(),
                "/metadata/attested/document" if sent("metadata") == "true" => {
                    json!({"signature": "sig", "encoding": "pkcs7"}).to_string()
                }
                path if sent("x-aws-ec2-metadata-token") == "aws-token" => path.to_owned(),
                path if sent("metadata-flavor") == "Google" => path.to_owned(),
                _ => "wrong".to_owned(),
            }
        };
        let grant = |Json(body): Json<Value>| async move {
            Json(json!({ "session_token": body.to_string() }))
        };
        let router = Router::new()
            .route("/api/v2/workspaceagents/{kind}", post(grant))
            .fallback(any(metadata));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    async fn token(cloud: Cloud, address: &str) -> Value {
        let client = Client::new(address.parse().unwrap(), "old".to_owned().into()).unwrap();
        let identity = Identity {
            metadata: address.to_owned(),
            ..Identity::new(cloud, "main")
        };
        let token = identity.exchange(&client).await.unwrap();
        serde_json::from_str(token.expose()).unwrap()
    }

    #[tokio::test]
    async fn instances_get_a_token() {
        let address = cloud().await;
        let aws = token(Cloud::Aws, &address).await;
        assert_eq!(
            aws["document"],
            "/latest/dynamic/instance-identity/document"
        );
        assert_eq!(
            aws["signature"],
            "/latest/dynamic/instance-identity/signature"
        );
        assert_eq!(aws["agent_name"], "main");
        let azure = token(Cloud::Azure, &address).await;
        assert_eq!(
            (&azure["signature"], &azure["encoding"]),
            (&json!("sig"), &json!("pkcs7"))
        );
        let google = token(Cloud::Google, &address).await;
        assert!(
            google["json_web_token"]
                .as_str()
                .unwrap()
                .ends_with("/default/identity")
        );
    }

    #[tokio::test]
    async fn elsewhere_there_is_none() {
        let client = Client::new("http://127.0.0.1:1".parse().unwrap(), String::new().into());
        let identity = Identity {
            metadata: "http://127.0.0.1:1".into(),
            ..Identity::new(Cloud::Aws, "")
        };
        let error = identity.exchange(&client.unwrap()).await.unwrap_err();
        assert!(
            error.to_string().contains("is this machine an instance"),
            "{error}"
        );
    }
}
