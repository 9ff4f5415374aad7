//! Two servers on one database: who watches at one sees live what the other generates.

use std::net::SocketAddr;

use api_types::ChatStreamEventType;
use chat::worker::Neighbours;
use control::{Control, Settings};
use http::Method;
use serde_json::json;
use testkit::model::{Reply, Say};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::chats::{Chats, with_http};
use crate::world::router;

/// A second server on the database of the first; it works on chats and says where it is.
async fn second(chats: &Chats, stop: &CancellationToken) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url: Url = format!("http://127.0.0.1:{port}").parse().unwrap();
    let mut settings = Settings::new(url.clone());
    settings.replica_url = url.to_string();
    let control = Control::new(chats.world.db.store.clone(), settings);
    let (app, tailnet) = router(&control, &url);
    let gateway = gateway::Gateway::new(
        chats.world.db.store.clone(),
        control.settings().seal.clone(),
        llm::Http::new("test").unwrap(),
        gateway::Options::default(),
    );
    server::start_chats(
        &control,
        gateway,
        &tailnet,
        Neighbours::Possible,
        &TaskTracker::new(),
        stop,
    );
    let app = chats
        .world
        .published
        .watch(app)
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_at_one_server_sees_live_what_another_generates() {
    let chats = with_http(llm::Http::new("test").unwrap()).await;
    let stop = CancellationToken::new();
    let url = second(&chats, &stop).await;
    // It says half of its answer, and then nothing for as long as anybody listens.
    chats.provider.otherwise(|asked| {
        let words = (0..50).map(|n| Say::text(&format!("w{n} ")));
        match asked.body["tools"].as_array() {
            Some(tools) if !tools.is_empty() => Reply::say(words).hang_after(40),
            _ => Reply::text("a title"),
        }
    });
    let there = client::Client::new(url, chats.world.owner.token.clone()).unwrap();
    // Whoever takes the request takes the chat.
    let begun = there
        .call(Method::POST, "/api/v2/chats")
        .json(&json!({ "organization_id": chats.organization,
            "content": [{ "type": "text", "text": "hi" }] }))
        .decode::<api_types::Chat>()
        .await
        .unwrap();
    let here = chats.world.client();
    let mut events = here.chat_events(begun.id, None).await.unwrap();
    let mut seen = String::new();
    let follow = async {
        while !seen.contains("w30 ") {
            let event = events.next().await.unwrap().unwrap();
            if event.kind == ChatStreamEventType::MessagePart {
                let part = event.message_part.unwrap().part;
                seen.push_str(part.text.as_deref().unwrap_or_default());
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), follow)
        .await
        .expect("the words of the other server");
    assert!(seen.starts_with("w0 w1 w2 "), "{seen}");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_for_replicas_with_a_ticket_and_readers_only() {
    let chats = with_http(llm::Http::new("test").unwrap()).await;
    let chat = chats
        .world
        .client()
        .chat_create(&api_types::CreateChatRequest {
            organization_id: chats.organization,
            content: vec![api_types::ChatInputPart::text("hi")],
            ..Default::default()
        })
        .await
        .unwrap();
    let path = format!("/api/v2/chats/{}/stream/parts", chat.id);
    let refused = |headers: http::HeaderMap| {
        let client = client::Client::builder(chats.world.url.clone())
            .headers(headers)
            .build()
            .unwrap();
        let path = path.clone();
        async move {
            let error = client.websocket_messages(&path).await.unwrap_err();
            error.status().unwrap().as_u16()
        }
    };
    let mut headers = http::HeaderMap::new();
    assert_eq!(refused(headers.clone()).await, 401);
    headers.insert("x-coder-relay-source-replica", "me".parse().unwrap());
    assert_eq!(refused(headers.clone()).await, 401);
    for ticket in ["", "x", "eyJhbGciOiJub25lIn0.e30.", "a.b.c"] {
        headers.insert("x-coder-relay-ticket", ticket.parse().unwrap());
        assert_eq!(refused(headers.clone()).await, 401, "{ticket}");
    }
    let stranger = testkit::user(&chats.world.db, "eve", &[]).await;
    let api = chats.world.client_as(stranger.token.clone());
    let error = api.websocket_messages(&path).await.unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 404);
    assert!(chats.world.client().websocket_messages(&path).await.is_ok());
}
