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
use axum::routing::{delete, get, post};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tunnel::Conn;

use crate::containers::Containers;
use crate::context::Context;
use crate::desktop::Desktop;
use crate::netcheck;
use crate::processes::Processes;
use crate::repositories::ChatPaths;
use crate::workspace::Workspace;
use failure::Failure;

/// A client must send the head of its request in this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
/// Connections to one local port at a time; more wait.
const MAX_LOCAL: usize = 16;

/// What the routes need.
#[derive(Debug)]
struct State {
    workspace: Arc<Workspace>,
    processes: Processes,
    chats: ChatPaths,
    containers: Containers,
    context: Arc<Context>,
    desktop: Arc<Desktop>,
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
        let desktop = Desktop::new(workspace.clone());
        let state = Arc::new(State {
            processes: Processes::new(workspace.clone(), desktop.clone()),
            chats: ChatPaths::default(),
            containers: Containers::new(workspace.clone()),
            context,
            desktop,
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

    /// Serves metrics, and what helps to find a fault, on ports of this machine, as far
    /// as the settings name some.
    pub fn serve_locally(&self) {
        let config = &self.state.workspace.config;
        let metrics = Router::new()
            .route("/", get(debug::prometheus))
            .route("/metrics", get(debug::prometheus));
        let local = [
            (&config.metrics_listener, metrics),
            (&config.debug_listener, debug_router()),
        ];
        for (listener, router) in local {
            let router = router.with_state(self.state.clone());
            let Some(listener) = listener else { continue };
            let opened = listener.try_clone().and_then(|listener| {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)
            });
            match opened {
                Ok(listener) => {
                    let shutdown = self.state.workspace.shutdown.clone();
                    tokio::spawn(accept(listener, router, shutdown));
                }
                Err(error) => tracing::warn!(%error, "a local port is not served"),
            }
        }
    }

    /// Serves one connection until the client leaves or the agent ends.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        serve(stream, self.router.clone(), &self.state.workspace.shutdown).await;
    }
}

/// Serves `router` to programs of this machine.
async fn accept(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_LOCAL));
    loop {
        // It is never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, shutdown) = (router.clone(), shutdown.clone());
                tokio::spawn(async move {
                    serve(stream, router, &shutdown).await;
                    drop(place);
                });
            }
            // Out of descriptors, most likely: give others time to close theirs.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
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
        .route("/desktop/vnc", get(desktop::vnc))
        .route("/desktop/action", post(desktop::action))
        .route("/desktop/recording/start", post(desktop::record))
        .route("/desktop/recording/stop", post(desktop::recorded));
    Router::new()
        .route(
            "/",
            get(|| async { failure::message("Hello from the agent!") }),
        )
        .nest("/api/v0", v0)
        .merge(debug_router())
        .fallback(|| async { Failure::not_found("Route not found.") })
        .method_not_allowed_fallback(|| async {
            Failure::new(http::StatusCode::METHOD_NOT_ALLOWED, "Method not allowed.")
        })
}

/// What helps to find a fault.
fn debug_router() -> Router<Arc<State>> {
    Router::new()
        .route("/debug/logs", get(debug::logs))
        .route("/debug/magicsock", get(debug::tunnel))
        .route(
            "/debug/magicsock/debug-logging/{state}",
            get(debug::tunnel_logging),
        )
        .route("/debug/manifest", get(debug::manifest))
        .route("/debug/prometheus", get(debug::prometheus))
}

#[cfg(test)]
mod tests;
