//! What the server itself asks agents: terminals, ports, containers.

use client::Client;
use futures::{SinkExt as _, StreamExt as _};
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;
use tunnel::coordinate::Role;
use tunnel::{Config, Conn, TcpStream};
use uuid::Uuid;

use crate::tunnel::drive;
use crate::world::{World, eventually, world};

/// An agent's end of the tunnel, connected to the server.
pub async fn agent_end(w: &World) -> Conn {
    let agent = Conn::new(Config::agent(w.agent, w.url.clone()));
    let api = w.client_as(w.token.to_string().into());
    let io = api
        .websocket_bytes("/api/v2/workspaceagents/me/rpc?version=2.11&role=agent")
        .await
        .unwrap();
    drive(&agent, io, Role::Agent);
    let owner = w.client();
    eventually("the agent is connected", async || {
        owner.agent(w.agent).await.unwrap().status == api_types::WorkspaceAgentStatus::Connected
    })
    .await;
    agent
}

/// Serves each connection to a port of the agent.
pub fn serve<F, Fut>(agent: &Conn, port: u16, serve: F)
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut listener = agent.listen_tcp(port).unwrap();
    tokio::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
}

/// Reads a request's head.
pub async fn read_head(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match io.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Answers with JSON, whatever is asked.
async fn answer(mut io: impl AsyncRead + AsyncWrite + Unpin, status: &str, body: &str) {
    read_head(&mut io).await;
    respond(io, status, body).await;
}

/// The answer itself.
async fn respond(mut io: impl AsyncRead + AsyncWrite + Unpin, status: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = io.write_all(head.as_bytes()).await;
    let _ = io.write_all(body.as_bytes()).await;
    let _ = io.shutdown().await;
    let _ = io.read_u8().await;
}

fn pty_path(agent: Uuid, rest: &str) -> String {
    format!("/api/v2/workspaceagents/{agent}/pty?{rest}")
}

#[tokio::test]
async fn a_terminal_is_reached_through_the_servers_own_tunnel() {
    let w = world().await;
    let agent = agent_end(&w).await;
    serve(&agent, 2, async |mut stream| {
        let length = stream.read_u16_le().await.unwrap();
        let mut head = vec![0; usize::from(length)];
        stream.read_exact(&mut head).await.unwrap();
        let head: Value = serde_json::from_slice(&head).unwrap();
        stream.write_all(head.to_string().as_bytes()).await.unwrap();
        let (mut read, mut write) = tokio::io::split(stream);
        let _ = tokio::io::copy(&mut read, &mut write).await;
    });
    let id = Uuid::new_v4();
    let path = pty_path(w.agent, &format!("reconnect={id}&height=24&command=top"));
    let mut socket = w.client().websocket_messages(&path).await.unwrap();
    let first = socket.next().await.unwrap().unwrap();
    let head: Value = serde_json::from_slice(&first.into_data()).unwrap();
    assert_eq!(head["ID"], json!(id));
    assert_eq!((&head["Height"], &head["Width"]), (&json!(24), &json!(80)));
    assert_eq!(head["Command"], "top");
    // Far more than fits into any buffer on the way.
    let sent = vec![b'x'; 3 << 20];
    let (mut write, mut read) = socket.split();
    let reader = tokio::spawn(async move {
        let mut got = 0;
        while got < 3 << 20 {
            got += read.next().await.unwrap().unwrap().into_data().len();
        }
        got
    });
    for part in sent.chunks(1 << 19) {
        write
            .send(Message::Binary(part.to_vec().into()))
            .await
            .unwrap();
    }
    assert_eq!(reader.await.unwrap(), sent.len());
    // The second tunnel to the same agent is the first.
    let again = w.client().websocket_messages(&path).await.unwrap();
    drop(again);
    w.tailnet.close();
}

#[tokio::test]
async fn a_terminal_needs_a_name_and_an_agent() {
    let w = world().await;
    for bad in ["", "reconnect=", "reconnect=x", "reconnect=x&height=-1"] {
        let path = pty_path(w.agent, bad);
        let error = w.client().websocket_messages(&path).await.err().unwrap();
        assert_eq!(status(&error), 400, "{bad}");
    }
    // An agent that refuses is named in the closing of the socket.
    let agent = agent_end(&w).await;
    let path = pty_path(w.agent, &format!("reconnect={}", Uuid::new_v4()));
    let mut socket = w.client().websocket_messages(&path).await.unwrap();
    let Message::Close(Some(frame)) = socket.next().await.unwrap().unwrap() else {
        panic!("not closed");
    };
    assert_eq!(u16::from(frame.code), 1011);
    assert!(
        frame.reason.contains("dial workspace agent"),
        "{}",
        frame.reason
    );
    drop(agent);
}

#[tokio::test]
async fn listening_ports_are_filtered_and_bounded() {
    let w = world().await;
    let path = format!("/api/v2/workspaceagents/{}/listening-ports", w.agent);
    let error = get(&w, &path).await.unwrap_err();
    assert_eq!(status(&error), 400, "not connected: {error}");
    let agent = agent_end(&w).await;
    serve(&agent, 4, async |stream| {
        let ports: Vec<Value> = (1..2500)
            .map(|port| json!({"process_name": "p", "network": "tcp", "port": port}))
            .collect();
        answer(stream, "200 OK", &json!({ "ports": ports }).to_string()).await;
    });
    let told = get(&w, &path).await.unwrap();
    let ports = told["ports"].as_array().unwrap();
    assert_eq!(ports.len(), 1000);
    assert_eq!(ports[0]["port"], 9);
    assert!(ports.iter().all(|p| p["port"] != 22));
}

#[tokio::test]
async fn an_agent_without_end_or_sense_is_a_bad_gateway() {
    let w = world().await;
    let agent = agent_end(&w).await;
    serve(&agent, 4, async |mut stream| {
        let head = read_head(&mut stream).await;
        if head.contains("containers") {
            return respond(stream, "200 OK", "{\"containers\": 5}").await;
        }
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"ports\":[")
            .await;
        let port = b"{\"process_name\":\"x\",\"network\":\"tcp\",\"port\":9},".repeat(1000);
        while stream.write_all(&port).await.is_ok() {}
    });
    for what in ["listening-ports", "containers"] {
        let path = format!("/api/v2/workspaceagents/{}/{what}", w.agent);
        let error = get(&w, &path).await.unwrap_err();
        assert_eq!(status(&error), 502, "{what}: {error}");
    }
}

