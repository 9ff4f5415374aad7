//! What people do in a chat's workspace through the chat: following its repositories, using its desktop,
//! sending files. The agent's API is the test's, the tunnel is real.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use api_types::{
    ChatInputPart, ChatInputPartType, ChatWorkspaceFile, CreateChatMessageRequest,
    UpdateChatRequest, WorkspaceAgentGitServerMessage,
};
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{SinkExt as _, StreamExt as _};
use http::Method;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use testkit::model::Reply;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite;
use tunnel::Conn;

use crate::agent_conn::{agent_end, serve};
use crate::chats::{chats, until_idle};

/// Files by path.
type Files = Arc<Mutex<HashMap<String, Vec<u8>>>>;
type Asked = Query<HashMap<String, String>>;

/// An agent that has repositories and a disk.
fn api(agent: &Conn, files: &Files) {
    let router = Router::new()
        .route("/api/v0/git/watch", get(watch))
        .route("/api/v0/desktop/vnc", get(screen))
        .route("/api/v0/list-directory", post(list))
        .route("/api/v0/write-file", post(write))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(files.clone());
    serve(agent, 4, move |stream| {
        let service = TowerToHyperService::new(router.clone());
        async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        }
    });
}

async fn watch(asked: Asked, upgrade: WebSocketUpgrade) -> axum::response::Response {
    let chat = asked["chat_id"].clone();
    upgrade.on_upgrade(move |mut socket| async move {
        let mut branch = "main";
        loop {
            let news = json!({ "type": "changes", "repositories": [
                { "repo_root": format!("/w/{chat}"), "branch": branch, "unified_diff": "+x" } ] });
            if socket.send(Message::text(news.to_string())).await.is_err() {
                return;
            }
            match socket.recv().await {
                Some(Ok(Message::Text(text))) if text.contains("refresh") => branch = "next",
                _ => return,
            }
        }
    })
}

/// A screen that greets, and shows what is done on it.
async fn screen(upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.on_upgrade(|mut socket| async move {
        let greeting = Message::Binary(bytes::Bytes::from_static(b"RFB 003.008\n"));
        socket.send(greeting).await.unwrap();
        while let Some(Ok(message)) = socket.recv().await {
            let Message::Binary(bytes) = message else {
                continue;
            };
            if bytes.is_empty() || socket.send(Message::Binary(bytes)).await.is_err() {
                break;
            }
        }
        let _ = socket.send(Message::Close(None)).await;
    })
}

async fn list(State(files): State<Files>, asked: Asked) -> Result<Json<Value>, StatusCode> {
    let path = asked.get("path").cloned().unwrap_or_default();
    if path.is_empty() {
        return Ok(Json(
            json!({ "absolute_path_string": "/home/ann", "contents": [] }),
        ));
    }
    let files = files.lock().unwrap();
    let names = files
        .keys()
        .filter_map(|name| name.strip_prefix(&format!("{path}/")));
    let names: Vec<Value> = names.map(|name| json!({ "name": name })).collect();
    if names.is_empty() {
        return Err(StatusCode::NOT_FOUND);
    }
    Ok(Json(
        json!({ "absolute_path_string": path, "contents": names }),
    ))
}

async fn write(
    State(files): State<Files>,
    asked: Asked,
    body: bytes::Bytes,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let full = StatusCode::INSUFFICIENT_STORAGE;
    for (name, status) in [("/forbidden", StatusCode::FORBIDDEN), ("/full", full)] {
        if asked["path"].ends_with(name) {
            return Err((status, Json(json!({ "message": "no, not there" }))));
        }
    }
    files
        .lock()
        .unwrap()
        .insert(asked["path"].clone(), body.to_vec());
    Ok(Json(json!({ "message": "ok" })))
}

