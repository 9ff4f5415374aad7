//! Servers on this machine.

use std::net::SocketAddr;

use axum::Router;
use mcp::guard::{Guard, Web};
use url::Url;

/// Serves on a free port of this machine until the test ends.
pub async fn start(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub fn url(address: SocketAddr, path: &str) -> Url {
    format!("http://{address}{path}").parse().unwrap()
}

fn tls() -> rustls::ClientConfig {
    let provider = rustls::crypto::ring::default_provider();
    rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// HTTP that may reach this machine.
pub fn web() -> Web {
    let here = "127.0.0.0/8".parse().unwrap();
    Web::new(Guard::new(vec![here]), tls()).unwrap()
}

/// HTTP that may not.
pub fn guarded() -> Web {
    Web::new(Guard::default(), tls()).unwrap()
}