#[tokio::test]
async fn containers_are_listed_watched_and_rebuilt() {
    let w = world().await;
    let agent = agent_end(&w).await;
    serve(&agent, 4, async |mut stream| {
        let mut peeked = Vec::new();
        while !peeked.ends_with(b"\r\n\r\n") {
            peeked.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(peeked.clone()).unwrap();
        let replay = std::io::Cursor::new(peeked);
        let (read, write) = tokio::io::split(stream);
        let io = tokio::io::join(replay.chain(read), write);
        if head.contains("/watch") {
            let mut socket = tokio_tungstenite::accept_async(io).await.unwrap();
            socket
                .send(Message::text("{\"containers\":[]}"))
                .await
                .unwrap();
            let _ = socket.next().await;
        } else if head.starts_with("POST") {
            answer(io, "202 Accepted", "{\"message\":\"rebuilding\"}").await;
        } else if head.starts_with("DELETE") {
            answer(io, "409 Conflict", "{\"message\":\"in transition\"}").await;
        } else {
            let body = json!({"containers": [
                {"id": "a", "labels": {"x": "1"}}, {"id": "b", "labels": null}]});
            answer(io, "200 OK", &body.to_string()).await;
        }
    });
    let base = format!("/api/v2/workspaceagents/{}/containers", w.agent);
    let all = get(&w, &base).await.unwrap();
    assert_eq!(all["containers"].as_array().unwrap().len(), 2);
    let some = get(&w, &format!("{base}?label=x=1")).await.unwrap();
    assert_eq!(some["containers"][0]["id"], "a");
    assert_eq!(some["containers"].as_array().unwrap().len(), 1);
    let path = format!("{base}/watch");
    let mut watch = w.client().websocket_messages(&path).await.unwrap();
    let message = watch.next().await.unwrap().unwrap();
    assert_eq!(message.into_text().unwrap(), "{\"containers\":[]}");

    let api = w.client();
    let one = format!("{base}/devcontainers/d1");
    let (code, said) = send(&api, Method::POST, &format!("{one}/recreate")).await;
    assert_eq!((code, said.as_str()), (200, "rebuilding"));
    let (code, said) = send(&api, Method::DELETE, &one).await;
    assert_eq!((code, said.as_str()), (409, "in transition"));
    let path = format!("{base}/devcontainers/..%2Fx");
    assert_eq!(send(&api, Method::DELETE, &path).await.0, 400);
}

#[tokio::test]
async fn strangers_reach_no_agent() {
    let w = world().await;
    let _agent = agent_end(&w).await;
    let stranger = testkit::user(&w.db, "bob", &[]).await;
    let api = w.client_as(stranger.token);
    let base = format!("/api/v2/workspaceagents/{}", w.agent);
    for path in ["listening-ports", "containers", "containers/watch"] {
        let path = format!("{base}/{path}");
        let error = api.websocket_messages(&path).await.err().unwrap();
        assert_eq!(status(&error), 404, "{path}");
    }
    let path = pty_path(w.agent, &format!("reconnect={}", Uuid::new_v4()));
    let error = api.websocket_messages(&path).await.err().unwrap();
    assert_eq!(status(&error), 404);
    let path = format!("{base}/containers/devcontainers/x/recreate");
    assert_eq!(send(&api, Method::POST, &path).await.0, 404);
}

fn status(error: &client::Error) -> u16 {
    match error {
        client::Error::Api(error) => error.status.as_u16(),
        other => panic!("no answer of the API: {other}"),
    }
}

async fn get(w: &World, path: &str) -> Result<Value, client::Error> {
    w.client().call(Method::GET, path).decode().await
}

/// Status and message of a request.
async fn send(api: &Client, method: Method, path: &str) -> (u16, String) {
    let answer = api.call(method, path).read(1 << 20).await;
    match answer {
        Ok(body) => {
            let said: api_types::Response = serde_json::from_slice(&body).unwrap_or_default();
            (200, said.message)
        }
        Err(client::Error::Api(error)) => (error.status.as_u16(), error.message.clone()),
        Err(other) => panic!("{other}"),
    }
}
