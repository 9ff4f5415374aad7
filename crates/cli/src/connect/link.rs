//! The tunnel to one agent.

use std::collections::BTreeMap;
use std::net::SocketAddrV6;
use std::time::Duration;

use anyhow::{Context, Result};
use client::{AgentConnection, Client};
use http::StatusCode;
use rpc::TailnetClient;
use rpc::drpc::Channel;
use rpc::mux;
use tokio_util::sync::{CancellationToken, DropGuard};
use tunnel::coordinate::{self, DialError, DialFuture, ResumeToken};
use tunnel::{Conn, DerpMap, TcpStream, address};
use uuid::Uuid;

use crate::failure::Advice;
use crate::session::Session;

/// Where an agent's SSH server listens inside the tunnel.
pub const SSH_PORT: u16 = 1;
/// Version of the coordination protocol that a client of one tunnel needs.
const COORDINATE_VERSION: &str = "2.0";
/// Silence for so long is worth a word to the person who waits.
const SLOW: Duration = Duration::from_secs(10);
/// An agent that is connected answers within seconds; after this it will not.
const GIVE_UP: Duration = Duration::from_secs(90);

/// One end of a tunnel whose other end is an agent. The tunnel ends when this
/// is dropped.
pub struct Link {
    conn: Conn,
    facts: Facts,
    agent: Uuid,
    coordination: tokio::task::JoinHandle<Result<(), String>>,
    _stop: DropGuard,
}

/// A tunnel end that has begun to connect to its relay; the agent may not be
/// known yet.
pub struct Prepared {
    conn: Conn,
    facts: Facts,
}

/// What the tunnel was made with.
pub struct Facts {
    /// Names of relays by the numbers of their regions.
    pub relays: BTreeMap<u16, String>,
    /// The deployment allows relays only.
    pub blocked_by_deployment: bool,
    /// The person wants relays only.
    pub blocked_by_flag: bool,
}

/// Settings of a tunnel end, with what the deployment says about relays.
pub fn config(
    client: &Client,
    relays_only: bool,
    connection: AgentConnection,
) -> Result<tunnel::Config> {
    let mut config = tunnel::Config::client(client.url().clone());
    config.headers = client.extra_headers().clone();
    config.tls = Some(client.tls_config().clone());
    config.derp_map = derp_map(connection.derp_map)?;
    config.derp_force_websockets = connection.derp_force_websockets;
    config.block_endpoints = connection.disable_direct_connections || relays_only;
    Ok(config)
}

/// Begins a tunnel with what the deployment says about relays; by relays only, if that is wanted.
pub fn prepare(
    client: &Client,
    relays_only: bool,
    connection: AgentConnection,
) -> Result<Prepared> {
    let blocked_by_deployment = connection.disable_direct_connections;
    let config = config(client, relays_only, connection)?;
    let relays = config
        .derp_map
        .regions
        .iter()
        .map(|(id, region)| (*id, region.region_name.clone()))
        .collect();
    Ok(Prepared {
        conn: Conn::new(config),
        facts: Facts {
            relays,
            blocked_by_deployment,
            blocked_by_flag: relays_only,
        },
    })
}

fn derp_map(json: serde_json::Value) -> Result<DerpMap> {
    serde_json::from_value(json).context("the server's list of relays cannot be read")
}

impl Prepared {
    /// Asks the coordinator for `agent`.
    pub fn connect(self, client: &Client, agent: Uuid) -> Link {
        let stop = CancellationToken::new();
        self.conn.add_destination(agent);
        let (conn, client, stopped) = (self.conn.clone(), client.clone(), stop.clone());
        let coordination = tokio::spawn(async move {
            let dial = |token| dial(&client, agent, token);
            coordinate::keep_running(&conn, dial, &stopped)
                .await
                .map_err(|e| e.to_string())
        });
        Link {
            conn: self.conn,
            facts: self.facts,
            agent,
            coordination,
            _stop: stop.drop_guard(),
        }
    }
}

fn dial(client: &Client, agent: Uuid, token: Option<ResumeToken>) -> DialFuture<'_> {
    Box::pin(async move {
        let token = token.as_ref().map(ResumeToken::expose);
        match client
            .agent_coordinate(agent, COORDINATE_VERSION, token)
            .await
        {
            Ok(io) => {
                let session = mux::Session::new(io, mux::Role::Client, mux::Config::default());
                Ok(TailnetClient::new(Channel::over(session)))
            }
            Err(e) if e.status() == Some(StatusCode::UNAUTHORIZED) && token.is_some() => {
                Err(DialError::TokenRefused)
            }
            Err(e) if e.is_transient() => Err(DialError::Temporary(Box::new(e))),
            Err(e) => Err(DialError::Permanent(Box::new(e))),
        }
    })
}

impl Link {
    /// The tunnel end.
    pub fn conn(&self) -> &Conn {
        &self.conn
    }

    /// The agent at the other end.
    pub fn agent(&self) -> Uuid {
        self.agent
    }

    /// Names of relays by the numbers of their regions.
    pub fn relays(&self) -> &BTreeMap<u16, String> {
        &self.facts.relays
    }

    /// What the tunnel was made with.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Opens a TCP connection to a port of the agent.
    pub async fn dial(&mut self, session: &Session, port: u16) -> Result<TcpStream> {
        let [to, _] = address::agent(self.agent);
        let dialed = self.conn.dial_tcp(SocketAddrV6::new(to, port, 0, 0));
        tokio::pin!(dialed);
        let slow = tokio::time::sleep(SLOW);
        tokio::pin!(slow);
        let deadline = tokio::time::sleep(GIVE_UP);
        tokio::pin!(deadline);
        let mut told = false;
        loop {
            tokio::select! {
                stream = &mut dialed => return stream.context("connect to the workspace"),
                refused = &mut self.coordination => {
                    return match refused {
                        Ok(Err(reason)) => Err(anyhow::anyhow!("{reason}").context("the server refuses a tunnel to the workspace")),
                        _ => Err(anyhow::anyhow!("the coordination of the tunnel has ended")),
                    };
                }
                () = &mut slow, if !told => {
                    told = true;
                    session.note("Still waiting for the workspace to answer...");
                }
                () = &mut deadline => {
                    return Err(Advice::error(
                        format!("the workspace did not answer within {} seconds", GIVE_UP.as_secs()),
                        "Its agent is connected to the server but not reachable from here; 'coder ping' may tell more.",
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relay_maps_of_the_original_are_understood() {
        let json = serde_json::json!({"Regions": {"999": {"EmbeddedRelay": true, "RegionID": 999, "RegionCode": "coder",
            "RegionName": "Coder Embedded Relay", "Nodes": [{"Name": "999b", "RegionID": 999, "HostName": "127.0.0.1",
            "STUNPort": -1, "DERPPort": 3000, "ForceHTTP": true}]}}});
        assert_eq!(derp_map(json).unwrap().regions.len(), 1);
        assert!(derp_map(serde_json::json!("no map")).is_err());
    }
}
