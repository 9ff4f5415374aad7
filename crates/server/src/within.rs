//! The application as its own client: requests that pass through all of it (sign-in, rights, limits,
//! the audit log) and through no socket. For what acts by the API on behalf of somebody who has just
//! asked over it.

use std::net::{IpAddr, SocketAddr};

use api_types::Secret;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use client::Client;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tower::Service as _;
use url::Url;

/// Bytes that one end may be ahead of the other.
const BUFFER: usize = 64 << 10;

/// The application. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Within {
    app: Router,
    url: Url,
}

impl Within {
    /// Of an application that is reached at `url` from outside.
    pub(crate) fn new(app: Router, url: &Url) -> Self {
        let mut url = url.clone();
        // What stands before the server may take a path away; here nothing does.
        url.set_path("/");
        Within { app, url }
    }

    /// A client with a token. To the application it seems to come from `ip`.
    pub(crate) fn client(
        &self,
        token: Secret<String>,
        ip: Option<IpAddr>,
        user_agent: &str,
    ) -> Result<Client, client::Error> {
        let (app, peer) = (self.app.clone(), ip.map(|ip| SocketAddr::new(ip, 0)));
        Client::builder(self.url.clone())
            .token(token)
            .user_agent(user_agent)
            .dial(move || {
                let (near, far) = tokio::io::duplex(BUFFER);
                tokio::spawn(serve(far, app.clone(), peer));
                std::future::ready(Ok(near))
            })
            .build()
    }
}

async fn serve(io: DuplexStream, app: Router, peer: Option<SocketAddr>) {
    let service =
        hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let mut request = request.map(Body::new);
            if let Some(peer) = peer {
                request.extensions_mut().insert(ConnectInfo(peer));
            }
            // A router is always ready.
            app.clone().call(request)
        });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    if let Err(error) = served.await {
        tracing::debug!(%error, "a request within the application ended");
    }
}
