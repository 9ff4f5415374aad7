//! MCP servers: what managers set and members see, and how members connect their accounts.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use mcp::guard::{Guard, Web};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::app::{App, cookie};

const SERVERS: &str = "/organizations/default/mcp-servers";

/// An application with a sealed database that may reach this machine; owner and member.
async fn app() -> (App, String, String) {
    let seal = store::seal::Seal::new(&[api_types::Secret::new(vec![3; 32])]).unwrap();
    let kept = seal.clone();
    let app = App::with(server::RateLimits::new(None, true), |settings| {
        settings.seal = kept;
    })
    .await;
    app.db
        .store
        .conn()
        .await
        .unwrap()
        .seal_register(&seal)
        .await
        .unwrap();
    let here = vec!["127.0.0.0/8".parse().unwrap()];
    let web = Web::new(Guard::new(here), client::system_tls().unwrap()).unwrap();
    app.control.mcp_web_set(web);
    let owner = app.user("owner", &["owner"]).await.token.expose().clone();
    let member = app.user("member", &[]).await.token.expose().clone();
    (app, owner, member)
}

fn server(slug: &str) -> Value {
    json!({
        "display_name": "Docs", "slug": slug, "url": "http://127.0.0.1:1/mcp?key=inurl",
        "transport": "streamable_http", "auth_type": "none", "availability": "default_off",
        "enabled": true,
    })
}

