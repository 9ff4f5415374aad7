//! Servers at addresses.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use mcp::{Channel as _, Error, Remote, Target, Transport, channel, open};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::world::{guarded, start, url, web};

async fn reach(router: Router, path: &str, transport: Transport) -> Result<Remote, Error> {
    let address = start(router).await;
    let mut headers = HeaderMap::new();
    headers.insert("x-key", "secret".parse().unwrap());
    let url = url(address, path);
    web()
        .remote(Target {
            transport,
            url,
            headers,
        })
        .await
}

async fn streamable(router: Router) -> Remote {
    reach(router, "/mcp", Transport::StreamableHttp)
        .await
        .unwrap()
}

fn tools(names: &[&str]) -> Value {
    let list: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    json!({ "tools": list })
}

/// A good server: pages of tools, a session, an answer among events and a question of its own.
async fn good(headers: HeaderMap, Json(message): Json<Value>) -> Response {
    if headers.get("x-key").is_none_or(|key| key != "secret") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let id = &message["id"];
    let method = message["method"].as_str().unwrap_or("answer");
    if method != "initialize" && headers["mcp-session-id"] != "s1" {
        return StatusCode::NOT_FOUND.into_response();
    }
    let answer = |result: Value| Json(json!({"jsonrpc": "2.0", "id": id, "result": result}));
    match method {
        "initialize" => {
            let hello = answer(json!({"protocolVersion": "2025-03-26"}));
            ([("mcp-session-id", "s1")], hello).into_response()
        }
        "tools/list" => {
            assert_eq!(headers["mcp-protocol-version"], "2025-03-26");
            let page = match message["params"]["cursor"].as_str() {
                None => {
                    let mut page = tools(&["a"]);
                    page["nextCursor"] = "2".into();
                    page
                }
                Some(_) => tools(&["b"]),
            };
            answer(page).into_response()
        }
        "tools/call" if message["params"]["name"] == "forgets" => {
            StatusCode::NOT_FOUND.into_response()
        }
        "tools/call" => {
            let result =
                json!({"content": [{"type": "text", "text": message["params"]["arguments"]["x"]}]});
            let events = format!(
                ": hello\n\nevent: message\ndata: {{\"id\":{id},\"method\":\"ping\"}}\n\n\
                 data: {{\"id\":99,\"result\":{{}}}}\n\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{id},\n\
                 data: \"result\":{result}}}\n\n"
            );
            ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response()
        }
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

fn args(x: &str) -> Map<String, Value> {
    json!({ "x": x }).as_object().unwrap().clone()
}

#[tokio::test]
async fn a_server_is_asked_by_streamable_http() {
    let remote = streamable(Router::new().route("/mcp", post(good))).await;
    let found = open(&remote, "test").await.unwrap();
    let names: Vec<_> = found.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let (one, two) = (args("one"), args("two"));
    let calls = futures::join!(
        channel::call(&remote, "a", &one),
        channel::call(&remote, "a", &two)
    );
    assert_eq!(calls.0.unwrap().content[0].text, "one");
    assert_eq!(calls.1.unwrap().content[0].text, "two");
    let lost = channel::call(&remote, "forgets", &one).await;
    assert_eq!(lost, Err(Error::SessionLost));
    remote.close().await;
}

#[tokio::test]
async fn a_slash_may_be_missing_and_no_more() {
    let moved = |to: &'static str| get(move || async move { Redirect::temporary(to) });
    let router = Router::new()
        .route("/mcp/", post(good))
        .route("/mcp", post(|| async { Redirect::temporary("/mcp/") }));
    let remote = streamable(router).await;
    assert_eq!(open(&remote, "test").await.unwrap().len(), 2);
    for elsewhere in [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:1/",
    ] {
        let router = Router::new()
            .route(
                "/mcp",
                post(move || async move { Redirect::temporary(elsewhere) }),
            )
            .route("/events", moved(elsewhere));
        let remote = streamable(router.clone()).await;
        let refused = open(&remote, "test").await.unwrap_err();
        assert!(refused.to_string().contains("elsewhere"), "{refused}");
        let refused = reach(router, "/events", Transport::Sse).await.unwrap_err();
        assert!(refused.to_string().contains("elsewhere"), "{refused}");
    }
}

#[tokio::test]
async fn our_own_machine_is_not_reached_for_others() {
    let address = start(Router::new().route("/mcp", post(good))).await;
    for host in [
        format!("127.0.0.1:{}", address.port()),
        format!("localhost:{}", address.port()),
    ] {
        let target = Target {
            transport: Transport::StreamableHttp,
            url: format!("http://{host}/mcp").parse().unwrap(),
            headers: HeaderMap::new(),
        };
        let refused = match guarded().remote(target).await {
            Ok(remote) => open(&remote, "test").await.unwrap_err(),
            Err(error) => error,
        };
        assert!(
            refused.to_string().contains("not connected to"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn bad_answers_are_errors() {
    let huge = "x".repeat(17 << 20);
    for (answer, expected) in [
        (
            (200, "text/plain", String::from("hello")),
            "broke the protocol",
        ),
        (
            (200, "application/json", String::from("{}")),
            "something else",
        ),
        (
            (200, "application/json", String::from("[1]")),
            "something else",
        ),
        (
            (200, "text/event-stream", String::from("data: 1\n\n")),
            "ended without",
        ),
        (
            (200, "text/event-stream", String::from("data")),
            "ended without",
        ),
        ((200, "application/json", huge.clone()), "more than"),
        ((200, "text/event-stream", huge), "more than"),
        ((500, "text/plain", String::from("oh no")), "oh no"),
        ((401, "text/plain", String::new()), "sign-in"),
        (
            (
                200,
                "application/json",
                json!({"id": 1, "error": {"message": "no"}}).to_string(),
            ),
            "no",
        ),
        (
            (
                200,
                "application/json",
                json!({"id": 1, "result": 7}).to_string(),
            ),
            "greeting",
        ),
    ] {
        let (status, kind, text) = answer;
        let status = StatusCode::from_u16(status).unwrap();
        let router = Router::new().route(
            "/mcp",
            post(move || async move { (status, [(header::CONTENT_TYPE, kind)], text) }),
        );
        let error = open(&streamable(router).await, "test").await.unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert!(!error.to_string().contains("127.0.0.1"), "{error}");
    }
}

/// Answers the greeting, and lists tools by `list`.
fn listing(list: impl Fn(u64) -> Value + Clone + Send + Sync + 'static) -> Router {
    Router::new().route(
        "/mcp",
        post(move |Json(message): Json<Value>| {
            let list = list.clone();
            async move {
                let page = message["params"]["cursor"].as_str().unwrap_or("0");
                let result = match message["method"].as_str() {
                    Some("tools/list") => list(page.parse().unwrap()),
                    _ => json!({}),
                };
                Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
            }
        }),
    )
}

#[tokio::test]
async fn ten_thousand_tools_are_too_many() {
    let all = |_| {
        let names: Vec<String> = (0..10_000).map(|n| format!("t{n}")).collect();
        tools(&names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let remote = streamable(listing(all)).await;
    let found = open(&remote, "test").await.unwrap();
    assert_eq!(found.len(), mcp::protocol::MAX_TOOLS);
    // And pages without end are not followed for ever.
    let endless = |page: u64| json!({"tools": [], "nextCursor": (page + 1).to_string()});
    let remote = streamable(listing(endless)).await;
    assert!(open(&remote, "test").await.unwrap().is_empty());
}

#[tokio::test]
async fn the_dead_and_the_silent_are_given_up() {
    // Nobody listens any more.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let target = Target {
        transport: Transport::StreamableHttp,
        url: url(address, "/mcp"),
        headers: HeaderMap::new(),
    };
    let remote = web().remote(target).await.unwrap();
    let dead = open(&remote, "test").await.unwrap_err();
    assert!(matches!(dead, Error::Unreachable(_)), "{dead}");
    // Who waits for a silent one can stop at any time.
    let silent = Router::new().route(
        "/mcp",
        post(|| async { std::future::pending::<()>().await }),
    );
    let remote = streamable(silent).await;
    let waited = tokio::time::timeout(Duration::from_millis(50), open(&remote, "test")).await;
    assert!(waited.is_err());
}

type Outbox = Arc<Mutex<Option<mpsc::UnboundedSender<Event>>>>;

/// A server of the older kind.
fn older(endpoint: &'static str) -> Router {
    let outbox = Outbox::default();
    let events = move |State(outbox): State<Outbox>| async move {
        let (sender, receiver) = mpsc::unbounded_channel();
        let first = Event::default().event("endpoint").data(endpoint);
        sender.send(first).unwrap();
        *outbox.lock() = Some(sender);
        Sse::new(futures::stream::unfold(receiver, |mut events| async {
            Some((Ok::<_, Infallible>(events.recv().await?), events))
        }))
    };
    let take = |State(outbox): State<Outbox>, headers: HeaderMap, Json(message): Json<Value>| async move {
        assert_eq!(headers["x-key"], "secret");
        let result = match message["method"].as_str() {
            Some("tools/list") => tools(&["old"]),
            Some("tools/call") if message["params"]["name"] == "hangs up" => {
                outbox.lock().take();
                return StatusCode::ACCEPTED;
            }
            Some("tools/call") => json!({"content": [{"type": "text", "text": "said"}]}),
            _ => json!({}),
        };
        let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
        if let Some(outbox) = outbox.lock().as_ref() {
            let _ = outbox.send(Event::default().data(answer.to_string()));
        }
        StatusCode::ACCEPTED
    };
    Router::new()
        .route("/sse", get(events))
        .route("/messages", post(take))
        .with_state(outbox)
}

#[tokio::test]
async fn a_server_is_asked_by_its_stream_of_events() {
    let remote = reach(older("/messages?s=1"), "/sse", Transport::Sse)
        .await
        .unwrap();
    assert_eq!(open(&remote, "test").await.unwrap()[0].name, "old");
    let said = channel::call(&remote, "old", &Map::new()).await.unwrap();
    assert_eq!(said.content[0].text, "said");
    let gone = channel::call(&remote, "hangs up", &Map::new()).await;
    assert!(matches!(gone, Err(Error::Unreachable(_))), "{gone:?}");
    assert!(remote.request("ping", json!({})).await.is_err());
}

#[tokio::test]
async fn messages_go_to_the_server_that_was_configured() {
    for endpoint in ["http://169.254.169.254/", "//evil.example/m", "https:/"] {
        let refused = reach(older(endpoint), "/sse", Transport::Sse).await;
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, Error::Protocol(_)),
            "{endpoint}: {refused}"
        );
    }
}
