//! The HTTP API of the agent, for the control plane and for clients in the tunnel
//! (port 4 there, without a sign-in of its own). Here are the routes; what they do
//! is in the modules that they name.

mod body;
mod chat;
mod containers;
mod context;
mod debug;
mod desktop;
mod failure;
mod files;
mod git;
mod mcp;
mod ports;
mod processes;
mod query;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::response::Json;
use axum::routing::{any, delete, get, post};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tunnel::Conn;

use crate::containers::Containers;
use crate::context::Context;
use crate::netcheck;
use crate::processes::Processes;
use crate::repositories::ChatPaths;
use crate::workspace::Workspace;
use failure::Failure;

/// A client must send the head of its request in this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);

/// What the routes need.
#[derive(Debug)]
struct State {
    workspace: Arc<Workspace>,
    processes: Processes,
    chats: ChatPaths,
    containers: Containers,
    context: Arc<Context>,
    tunnel: OnceLock<Conn>,
}

/// The API of one agent; clones serve the same state.
#[derive(Clone)]
pub struct Api {
    state: Arc<State>,
    router: Router,
}

impl Api {
    /// The API of this workspace.
    pub fn new(workspace: Arc<Workspace>, context: Arc<Context>) -> Self {
        let state = Arc::new(State {
            processes: Processes::new(workspace.clone()),
            chats: ChatPaths::default(),
            containers: Containers::new(workspace.clone()),
            context,
            tunnel: OnceLock::new(),
            workspace,
        });
        Self {
            router: router().with_state(state.clone()),
            state,
        }
    }

    /// Tells of the tunnel, for the routes that describe it.
    pub fn set_tunnel(&self, tunnel: Conn) {
        // There is one tunnel in the life of an agent.
        let _ = self.state.tunnel.set(tunnel);
    }

    /// Serves one connection until the client leaves or the agent ends.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        serve(stream, self.router.clone(), &self.state.workspace.shutdown).await;
    }
}

/// Serves `router` on one connection.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    shutdown: &CancellationToken,
) {
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::select! {
        served = served => {
            if let Err(error) = served {
                tracing::debug!(%error, "a request to the agent ended early");
            }
        }
        () = shutdown.cancelled() => {}
    }
}

fn router() -> Router<Arc<State>> {
    let v0 = Router::new()
        .route("/listening-ports", get(ports::listening))
        .route("/netcheck", get(|| async { Json(netcheck::report()) }))
        .route("/list-directory", post(files::list))
        .route("/resolve-path", get(files::resolve))
        .route("/read-file", get(files::read))
        .route("/read-file-lines", get(files::read_lines))
        .route("/write-file", post(files::write))
        .route("/edit-files", post(files::edit))
        .route("/bundle-files", post(files::bundle))
        .route("/processes/start", post(processes::start))
        .route("/processes/list", get(processes::list))
        .route("/processes/{id}/output", get(processes::output))
        .route("/processes/{id}/signal", post(processes::signal))
        .route("/git/watch", get(git::watch))
        .route("/containers", get(containers::list))
        .route("/containers/watch", get(containers::watch))
        .route(
            "/containers/devcontainers/{id}/recreate",
            post(containers::devcontainer),
        )
        .route(
            "/containers/devcontainers/{id}",
            delete(containers::devcontainer),
        )
        .route("/context-config", get(context::config))
        .route("/context/sources", get(context::sources).post(context::add))
        .route(
            "/context/sources/{path}",
            get(context::source).delete(context::remove),
        )
        .route("/context/resync", post(context::resync))
        .route("/mcp/call-tool", post(mcp::call))
        .route("/desktop/{*rest}", any(desktop::absent));
    Router::new()
        .route(
            "/",
            get(|| async { failure::message("Hello from the agent!") }),
        )
        .nest("/api/v0", v0)
        .route("/debug/logs", get(debug::logs))
        .route("/debug/magicsock", get(debug::tunnel))
        .route(
            "/debug/magicsock/debug-logging/{state}",
            get(debug::tunnel_logging),
        )
        .route("/debug/manifest", get(debug::manifest))
        .route("/debug/prometheus", get(debug::prometheus))
        .fallback(|| async { Failure::not_found("Route not found.") })
        .method_not_allowed_fallback(|| async {
            Failure::new(http::StatusCode::METHOD_NOT_ALLOWED, "Method not allowed.")
        })
}

#[cfg(test)]
mod tests;
