//! The server's tunnel end: a peer like others, but its relay and its coordinator are in memory.

use std::sync::Arc;
use std::time::Duration;

use rpc::drpc::{self, Channel};
use rpc::mux::{Config as MuxConfig, Role as MuxRole, Session};
use rpc::{TailnetClient, TailnetServer};
use tokio_util::sync::CancellationToken;
use tunnel::coordinate::{self, Role};
use tunnel::{Config, Conn, Limits, RelayInProcess};
use url::Url;

use crate::Tailnet;
use crate::tailnet::{Access, ClientTailnet};

/// Bytes in the pipe to the relay, each way: one bundle of packets.
const RELAY_PIPE: usize = 256 << 10;
/// Bytes in the pipe to the coordinator, each way: news of peers are small.
const COORDINATOR_PIPE: usize = 64 << 10;
/// Every user's apps and terminals share this end: what hangs at one agent must not take the others'
/// part. An agent gets what a page that many look at may need, and the end room for many such.
const LIMITS: Limits = Limits {
    connections: 32 * 1024,
    dialled_per_peer: 1024,
};
/// Wait before coordinating again; only a server that is stopping ends it.
const RETRY: Duration = Duration::from_millis(100);

/// Starts the end and keeps it coordinated until `stop`.
pub(super) fn start(tailnet: &Tailnet, access_url: &Url, stop: CancellationToken) -> Conn {
    let mut config = Config::client(access_url.clone());
    config.derp_map = tailnet.derp_map().clone();
    // Packets from the relay pass through this very process: no other path is shorter.
    config.block_endpoints = true;
    config.limits = LIMITS;
    config.tls = tailnet.options().tls.clone();
    config.relay_in_process = relay_in_process(tailnet);
    let conn = Conn::new(config);
    tokio::spawn(keep_coordinated(conn.clone(), tailnet.clone(), stop));
    conn
}

fn relay_in_process(tailnet: &Tailnet) -> Option<RelayInProcess> {
    let relay = tailnet.relay()?.clone();
    Some(Arc::new(move || {
        let (ours, theirs) = tokio::io::duplex(RELAY_PIPE);
        let relay = relay.clone();
        tokio::spawn(async move {
            if let Err(error) = relay.accept(theirs).await {
                tracing::warn!(%error, "the server's own relay connection ended");
            }
        });
        ours
    }))
}

async fn keep_coordinated(conn: Conn, tailnet: Tailnet, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let client = coordinator(&tailnet, &conn);
        match coordinate::run(&conn, &client, Role::Client, &stop).await {
            Ok(()) => break,
            Err(error) => tracing::debug!(%error, "the server's own coordination ended"),
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
    conn.close().await;
}

/// The coordinator's service, over a pipe.
fn coordinator(tailnet: &Tailnet, conn: &Conn) -> TailnetClient {
    let (ours, theirs) = tokio::io::duplex(COORDINATOR_PIPE);
    let service = ClientTailnet {
        tailnet: tailnet.clone(),
        peer: conn.id(),
        access: Access::Server,
        user: None,
    };
    let server = Session::new(theirs, MuxRole::Server, MuxConfig::default());
    tokio::spawn(async move {
        let router = drpc::Router::new().with(TailnetServer(Arc::new(service)));
        drpc::serve(server, router).await
    });
    let session = Session::new(ours, MuxRole::Client, MuxConfig::default());
    TailnetClient::new(Channel::over(session))
}
