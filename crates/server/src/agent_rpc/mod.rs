//! An agent's connection: the services on it, and the watch over it.

mod presence;
mod service;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::WebSocket;
use control::agents::AgentSession;
use rpc::drpc::Router;
use rpc::mux::{Config, Role, Session};
use rpc::{AgentServer, TailnetServer};

use crate::AppState;
use crate::tailnet::AgentTailnet;
use crate::ws::{ByteSocket, byte_socket, code};
pub use presence::LiveAgents;
use service::AgentApi;

/// An agent that does not answer a ping for this long is taken for dead.
const PING_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves an agent's socket until it ends. `watched`: it is the agent itself, whose connection
/// is shown to users, and not another program with its token.
pub(crate) async fn run(
    socket: WebSocket,
    state: AppState,
    agent: AgentSession,
    api_version: String,
    watched: bool,
) {
    let ByteSocket { io, close } = byte_socket(socket, false);
    let session = Session::new(
        io,
        Role::Server,
        Config {
            // The watch pings by itself.
            keepalive: (!watched).then_some(PING_TIMEOUT),
            ping_timeout: PING_TIMEOUT,
        },
    );
    let router = Router::new()
        .with(AgentServer(Arc::new(AgentApi {
            state: state.clone(),
            agent: agent.clone(),
            api_version,
        })))
        .with(TailnetServer(Arc::new(AgentTailnet {
            tailnet: state.tailnet.clone(),
            agent: agent.agent_id,
        })));
    let served = rpc::drpc::serve(session.clone(), router);
    if watched {
        // Before either is looked at: one that ends at once must not take the count of another.
        presence::begin(&state, &agent);
        tokio::select! {
            reason = served => tracing::debug!(agent = %agent.agent_id, %reason, "agent left"),
            reason = presence::watch(&state, &agent, &session) => {
                tracing::debug!(agent = %agent.agent_id, reason, "agent's connection is ended");
                close.with(code::GOING_AWAY, reason);
            }
        }
        presence::gone(&state, &agent).await;
    } else {
        served.await;
    }
    session.close();
}
