//! Requests against a small server in this process: what goes out, and how
//! answers of every kind are read.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use client::{Client, Error};
use http::StatusCode;

/// A server that answers everything with `answer` and remembers what it saw.
async fn server(
    answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
) -> (Client, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let answer = Arc::new(answer);
    let app = Router::new().fallback(move |request: Request| {
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .map_or("", |v| v.to_str().unwrap())
                .to_owned()
        };
        log.lock().unwrap().push(format!(
            "{} {} token={} extra={}",
            request.method(),
            request.uri(),
            header("coder-session-token"),
            header("x-extra")
        ));
        let answer = answer(&request);
        async move { answer }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let mut headers = http::HeaderMap::new();
    headers.insert("x-extra", "yes".parse().unwrap());
    let client = Client::builder(url)
        .token("key-secret".to_owned().into())
        .headers(headers)
        .build()
        .unwrap();
    (client, seen)
}

fn json(status: u16, body: &str) -> Response {
    (
        StatusCode::from_u16(status).unwrap(),
        [("content-type", "application/json; charset=utf-8")],
        body.to_owned(),
    )
        .into_response()
}

#[tokio::test]
async fn requests_carry_token_and_headers_and_encode_names() {
    let (client, seen) = server(|_| json(200, "{\"username\":\"ann\"}")).await;
    assert_eq!(client.user("a/n?n").await.unwrap().username, "ann");
    assert_eq!(
        seen.lock().unwrap()[0],
        "GET /api/v2/users/a%2Fn%3Fn token=key-secret extra=yes"
    );
}

#[tokio::test]
async fn names_that_would_address_something_else_never_leave() {
    let (client, seen) = server(|_| json(200, "{}")).await;
    for name in ["", ".", ".."] {
        assert!(
            matches!(client.user(name).await, Err(Error::Path(_))),
            "{name:?}"
        );
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn errors_carry_what_the_server_says() {
    let body = "{\"message\":\"Name taken.\",\"detail\":\"d\",\"validations\":[{\"field\":\"name\",\"detail\":\"in use\"}]}";
    let (client, _) = server(move |_| json(409, body)).await;
    let error = client.user("ann").await.unwrap_err();
    let api = error.api().unwrap();
    assert_eq!(
        (api.status, api.message.as_str(), api.detail.as_str()),
        (StatusCode::CONFLICT, "Name taken.", "d")
    );
    assert_eq!(api.validations[0].field, "name");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn signed_out_people_are_told_what_to_do() {
    let (client, _) = server(|_| json(401, "{\"message\":\"You are signed out.\"}")).await;
    let error = client.user("me").await.unwrap_err();
    assert!(
        error
            .api()
            .unwrap()
            .suggestion
            .as_ref()
            .unwrap()
            .contains("coder login")
    );
}

#[tokio::test]
async fn foreign_answers_are_named_as_such() {
    let (client, _) =
        server(|_| (StatusCode::BAD_GATEWAY, "<html>nginx</html>").into_response()).await;
    let error = client.user("me").await.unwrap_err();
    assert!(error.is_transient());
    assert!(
        error.to_string().contains("unexpected answer 502") && !error.to_string().contains("html")
    );

    let (client, _) = server(|_| (StatusCode::OK, "<html>a page</html>").into_response()).await;
    assert!(matches!(client.user("me").await, Err(Error::Decode { .. })));
}

#[tokio::test]
async fn a_404_without_our_header_is_no_deployment() {
    let (client, _) = server(|_| json(404, "{\"message\":\"nothing\"}")).await;
    let error = client.has_first_user().await.unwrap_err();
    assert!(error.to_string().contains("not a Coder deployment"));

    let (client, _) = server(|_| {
        let mut answer = json(
            404,
            "{\"message\":\"The initial user has not been created!\"}",
        );
        answer
            .headers_mut()
            .insert("x-coder-build-version", "v2.38.0".parse().unwrap());
        answer
    })
    .await;
    assert!(!client.has_first_user().await.unwrap());
    assert_eq!(client.server_version(), Some("v2.38.0"));
}

#[tokio::test]
async fn the_token_does_not_follow_a_redirect_to_another_host() {
    let (elsewhere, seen) = server(|_| json(200, "{\"username\":\"thief\"}")).await;
    // Another host as far as anybody can tell by its name.
    let target = format!(
        "http://localhost:{}/stolen",
        elsewhere.url().port().unwrap()
    );
    let (client, _) = server(move |_| {
        Response::builder()
            .status(302)
            .header("location", &target)
            .body(Body::empty())
            .unwrap()
    })
    .await;
    let error = client.user("me").await.unwrap_err();
    assert!(error.to_string().contains("redirect"), "{error}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn redirects_on_the_same_host_are_followed() {
    let (client, _) = server(|request| {
        if request.uri().path() == "/moved" {
            return json(200, "{\"username\":\"ann\"}");
        }
        Response::builder()
            .status(307)
            .header("location", "/moved")
            .body(Body::empty())
            .unwrap()
    })
    .await;
    assert_eq!(client.user("me").await.unwrap().username, "ann");
}

#[tokio::test]
async fn lists_may_be_null_and_nothing_need_change() {
    let (client, _) = server(|request| match request.method().as_str() {
        "PATCH" => StatusCode::NOT_MODIFIED.into_response(),
        _ => json(200, "null"),
    })
    .await;
    assert!(client.tokens("me", false, false).await.unwrap().is_empty());
    let unchanged = client
        .template_update(uuid::Uuid::nil(), &api_types::UpdateTemplateMeta::default())
        .await
        .unwrap();
    assert!(unchanged.is_none());
}

#[tokio::test]
async fn a_download_larger_than_allowed_is_cut_off() {
    let (client, _) = server(|_| vec![0u8; 2000].into_response()).await;
    let error = client
        .call(http::Method::GET, "/api/v2/big")
        .read(1999)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("larger than 1999 bytes"));
}

#[tokio::test]
async fn nobody_at_the_other_end_is_a_transient_error_without_secrets() {
    let client = Client::new(
        "http://user:pass@127.0.0.1:1/".parse().unwrap(),
        "t".to_owned().into(),
    )
    .unwrap();
    let error = client.user("me").await.unwrap_err();
    assert!(error.is_transient());
    assert!(!error.to_string().contains("pass"), "{error}");
}

#[tokio::test]
async fn only_web_addresses_make_a_client() {
    for url in ["ftp://x/", "file:///etc/passwd", "mailto:a@b"] {
        assert!(
            Client::new(url.parse().unwrap(), String::new().into()).is_err(),
            "{url}"
        );
    }
}
