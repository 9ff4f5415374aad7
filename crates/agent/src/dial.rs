//! Connects to the control plane: one WebSocket that carries every call.

use client::Client;
use rpc::drpc::Channel;
use rpc::mux::{Config, Role, Session};
use rpc::version::{TAILNET, Version};
use rpc::{AgentClient, TailnetClient};

/// A connection to the control plane.
pub struct Dialed {
    /// Carries the calls.
    pub session: Session,
    /// The agent service.
    pub agent: AgentClient,
    /// The tailnet service.
    pub tailnet: TailnetClient,
}

/// Connects. `version` is what the server is known to take; it is lowered
/// where the server turns out to be older.
pub async fn dial(client: &Client, version: &mut Version) -> Result<Dialed, client::Error> {
    loop {
        let path = format!("/api/v2/workspaceagents/me/rpc?version={version}&role=agent");
        match client.websocket_bytes(&path).await {
            Ok(socket) => {
                let session = Session::new(socket, Role::Client, Config::default());
                let channel = Channel::over(session.clone());
                return Ok(Dialed {
                    session,
                    agent: AgentClient::new(channel.clone()),
                    tailnet: TailnetClient::new(channel),
                });
            }
            Err(error) => match older(&error, *version) {
                Some(older) => {
                    tracing::info!(%version, %older, "the server speaks an older version");
                    *version = older;
                }
                None => return Err(error),
            },
        }
    }
}

/// The version to try next, if the server refused this one for being too new.
fn older(error: &client::Error, version: Version) -> Option<Version> {
    let refusal = error
        .api()
        .filter(|e| e.status == http::StatusCode::BAD_REQUEST)?;
    let detail = &refusal
        .validations
        .iter()
        .find(|v| v.field == "version")?
        .detail;
    // "server is at version 2.10, behind requested minor version 2.11"
    let named = detail
        .strip_prefix("server is at version ")
        .and_then(|rest| rest.split(',').next()?.parse::<Version>().ok());
    let next = named.unwrap_or(Version {
        minor: version.minor.checked_sub(1)?,
        ..version
    });
    let usable = next < version && next.major == TAILNET.major;
    usable.then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(detail: &str) -> client::Error {
        client::Error::Api(Box::new(client::ApiError {
            status: http::StatusCode::BAD_REQUEST,
            method: "GET".into(),
            url: "/".into(),
            message: "Unknown or unsupported API version".into(),
            detail: String::new(),
            validations: vec![api_types::ValidationError {
                field: "version".into(),
                detail: detail.into(),
            }],
            suggestion: None,
        }))
    }

    #[test]
    fn an_older_server_names_its_version() {
        let error = refusal("server is at version 2.10, behind requested minor version 2.11");
        assert_eq!(
            older(&error, TAILNET),
            Some(Version {
                major: 2,
                minor: 10
            })
        );
    }

    #[test]
    fn a_server_that_names_none_is_asked_for_less() {
        let older = |minor| older(&refusal("no"), Version { major: 2, minor });
        assert_eq!(older(4), Some(Version { major: 2, minor: 3 }));
        assert_eq!(older(0), None);
    }

    #[test]
    fn other_majors_are_not_tried() {
        let error = refusal("server is at version 1.9, behind requested major version 2");
        assert_eq!(older(&error, TAILNET), None);
    }
}
