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