#[tokio::test]
async fn a_servers_life() {
    let (app, owner, member) = app().await;
    let mut request = server("docs");
    request["auth_type"] = "api_key".into();
    request["api_key_header"] = "X-Key".into();
    request["api_key_value"] = "s3cret-key-value".into();
    request["tool_allow_list"] = json!([" a ", ""]);
    let made = app
        .call("POST", SERVERS, &owner, request.clone())
        .await
        .is(201);
    assert!(!made.text.contains("s3cret"), "{}", made.text);
    let made = made.json();
    assert_eq!(
        (&made["has_api_key"], &made["tool_allow_list"]),
        (&json!(true), &json!(["a"]))
    );
    assert_eq!(made["auth_connected"], true);
    app.call("POST", SERVERS, &owner, request).await.is(409);
    let path = format!("{SERVERS}/{}", made["id"].as_str().unwrap());

    // At rest nothing of it can be read.
    let sql = "SELECT secrets, secrets_key_id FROM mcp_server_configs";
    let row = app.db.query_one(sql, &[]).await.unwrap();
    let (sealed, key): (String, Option<String>) = (row.get(0), row.get(1));
    assert!(!sealed.contains("s3cret") && key.is_some());

    // Members see no addresses, and nothing that is switched off.
    let seen = app.get(&path, &member).await.is(200);
    assert!(
        !seen.text.contains("127.0.0.1") && !seen.text.contains("X-Key"),
        "{}",
        seen.text
    );
    assert_eq!(seen.json()["slug"], "docs");
    let off = json!({ "enabled": false });
    app.call("PATCH", &path, &owner, off).await.is(200);
    app.get(&path, &member).await.is(404);
    assert_eq!(app.get(SERVERS, &member).await.is(200).json(), json!([]));
    assert_eq!(
        app.get(SERVERS, &owner)
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );

    // Another way to sign in leaves nothing of the old one.
    let headers =
        json!({ "auth_type": "custom_headers", "custom_headers": { "X-A": "b" }, "enabled": true });
    let changed = app
        .call("PATCH", &path, &owner, headers)
        .await
        .is(200)
        .json();
    assert_eq!(
        (&changed["has_api_key"], &changed["has_custom_headers"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(changed["slug"], "docs");

    // Shared with nobody, it is not there.
    let everyone = app.get("/organizations/default", &owner).await.json()["id"].clone();
    let nobody = json!({ "group_roles": { everyone.as_str().unwrap(): "" } });
    app.call("PATCH", &format!("{path}/acl"), &owner, nobody)
        .await
        .is(204);
    app.get(&path, &member).await.is(404);
    let me = app.get("/users/me", &member).await.json()["id"].clone();
    let reader = json!({ "user_roles": { me.as_str().unwrap(): "read" } });
    app.call("PATCH", &format!("{path}/acl"), &owner, reader)
        .await
        .is(204);
    app.get(&path, &member).await.is(200);
    let list = app.get(&format!("{path}/acl"), &owner).await.is(200).json();
    assert_eq!(
        (&list["users"][0]["id"], &list["users"][0]["role"]),
        (&me, &json!("read"))
    );

    app.call("DELETE", &path, &owner, Value::Null).await.is(204);
    app.get(&path, &owner).await.is(404);
    let audit = app
        .get("/audit?q=resource_type:mcp_server_config", &owner)
        .await
        .is(200);
    assert!(
        audit.text.contains("docs") && !audit.text.contains("s3cret"),
        "{}",
        audit.text
    );
}

#[tokio::test]
async fn wrong_servers_are_refused() {
    let (app, owner, _) = app().await;
    for (field, bad) in [
        ("slug", json!("")),
        ("slug", json!("x".repeat(65))),
        ("display_name", json!(" ")),
        ("url", json!("ftp://x/")),
        ("url", json!("no address")),
        ("transport", json!("pigeon")),
        ("auth_type", json!("charm")),
        ("auth_type", json!("api_key")),
        ("auth_type", json!("custom_headers")),
        ("availability", json!("maybe")),
        ("oauth2_token_url", json!("x")),
        ("oauth2_revocation_url", json!("http://a.example/revoke")),
        ("custom_headers", json!({ "Host": "x" })),
        ("custom_headers", json!({ "X-A": "a\r\nb" })),
        ("custom_headers", json!({ "a b": "c" })),
    ] {
        let mut request = server("docs");
        if field.starts_with("oauth2") {
            // Otherwise it is not looked at, nor kept.
            request["auth_type"] = "oauth2".into();
        }
        request[field] = bad.clone();
        let answer = app.call("POST", SERVERS, &owner, request).await;
        assert_eq!(answer.status, 400, "{field} {bad}: {}", answer.text);
    }
    let mut half = server("docs");
    half["auth_type"] = "oauth2".into();
    half["oauth2_client_id"] = "x".into();
    app.call("POST", SERVERS, &owner, half).await.is(400);
    // Nobody is there to be asked, and what is inside is not asked at all.
    for url in ["http://127.0.0.1:1/mcp", "http://169.254.169.254/latest/"] {
        let mut request = server("docs");
        request["auth_type"] = "oauth2".into();
        request["url"] = url.into();
        let answer = app.call("POST", SERVERS, &owner, request).await.is(400);
        assert!(
            answer.message().contains("auto-discovery failed"),
            "{}",
            answer.text
        );
    }
    assert_eq!(app.get(SERVERS, &owner).await.json(), json!([]));
}

type Heard = Arc<Mutex<Vec<String>>>;

/// A resource with its authorization server, which says yes to everything; tokens live a second.
async fn authorization() -> (SocketAddr, Heard) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let base = format!("http://{address}");
    let heard = Heard::default();
    let resource = json!({ "authorization_servers": [base] });
    let metadata = json!({
        "authorization_endpoint": format!("{base}/authorize?tenant=1"),
        "token_endpoint": format!("{base}/token"),
        "registration_endpoint": format!("{base}/register"),
        "revocation_endpoint": format!("{base}/revoke"),
        "scopes_supported": ["read", "write"],
    });
    async fn token(
        State(heard): State<Heard>,
        _: HeaderMap,
        body: String,
    ) -> (StatusCode, Json<Value>) {
        heard.lock().push(body.clone());
        let refreshes = |body: &String| body.contains("refresh_token=");
        let again = refreshes(&body) && heard.lock().iter().filter(|b| refreshes(b)).count() > 1;
        if body.contains("wrong") || again {
            let refused = json!({ "error": "invalid_grant" });
            return (StatusCode::BAD_REQUEST, Json(refused));
        }
        let given = json!({ "access_token": "at-1", "refresh_token": "rt-1", "token_type": "bearer", "expires_in": 1 });
        (StatusCode::OK, Json(given))
    }
    let router = Router::new()
        .route(
            "/.well-known/oauth-protected-resource/mcp",
            get(move || async move { Json(resource) }),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(move || async move { Json(metadata) }),
        )
        .route(
            "/register",
            post(|| async { (StatusCode::CREATED, Json(json!({ "client_id": "c-1" }))) }),
        )
        .route("/token", post(token))
        .route(
            "/revoke",
            post(|State(heard): State<Heard>, body: String| async move {
                heard.lock().push(format!("revoke {body}"));
            }),
        )
        .with_state(heard.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, heard)
}

#[tokio::test]
async fn a_member_connects_an_account() {
    let (app, owner, member) = app().await;
    let (address, heard) = authorization().await;
    let mut request = server("docs");
    request["auth_type"] = "oauth2".into();
    request["url"] = format!("http://{address}/mcp").into();
    let made = app
        .call("POST", SERVERS, &owner, request)
        .await
        .is(201)
        .json();
    assert_eq!(made["oauth2_client_id"], "c-1");
    assert_eq!(made["oauth2_scopes"], "read write");
    assert_eq!(
        made["oauth2_revocation_url"],
        format!("http://{address}/revoke")
    );
    let id = made["id"].as_str().unwrap();
    let path = format!("{SERVERS}/{id}");
    assert_eq!(
        app.get(&path, &member).await.json()["auth_connected"],
        false
    );

    let start = app
        .get(&format!("{path}/oauth2/connect"), &member)
        .await
        .is(307);
    let to: url::Url = start.header("location").parse().unwrap();
    let asked: std::collections::HashMap<_, _> = to.query_pairs().into_owned().collect();
    assert_eq!(
        (
            asked["tenant"].as_str(),
            asked["code_challenge_method"].as_str()
        ),
        ("1", "S256")
    );
    let callback = format!("/api/experimental/mcp/servers/{id}/oauth2/callback");
    assert_eq!(
        asked["redirect_uri"],
        format!("http://coder.test{callback}")
    );
    let state = cookie(&start, &format!("mcp_oauth2_state_{id}"));
    let verifier = cookie(&start, &format!("mcp_oauth2_verifier_{id}"));
    assert_eq!(
        (state.as_str(), verifier.len()),
        (asked["state"].as_str(), 43)
    );
    assert_eq!(mcp::oauth::challenge(&verifier), asked["code_challenge"]);

    let jar = format!("mcp_oauth2_state_{id}={state}; mcp_oauth2_verifier_{id}={verifier}");
    let back = async |query: &str, jar: &str| {
        let headers = [("Coder-Session-Token", member.as_str()), ("Cookie", jar)];
        app.send("GET", &format!("!{callback}?{query}"), &headers, "")
            .await
    };
    back(&format!("code=c&state={state}"), "").await.is(400);
    back("code=c&state=other", &jar).await.is(400);
    back(&format!("state={state}"), &jar).await.is(400);
    let denied = back("error=access_denied&error_description=%3Cb%3Eno", &jar)
        .await
        .is(400);
    assert_eq!(denied.json()["detail"], "<b>no");
    back(&format!("code=wrong&state={state}"), &jar)
        .await
        .is(502);
    let done = back(&format!("code=good&state={state}"), &jar)
        .await
        .is(200);
    assert!(
        done.text.contains("mcp-oauth2-complete") && done.text.contains(id),
        "{}",
        done.text
    );
    assert!(
        done.header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert!(
        heard
            .lock()
            .iter()
            .any(|body| body.contains(&format!("code_verifier={verifier}")))
    );

    // A second later it is got anew; after the next refusal only the member can help.
    let sql = "SELECT access_token, refresh_token FROM mcp_server_user_tokens";
    let row = app.db.query_one(sql, &[]).await.unwrap();
    let kept: [String; 2] = [row.get(0), row.get(1)];
    assert!(kept.iter().all(|text| !text.contains("t-1")));
    assert_eq!(app.get(&path, &member).await.json()["auth_connected"], true);
    assert_eq!(app.get(&path, &owner).await.json()["auth_connected"], false);
    assert_eq!(
        app.get(&path, &member).await.json()["auth_connected"],
        false
    );
    let asked = heard.lock().len();
    assert_eq!(
        app.get(SERVERS, &member).await.json()[0]["auth_connected"],
        false
    );
    assert_eq!(
        heard.lock().len(),
        asked,
        "it is not asked for again and again"
    );

    let disconnect = format!("/mcp/servers/{id}/oauth2/disconnect");
    let gone = app
        .call("DELETE", &disconnect, &member, Value::Null)
        .await
        .is(200)
        .json();
    assert_eq!(gone, json!({ "token_revoked": true }));
    assert!(heard.lock().last().unwrap().contains("rt-1"));
    let nothing = app
        .call("DELETE", &disconnect, &member, Value::Null)
        .await
        .is(200)
        .json();
    assert_eq!(nothing, json!({ "token_revoked": false }));

    // Access was given to that server, not to another.
    back(&format!("code=good&state={state}"), &jar)
        .await
        .is(200);
    let moved = json!({ "url": "https://elsewhere.example/mcp" });
    app.call("PATCH", &path, &owner, moved).await.is(200);
    let left = app
        .db
        .query_one("SELECT count(*) FROM mcp_server_user_tokens", &[])
        .await
        .unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}
