//! Two ends of a tunnel that meet by the server's coordinator and relay.

use std::net::SocketAddrV6;
use std::time::Duration;

use rpc::TailnetClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use tunnel::coordinate::{Role, run};
use tunnel::{Config, Conn};
use tunnel_proto::address;

use crate::world::{World, session, world};

/// The client's end, with its coordination running.
pub async fn client_end(w: &World) -> Conn {
    let conn = Conn::new(Config::client(w.url.clone()));
    conn.add_destination(w.agent);
    let path = format!("/api/v2/workspaceagents/{}/coordinate?version=2.0", w.agent);
    let io = w.client().websocket_bytes(&path).await.unwrap();
    drive(&conn, io, Role::Client);
    conn
}

fn drive(
    conn: &Conn,
    io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static,
    role: Role,
) {
    let (_, channel) = session(io);
    let conn = conn.clone();
    tokio::spawn(async move {
        let client = TailnetClient::new(channel);
        run(&conn, &client, role, &CancellationToken::new()).await
    });
}

#[tokio::test]
async fn a_client_reaches_an_agent_through_the_relay() {
    let w = world().await;
    let agent = Conn::new(Config::agent(w.agent, w.url.clone()));
    let mut listener = agent.listen_tcp(7).unwrap();
    tokio::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(stream);
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    let api = w.client_as(w.token.to_string().into());
    let io = api
        .websocket_bytes("/api/v2/workspaceagents/me/rpc?version=2.11&role=agent")
        .await
        .unwrap();
    drive(&agent, io, Role::Agent);

    let conn = client_end(&w).await;
    conn.await_reachable(w.agent, Duration::from_secs(20))
        .await
        .unwrap();
    let to = SocketAddrV6::new(address::tailnet(w.agent), 7, 0, 0);
    let mut stream = conn.dial_tcp(to).await.unwrap();
    stream.write_all(b"through the tunnel").await.unwrap();
    let mut back = [0; 18];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"through the tunnel");
    w.tailnet.close();
}
