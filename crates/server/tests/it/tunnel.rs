//! Two ends of a tunnel that meet by the server's coordinator and relay.

use std::net::SocketAddrV6;
use std::time::Duration;

use rpc::TailnetClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use tunnel::coordinate::{Role, run};
use tunnel::{Config, Conn};
use tunnel_proto::address;

use crate::world::{World, session, with_paths, world};

/// The client's end, with its coordination running.
pub async fn client_end(w: &World) -> Conn {
    let conn = Conn::new(Config::client(w.url.clone()));
    conn.add_destination(w.agent);
    let path = format!("/api/v2/workspaceagents/{}/coordinate?version=2.0", w.agent);
    let io = w.client().websocket_bytes(&path).await.unwrap();
    drive(&conn, io, Role::Client);
    conn
}

pub fn drive(
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

#[tokio::test]
async fn where_browsers_only_are_wanted_no_client_gets_a_tunnel() {
    let paths = server::TailnetSettings {
        browser_only: true,
        ..server::TailnetSettings::default()
    };
    let w = with_paths(paths).await;
    let stranger = testkit::user(&w.db, "eve", &[]).await;
    let coordinate = format!("/api/v2/workspaceagents/{}/coordinate?version=2.0", w.agent);
    for (client, path, status) in [
        (w.client(), coordinate.as_str(), 409),
        (w.client(), "/api/v2/tailnet?version=2.0", 409),
        // Who may not know the agent does not learn of it by the refusal.
        (w.client_as(stranger.token.clone()), &coordinate, 404),
    ] {
        let error = client.websocket_bytes(path).await.err().unwrap();
        assert_eq!(error.status().unwrap().as_u16(), status, "{path}");
    }
    let known = w.client().entitlements().await.unwrap();
    assert!(known.features["browser_only"].enabled);
    // The agent itself is welcome, for apps and terminals.
    w.agent_session("version=2.11&role=agent").await;
}

#[tokio::test]
async fn a_client_keeps_its_id_by_a_resume_token_and_follows_its_workspaces() {
    use rpc::proto::tailnet::{RefreshResumeTokenRequest, WorkspaceUpdatesRequest};
    let w = world().await;
    let api = w.client();
    let io = api
        .websocket_bytes("/api/v2/tailnet?version=2.3")
        .await
        .unwrap();
    let (_session, channel) = session(io);
    let client = TailnetClient::new(channel);
    let token = client
        .refresh_resume_token(&RefreshResumeTokenRequest {})
        .await
        .unwrap();
    assert_eq!(token.refresh_in.unwrap().seconds, 12 * 3600);

    let updates = |owner: uuid::Uuid| WorkspaceUpdatesRequest {
        workspace_owner_id: owner.as_bytes().to_vec(),
    };
    let mut own = client
        .workspace_updates(&updates(w.owner.id))
        .await
        .unwrap();
    let first = own.recv().await.unwrap().unwrap();
    assert_eq!(first.upserted_workspaces[0].id, w.workspace.as_bytes());
    assert_eq!(first.upserted_agents[0].id, w.agent.as_bytes());
    let mut foreign = client.workspace_updates(&updates(w.agent)).await.unwrap();
    assert!(foreign.recv().await.is_err());

    let path = |token: &str| {
        let agent = w.agent;
        format!("/api/v2/workspaceagents/{agent}/coordinate?version=2.0&resume_token={token}")
    };
    api.websocket_bytes(&path(&token.token)).await.unwrap();
    let mut forged = token.token.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'Q' } else { 'A' });
    for bad in [forged.as_str(), "x", "a.b.c"] {
        let error = api.websocket_bytes(&path(bad)).await.err().unwrap();
        let client::Error::Api(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error.status.as_u16(), 401, "{bad}");
        assert_eq!(error.validations[0].field, "resume_token");
    }
}
