//! An SSH server on a local port, for trying clients by hand: `sshd PORT`.

use std::sync::Arc;

use agent::Config;
use agent::account::Account;
use agent::manifest::Manifest;
use agent::ssh::Server;
use agent::workspace::Workspace;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .init();
    let port = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "2222".into())
        .parse::<u16>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let workspace = Workspace::new(Config::new(client::Client::new(
        "http://localhost".parse()?,
        String::new().into(),
    )?));
    let manifest = rpc::proto::agent::Manifest {
        agent_id: vec![1; 16],
        workspace_id: vec![2; 16],
        ..Default::default()
    };
    workspace.set_manifest(Arc::new(Manifest::from_proto(
        manifest,
        &Account::current(),
    )?));
    let server = Server::new(workspace);
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, peer) = listener.accept().await?;
            let server = server.clone();
            tokio::spawn(async move { server.serve(stream, peer.ip().to_string()).await });
        }
    })
}
