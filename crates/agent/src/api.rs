//! The HTTP API of the agent, for the control plane and for clients in the tunnel.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::response::Json;
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::listening::{self, Port};
use crate::netcheck;

/// A client must send its request in this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
/// Looking for ports walks through all processes: not more often than this.
const PORTS_FRESH: Duration = Duration::from_secs(1);
/// Lowest port that is shown; below are services of the tunnel.
const FIRST_PORT: u16 = 9;

static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    Router::new()
        .route("/", get(|| async { message("Hello from the agent!") }))
        .route("/api/v0/listening-ports", get(listening_ports))
        .route(
            "/api/v0/netcheck",
            get(|| async { Json(netcheck::report()) }),
        )
        .fallback(|| async { (StatusCode::NOT_FOUND, message("Route not found.")) })
});

fn message(text: &str) -> Json<Value> {
    Json(json!({ "message": text }))
}

/// Serves one connection.
pub async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(
            TokioIo::new(stream),
            TowerToHyperService::new(ROUTER.clone()),
        )
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a request to the agent ended early");
    }
}

async fn listening_ports() -> Json<Value> {
    // The walk blocks for as long as it takes to read /proc.
    let ports = tokio::task::spawn_blocking(fresh_ports)
        .await
        .unwrap_or_default();
    let ports: Vec<Value> = ports
        .into_iter()
        .filter(|port| port.port >= FIRST_PORT)
        .map(|port| json!({ "process_name": port.process_name, "network": "tcp", "port": port.port }))
        .collect();
    Json(json!({ "ports": ports }))
}

fn fresh_ports() -> Vec<Port> {
    static SEEN: Mutex<Option<(Instant, Vec<Port>)>> = Mutex::new(None);
    let mut seen = SEEN.lock();
    match seen.as_ref() {
        Some((at, ports)) if at.elapsed() < PORTS_FRESH => ports.clone(),
        _ => {
            let ports = listening::ports();
            *seen = Some((Instant::now(), ports.clone()));
            ports
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn ask(path: &str) -> String {
        let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve(theirs));
        let request = format!("GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
        ours.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        ours.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn it_greets_and_lists_ports() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(
            ask("/")
                .await
                .ends_with(r#"{"message":"Hello from the agent!"}"#)
        );
        assert!(
            ask("/api/v0/listening-ports")
                .await
                .contains(&format!("\"port\":{port}"))
        );
        assert!(ask("/api/v0/netcheck").await.contains("\"interfaces\""));
        assert!(ask("/nothing").await.starts_with("HTTP/1.1 404"));
    }
}
