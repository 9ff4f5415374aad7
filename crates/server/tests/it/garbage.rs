//! Garbage on every socket: a refusal or an end, never a hang of others.

use futures::SinkExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::world::{World, world};

/// Bytes that are none of the protocols.
fn garbage() -> Vec<Vec<u8>> {
    vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 4096],
        vec![0; 4096],
        // A yamux frame that announces four gigabytes.
        vec![0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
        // A stream, and nonsense where a call should begin.
        [&[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 8][..], &[0xff; 8]].concat(),
    ]
}

async fn still_serves(w: &World) {
    w.client().agent(w.agent).await.unwrap();
}

#[tokio::test]
async fn sockets_survive_garbage() {
    let w = world().await;
    let owner = w.client();
    let agent = w.client_as(w.token.to_string().into());
    let coordinate = format!("/api/v2/workspaceagents/{}/coordinate?version=2.0", w.agent);
    let sockets = [
        (&owner, coordinate.as_str()),
        (&owner, "/api/v2/tailnet?version=2.0"),
        (&agent, "/api/v2/workspaceagents/me/rpc?role=agent"),
    ];
    for (client, path) in sockets {
        for bytes in garbage() {
            let mut socket = client.websocket_messages(path).await.unwrap();
            socket.send(Message::Binary(bytes.into())).await.unwrap();
            let _ = socket.close(None).await;
        }
        let mut socket = client.websocket_messages(path).await.unwrap();
        socket.send(Message::Text("hello".into())).await.unwrap();
        let closed = closing_code(&mut socket).await;
        assert_eq!(closed, Some(1003), "{path}");
    }
    still_serves(&w).await;
}

async fn closing_code(socket: &mut client::MessageSocket) -> Option<u16> {
    use futures::StreamExt as _;
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => return Some(frame.code.into()),
            Some(Ok(_)) => {}
            _ => return None,
        }
    }
}

/// Sockets of text: whatever they are told, they end or go on, and the server does.
#[tokio::test]
async fn streams_survive_garbage() {
    let w = world().await;
    let chat = testkit::chat(&w.db, w.owner.id).await.id;
    let (agent, workspace) = (w.agent, w.workspace);
    let row = w.client().workspace(workspace).await.unwrap();
    let (build, version) = (row.latest_build.id, row.latest_build.template_version_id);
    let mut opened = 0;
    for path in [
        format!("workspaceagents/{agent}/containers/watch"),
        format!("workspaceagents/{agent}/logs?follow"),
        format!("workspaceagents/{agent}/pty?reconnect={agent}&width=80&height=24"),
        format!("workspaceagents/{agent}/watch-metadata-ws"),
        format!("workspaces/{workspace}/agent-connection-watch"),
        format!("workspaces/{workspace}/watch-ws"),
        format!("workspacebuilds/{build}/logs?follow"),
        format!("templateversions/{version}/dynamic-parameters"),
        format!("templateversions/{version}/logs?follow"),
        format!("chats/{chat}/stream"),
        format!("chats/{chat}/stream/git"),
        format!("chats/{chat}/stream/parts"),
        "chats/watch".to_owned(),
        "debug/ws".to_owned(),
        "derp-map".to_owned(),
        "notifications/inbox/watch".to_owned(),
    ] {
        let path = format!("/api/v2/{path}");
        let long = "x".repeat(2 << 20);
        let texts = ["", "null", "{\"id\":-1}", "[[[[", &long];
        let texts = texts.iter().map(|text| Message::Text((*text).into()));
        let bytes = garbage().into_iter().map(|b| Message::Binary(b.into()));
        for message in texts.chain(bytes) {
            let mut socket = match w.client().websocket_messages(&path).await {
                Ok(socket) => socket,
                // Of what is not there it says so.
                Err(client::Error::Api(error)) => {
                    assert!(error.status.as_u16() < 500, "{path}: {error}");
                    break;
                }
                Err(error) => panic!("{path}: {error}"),
            };
            opened += 1;
            let _ = socket.send(message).await;
            let _ = socket.close(None).await;
        }
    }
    assert!(opened > 100, "{opened} sockets were opened");
    still_serves(&w).await;
}

#[tokio::test]
async fn the_relay_survives_garbage_and_asks_for_its_upgrade() {
    let w = world().await;
    let address = format!("127.0.0.1:{}", w.url.port().unwrap());
    let upgrade = "GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n";
    for bytes in garbage() {
        let mut io = tokio::net::TcpStream::connect(&address).await.unwrap();
        io.write_all(upgrade.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        io.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
        let _ = io.write_all(&bytes).await;
        let _ = io.shutdown().await;
        let mut rest = Vec::new();
        let _ = io.read_to_end(&mut rest).await;
        let head = String::from_utf8_lossy(&rest).to_lowercase();
        assert!(head.contains("derp-version: 2"), "{head}");
        assert!(head.contains("derp-public-key: "), "{head}");
    }
    for (request, status) in [
        ("GET /derp HTTP/1.1\r\nHost: x\r\n\r\n", "426"),
        (
            "POST /derp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            "405",
        ),
        ("GET /derp/latency-check HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
    ] {
        let mut io = tokio::net::TcpStream::connect(&address).await.unwrap();
        io.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        io.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer[9..], status.as_bytes(), "{request}");
    }
    still_serves(&w).await;
}