/// The next news.
async fn next(socket: &mut client::MessageSocket) -> WorkspaceAgentGitServerMessage {
    loop {
        if let tungstenite::Message::Text(text) = socket.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_of_a_chats_workspace_are_followed() {
    let chats = chats().await;
    chats.provider.otherwise(|_| Reply::text("ok"));
    let client = chats.world.client();
    let chat = chats.create("hi", Some(chats.world.workspace)).await;
    let path = format!("/api/v2/chats/{}/stream/git", chat.id);
    // Without a connected agent there is nothing to follow, in words that clients know.
    let refused = client.websocket_json::<Value>(&path).await.err().unwrap();
    let text = "Agent state is \"connecting\", it must be in the \"connected\" state.";
    assert!(refused.to_string().contains(text), "{refused}");
    let bare = chats.create("hi", None).await;
    let none = format!("/api/v2/chats/{}/stream/git", bare.id);
    let refused = client.websocket_json::<Value>(&none).await.err().unwrap();
    assert!(
        refused
            .to_string()
            .contains("Chat has no workspace to watch."),
        "{refused}"
    );

    let agent = agent_end(&chats.world).await;
    api(&agent, &Files::default());
    let mut socket = client.websocket_messages(&path).await.unwrap();
    let news = next(&mut socket).await;
    assert_eq!(news.repositories[0].repo_root, format!("/w/{}", chat.id));
    assert_eq!(news.repositories[0].branch, "main");
    for asked in ["nonsense", "refresh"] {
        let text = json!({ "type": asked }).to_string();
        socket.send(tungstenite::Message::text(text)).await.unwrap();
    }
    let news = next(&mut socket).await;
    assert_eq!(news.repositories[0].branch, "next");

    // Who may not see the chat sees nothing of it; who may not enter the workspace neither.
    let bob = testkit::user(&chats.world.db, "bob", &[]).await;
    let bob_api = chats.world.client_as(bob.token.clone());
    let refused = bob_api.websocket_json::<Value>(&path).await.err().unwrap();
    assert!(refused.is_not_found(), "{refused}");
    let share = json!({ "user_roles": { bob.id.to_string(): "read" } });
    let acl = format!("/api/v2/chats/{}/acl", chat.id);
    client
        .call(Method::PATCH, &acl)
        .json(&share)
        .done()
        .await
        .unwrap();
    let refused = bob_api.websocket_json::<Value>(&path).await.err().unwrap();
    assert!(
        refused.to_string().contains("Chat workspace not found."),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chats_desktop_is_watched_and_used() {
    let chats = chats().await;
    chats.provider.otherwise(|_| Reply::text("ok"));
    let client = chats.world.client();
    let chat = chats.create("hi", Some(chats.world.workspace)).await;
    let path = format!("/api/experimental/chats/{}/stream/desktop", chat.id);
    let refused = client.websocket_messages(&path).await.err().unwrap();
    assert!(refused.to_string().contains("Agent state is"), "{refused}");
    let agent = agent_end(&chats.world).await;
    api(&agent, &Files::default());
    let mut socket = client.websocket_messages(&path).await.unwrap();
    let greeting = socket.next().await.unwrap().unwrap();
    assert_eq!(&greeting.into_data()[..], b"RFB 003.008\n");
    // A screenful, both ways.
    let much = bytes::Bytes::from(vec![7; 512 << 10]);
    let message = tungstenite::Message::Binary(much.clone());
    socket.send(message).await.unwrap();
    let mut back = 0;
    while back < much.len() {
        let message = socket.next().await.unwrap().unwrap();
        if message.is_binary() {
            back += message.len();
        }
    }
    assert_eq!(back, much.len());
    // The screen goes away, and the viewer is told.
    let bye = tungstenite::Message::Binary(bytes::Bytes::new());
    socket.send(bye).await.unwrap();
    let closed = loop {
        match socket.next().await {
            Some(Ok(tungstenite::Message::Close(frame))) => break frame,
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(u16::from(closed.unwrap().code), 1001);
    let bob = testkit::user(&chats.world.db, "bob", &[]).await;
    let bob = chats.world.client_as(bob.token.clone());
    assert!(
        bob.websocket_messages(&path)
            .await
            .err()
            .unwrap()
            .is_not_found()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_sent_to_a_chats_workspace_and_spoken_of() {
    let chats = chats().await;
    chats.provider.otherwise(|_| Reply::text("ok"));
    let client = chats.world.client();
    let chat = chats.create("hi", Some(chats.world.workspace)).await;
    let mut events = client.chat_events(chat.id, None).await.unwrap();
    until_idle(&mut events).await;
    let agent = agent_end(&chats.world).await;
    let files = Files::default();
    api(&agent, &files);
    let http = reqwest_client();
    let url = chats
        .world
        .url
        .join(&format!("/api/v2/chats/{}/workspace-files", chat.id))
        .unwrap();
    let send = async |token: &str, name: &str, body: Vec<u8>| {
        let answer = http
            .post(url.clone())
            .header("Coder-Session-Token", token)
            .header("Content-Type", "text/csv")
            .header(
                "Content-Disposition",
                format!("attachment; filename=\"{name}\""),
            )
            .body(body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    };
    let token = chats.world.owner.token.expose().clone();
    let large = vec![b'x'; 3 << 20];
    let mut sent: Vec<ChatWorkspaceFile> = Vec::new();
    for body in [large.clone(), b"a,b".to_vec()] {
        let (status, answer) = send(&token, "data.csv", body).await;
        assert_eq!(status, 200, "{answer:?}");
        sent.push(serde_json::from_slice(&answer).unwrap());
    }
    let dir = format!("/home/ann/.coder/chats/{}/files", chat.id);
    assert_eq!(sent[0].path, format!("{dir}/data.csv"));
    assert_eq!(
        (sent[0].size, sent[0].media_type.as_str()),
        (3 << 20, "text/csv")
    );
    assert_eq!(sent[1].path, format!("{dir}/data-2.csv"));
    assert_eq!(files.lock().unwrap()[&sent[0].path], large);
    for bad in ["../x", ".ssh"] {
        assert_eq!(send(&token, bad, Vec::new()).await.0, 400, "{bad}");
    }
    for (name, expected) in [("forbidden", 403), ("full", 502)] {
        let (status, answer) = send(&token, name, b"x".to_vec()).await;
        assert_eq!(status, expected, "{name}");
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["detail"], "no, not there", "{answer}");
    }
    assert_eq!(announced(&url, &token, (512 << 20) + 1).await, 413);
    let admin = testkit::user(&chats.world.db, "boss", &["owner"]).await;
    assert_eq!(send(admin.token.expose(), "x", Vec::new()).await.0, 403);

    // Said in a message, the model learns where it is.
    let part = ChatInputPart {
        kind: ChatInputPartType::WorkspaceFileReference,
        workspace_file_path: sent[0].path.clone(),
        workspace_file_name: sent[0].name.clone(),
        workspace_file_size: sent[0].size,
        workspace_file_media_type: sent[0].media_type.clone(),
        workspace_file_workspace_id: Some(sent[0].workspace_id),
        ..ChatInputPart::default()
    };
    let say = |part: ChatInputPart| CreateChatMessageRequest {
        content: vec![part],
        ..CreateChatMessageRequest::default()
    };
    client.chat_send(chat.id, &say(part.clone())).await.unwrap();
    until_idle(&mut events).await;
    let asked = chats.provider.asked();
    let told = format!(
        "[file in the workspace: {}, 3145728 bytes, text/csv]",
        sent[0].path
    );
    assert!(
        asked.iter().any(|a| a.body.to_string().contains(&told)),
        "{asked:?}"
    );
    for wrong in [
        ChatInputPart {
            workspace_file_workspace_id: Some(uuid::Uuid::new_v4()),
            ..part.clone()
        },
        ChatInputPart {
            workspace_file_path: "etc/passwd".into(),
            ..part.clone()
        },
        ChatInputPart {
            workspace_file_name: String::new(),
            ..part
        },
    ] {
        let refused = client.chat_send(chat.id, &say(wrong)).await.unwrap_err();
        let detail = &refused.api().unwrap().detail;
        assert!(detail.contains("workspace"), "{refused}: {detail}");
    }
    let archive = UpdateChatRequest {
        archived: Some(true),
        ..UpdateChatRequest::default()
    };
    client.chat_update(chat.id, &archive).await.unwrap();
    assert_eq!(send(&token, "x", Vec::new()).await.0, 400);
}

/// The status of a request that announces so many bytes, and sends none.
async fn announced(url: &url::Url, token: &str, bytes: u64) -> u16 {
    let address = url.socket_addrs(|| None).unwrap()[0];
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {address}\r\nCoder-Session-Token: {token}\r\n\
         Content-Disposition: attachment; filename=\"large\"\r\nContent-Length: {bytes}\r\n\r\n",
        url.path()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; "HTTP/1.1 413".len()];
    stream.read_exact(&mut status).await.unwrap();
    let status = std::str::from_utf8(&status).unwrap();
    status.rsplit(' ').next().unwrap().parse().unwrap()
}

fn reqwest_client() -> reqwest::Client {
    let tls = client::system_tls().unwrap();
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls);
    builder.build().unwrap()
}
