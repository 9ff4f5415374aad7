//! Access to a server, from finding out who is asked to taking tokens back.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use mcp::oauth::{self, Client, Grant, TokenError};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::world::{start, url, web};

type Heard = Arc<Mutex<Vec<(HeaderMap, Vec<(String, String)>)>>>;

/// An authorization server that answers token requests and revocations with `answers`, in order.
async fn server(answers: Vec<(u16, Value)>) -> (std::net::SocketAddr, Heard) {
    let heard = Heard::default();
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let say = move |State(heard): State<Heard>, headers: HeaderMap, body: String| {
        let answers = answers.clone();
        async move {
            let form = url::form_urlencoded::parse(body.as_bytes());
            heard.lock().push((headers, form.into_owned().collect()));
            let (status, body) = answers.lock().next().expect("an answer");
            (StatusCode::from_u16(status).unwrap(), Json(body))
        }
    };
    let router = Router::new()
        .route("/token", post(say.clone()))
        .route("/revoke", post(say))
        .with_state(heard.clone());
    (start(router).await, heard)
}

fn client(secret: &str) -> Client {
    Client {
        id: "a id".into(),
        secret: secret.to_owned().into(),
    }
}

#[tokio::test]
async fn a_server_tells_whom_to_ask() {
    let issuer = Router::new()
        .route(
            "/.well-known/oauth-authorization-server/tenant",
            get(|| async {
                Json(json!({
                    "authorization_endpoint": "https://as.example/authorize",
                    "token_endpoint": "https://as.example/token",
                    "registration_endpoint": "https://as.example/register",
                    "revocation_endpoint": "https://as.example/revoke",
                    "scopes_supported": ["a", "b"],
                }))
            }),
        )
        .route(
            "/register",
            post(|Json(asked): Json<Value>| async move {
                assert_eq!(asked["redirect_uris"], json!(["https://coder.example/cb"]));
                (StatusCode::CREATED, Json(json!({"client_id": "c1"})))
            }),
        );
    let issuer = start(issuer).await;
    let tenant = url(issuer, "/tenant").to_string();
    let resource = Router::new()
        .route(
            "/.well-known/oauth-protected-resource/mcp",
            get(|| async { Redirect::temporary("/moved") }),
        )
        .route(
            "/moved",
            get(move || async move { Json(json!({"authorization_servers": [tenant]})) }),
        );
    let resource = start(resource).await;
    let found = oauth::discover(&web(), &url(resource, "/mcp"))
        .await
        .unwrap();
    assert_eq!(found.token.as_str(), "https://as.example/token");
    assert_eq!(found.scopes, "a b");
    let (web, callback) = (web(), "https://coder.example/cb");
    let endpoint = url(issuer, "/register");
    let known = oauth::register(&web, &endpoint, "Coder", callback).await;
    assert_eq!(known.unwrap().id, "c1");
    let nowhere = url(issuer, "/nowhere");
    let refused = oauth::register(&web, &nowhere, "Coder", callback).await;
    assert!(refused.unwrap_err().to_string().contains("404"));
}

#[tokio::test]
async fn discovery_does_not_lead_into_private_networks() {
    async fn lead(State(to): State<&'static str>) -> Response {
        Redirect::temporary(to).into_response()
    }
    async fn name(State(to): State<&'static str>) -> Response {
        Json(json!({"authorization_servers": [to]})).into_response()
    }
    let metadata = "http://169.254.169.254/latest/";
    for router in [
        Router::new().route("/.well-known/oauth-protected-resource", get(lead)),
        Router::new().route("/.well-known/oauth-protected-resource", get(name)),
    ] {
        let address = start(router.with_state(metadata)).await;
        let refused = oauth::discover(&web(), &url(address, "/"))
            .await
            .unwrap_err();
        assert!(
            refused.to_string().contains("not connected to"),
            "{refused}"
        );
    }
    let to = "http://10.0.0.1/register".parse().unwrap();
    let refused = oauth::register(&web(), &to, "Coder", "x")
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("not connected to"),
        "{refused}"
    );
}

#[tokio::test]
async fn codes_and_older_tokens_become_tokens() {
    let good = json!({"access_token": "t1", "refresh_token": "r1", "token_type": "bearer", "expires_in": "60"});
    let (address, heard) = server(vec![
        (200, good),
        (401, json!({"error": "invalid_client"})),
        (200, json!({"access_token": "t2"})),
        (
            400,
            json!({"error": "invalid_grant", "error_description": "secret words"}),
        ),
        (200, json!({"error": "bad_refresh_token"})),
        (503, json!("busy")),
        (200, json!({})),
    ])
    .await;
    let token = url(address, "/token");
    let grant = Grant::Code {
        code: "c",
        callback: "https://x/cb",
        verifier: "v",
    };
    let tokens = oauth::exchange(&web(), &token, &client(""), grant)
        .await
        .unwrap();
    assert_eq!(tokens.lives.map(|d| d.as_secs()), Some(60));
    {
        let heard = heard.lock();
        let form: Vec<_> = heard[0]
            .1
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        for pair in [
            ("code_verifier", "v"),
            ("client_id", "a id"),
            ("grant_type", "authorization_code"),
        ] {
            assert!(form.contains(&pair), "{form:?}");
        }
    }
    // A secret goes into the header; into the body for those who insist.
    let old = "r1".to_owned().into();
    let tokens = oauth::refresh(&web(), &token, &client("s"), &old)
        .await
        .unwrap();
    assert_eq!(
        (
            tokens.access.expose().as_str(),
            tokens.refresh.expose().as_str()
        ),
        ("t2", "r1")
    );
    {
        let heard = heard.lock();
        assert_eq!(heard[1].0["authorization"], "Basic YStpZDpz");
        assert!(heard[1].1.iter().all(|(name, _)| name != "client_secret"));
        assert!(heard[2].1.contains(&("client_secret".into(), "s".into())));
    }
    for is_final in [true, true, false, false] {
        let refused = oauth::refresh(&web(), &token, &client(""), &old)
            .await
            .unwrap_err();
        assert_eq!(refused.is_final(), is_final, "{refused}");
        assert!(!refused.to_string().contains("secret words"));
    }
    let nowhere = "http://127.0.0.2:1/token".parse().unwrap();
    let failed = oauth::refresh(&web(), &nowhere, &client(""), &old).await;
    assert!(matches!(failed, Err(TokenError::Failed(_))));
}

#[tokio::test]
async fn the_stronger_token_is_taken_back() {
    let (address, heard) = server(vec![
        (200, json!({})),
        (400, json!({"error": "unsupported_token_type"})),
        (204, json!(null)),
        (400, json!({"error": "invalid_client", "echo": "s3cret"})),
    ])
    .await;
    let endpoint = url(address, "/revoke");
    let (access, refresh) = ("a1".to_owned().into(), "r1".to_owned().into());
    let client = client("s3cret");
    for _ in 0..2 {
        oauth::revoke(&web(), &endpoint, &client, &access, &refresh)
            .await
            .unwrap();
    }
    let refused = oauth::revoke(&web(), &endpoint, &client, &access, &refresh)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("400") && !refused.to_string().contains("s3cret"));
    let tokens: Vec<String> = heard
        .lock()
        .iter()
        .map(|(_, form)| form[0].1.clone())
        .collect();
    assert_eq!(tokens, ["r1", "r1", "a1", "r1"]);
}
