//! What people do in a chat's workspace through the chat: following its repositories, and using its
//! desktop. The agent's API is the test's, the tunnel is real.

use std::collections::HashMap;

use api_types::WorkspaceAgentGitServerMessage;
use axum::Router;
use axum::extract::Query;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::routing::get;
use futures::{SinkExt as _, StreamExt as _};
use http::Method;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use testkit::model::Reply;
use tokio_tungstenite::tungstenite;
use tunnel::Conn;

use crate::agent_conn::{agent_end, serve};
use crate::chats::chats;

type Asked = Query<HashMap<String, String>>;

/// An agent that has repositories and a screen.
fn api(agent: &Conn) {
    let router = Router::new()
        .route("/api/v0/git/watch", get(watch))
        .route("/api/v0/desktop/vnc", get(screen));
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
    api(&agent);
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
    api(&agent);
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
