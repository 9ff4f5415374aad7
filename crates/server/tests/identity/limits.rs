//! Rate limits and forged requests.

use serde_json::json;
use server::RateLimits;

use crate::app::App;

#[tokio::test]
async fn too_many_requests_are_refused_per_client_and_path() {
    let app = App::with(RateLimits::new(Some(3), false), |_| {}).await;
    let (ann, bob) = (app.user("ann", &[]).await, app.user("bob", &[]).await);
    let owner = app.user("owner", &["owner"]).await;
    for _ in 0..3 {
        app.get("/users/me", ann.token.expose()).await.is(200);
    }
    let refused = app.get("/users/me", ann.token.expose()).await.is(429);
    assert!(
        refused.message().contains("more than 3 requests"),
        "{}",
        refused.text
    );
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    app.get("/users", ann.token.expose()).await.is(200);
    app.get("/users/me", bob.token.expose()).await.is(200);
    for _ in 0..3 {
        app.get("/buildinfo", "").await.is(200);
    }
    app.get("/buildinfo", "").await.is(429);
    app.send("GET", "!/healthz", &[], "").await.is(200);
    let bypass = |token: &'static str| {
        [
            ("X-Coder-Bypass-Ratelimit", "true"),
            ("Coder-Session-Token", token),
        ]
    };
    let token: &'static str = owner.token.expose().clone().leak();
    for _ in 0..5 {
        app.send("GET", "/users/me", &bypass(token), "")
            .await
            .is(200);
    }
    let token: &'static str = bob.token.expose().clone().leak();
    app.send("GET", "/users/me", &bypass(token), "")
        .await
        .is(428);
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing() {
    let app = App::new().await;
    let user = app.user("ann", &[]).await;
    let token = user.token.expose();
    let cookie = format!("coder_session_token={token}; csrf_token=abc");
    let path = "/users/me/keys";
    let refused = app
        .send("POST", path, &[("Cookie", &cookie)], "")
        .await
        .is(400);
    assert!(refused.message().contains("CSRF"));
    app.send(
        "POST",
        path,
        &[("Cookie", &cookie), ("X-CSRF-TOKEN", "abd")],
        "",
    )
    .await
    .is(400);
    app.send(
        "POST",
        path,
        &[("Cookie", &cookie), ("X-CSRF-TOKEN", "abc")],
        "",
    )
    .await
    .is(201);
    app.send(
        "POST",
        path,
        &[("Cookie", &cookie), ("Coder-Session-Token", token)],
        "",
    )
    .await
    .is(201);
    // Reading needs no such proof, nor does a request without a session.
    app.send("GET", "/users/me", &[("Cookie", &cookie)], "")
        .await
        .is(200);
    let login = json!({"email": "x@y.z", "password": "x"}).to_string();
    app.send(
        "POST",
        "/users/login",
        &[("Cookie", "coder_session_token=old")],
        login,
    )
    .await
    .is(401);
}
