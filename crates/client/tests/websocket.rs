//! WebSockets against a small server in this process.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use client::{Client, Error};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Close(_)) || socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn documents(mut socket: WebSocket) {
    for text in ["{\"n\":1}", "{\"n\":2}", "not json"] {
        socket.send(Message::Text(text.into())).await.unwrap();
    }
    socket.send(Message::Ping("x".into())).await.unwrap();
    socket
        .send(Message::Text("{\"n\":3}".into()))
        .await
        .unwrap();
    socket.send(Message::Close(None)).await.unwrap();
}

async fn text(mut socket: WebSocket) {
    socket.send(Message::Text("surprise".into())).await.unwrap();
    let _ = socket.recv().await;
}

fn wrong_accept() -> Response {
    let mut answer = http::StatusCode::SWITCHING_PROTOCOLS.into_response();
    answer
        .headers_mut()
        .insert("connection", "upgrade".parse().unwrap());
    answer
        .headers_mut()
        .insert("upgrade", "websocket".parse().unwrap());
    answer
        .headers_mut()
        .insert("sec-websocket-accept", "nonsense".parse().unwrap());
    answer
}

async fn client() -> Client {
    let app = Router::new()
        .route(
            "/echo",
            any(|up: WebSocketUpgrade| async { up.on_upgrade(echo) }),
        )
        .route(
            "/documents",
            any(|up: WebSocketUpgrade| async { up.on_upgrade(documents) }),
        )
        .route(
            "/text",
            any(|up: WebSocketUpgrade| async { up.on_upgrade(text) }),
        )
        .route("/wrong", any(|| async { wrong_accept() }))
        .route(
            "/refused",
            any(|| async {
                (
                    http::StatusCode::CONFLICT,
                    [("content-type", "application/json")],
                    "{\"message\":\"Not now.\"}",
                )
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    Client::new(url, "t".to_owned().into()).unwrap()
}

#[tokio::test]
async fn bytes_go_there_and_back() {
    let mut socket = client().await.websocket_bytes("/echo").await.unwrap();
    let sent: Vec<u8> = (0..200_000u32).map(|i| i as u8).collect();
    for chunk in sent.chunks(7000) {
        socket.write_all(chunk).await.unwrap();
    }
    socket.flush().await.unwrap();
    let mut got = vec![0; sent.len()];
    socket.read_exact(&mut got).await.unwrap();
    assert!(got == sent);
}

#[tokio::test]
async fn text_on_a_byte_socket_is_an_error() {
    let mut socket = client().await.websocket_bytes("/text").await.unwrap();
    assert!(socket.read_u8().await.is_err());
}

#[tokio::test]
async fn documents_come_one_by_one_and_the_close_ends_them() {
    let mut socket = client()
        .await
        .websocket_json::<Value>("/documents")
        .await
        .unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), json!({"n": 1}));
    assert_eq!(socket.next().await.unwrap().unwrap(), json!({"n": 2}));
    assert!(matches!(
        socket.next().await,
        Some(Err(Error::Decode { .. }))
    ));
    assert_eq!(socket.next().await.unwrap().unwrap(), json!({"n": 3}));
    assert!(socket.next().await.is_none());
}

#[tokio::test]
async fn a_refusal_is_the_servers_error() {
    let error = client()
        .await
        .websocket_messages("/refused")
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(http::StatusCode::CONFLICT));
    assert_eq!(error.to_string(), "Not now.");
}

#[tokio::test]
async fn a_wrong_handshake_is_refused() {
    let error = client()
        .await
        .websocket_messages("/wrong")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("handshake"), "{error}");
}
