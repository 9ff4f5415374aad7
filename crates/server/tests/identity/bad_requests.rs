//! Bad input: an answer that says what is wrong, never a 500.

use serde_json::json;

use crate::app::App;

#[tokio::test]
async fn bad_bodies() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    let token = [("Coder-Session-Token", owner.token.expose().as_str())];
    let deep = format!("{{\"x\":{}", "[".repeat(10_000));
    for bad in [
        "",
        "{",
        "[]",
        "\"text\"",
        "{\"username\":1}",
        "\u{0}",
        &deep,
    ] {
        let answer = app
            .send("POST", "/users", &token, bad.to_owned())
            .await
            .is(400);
        assert!(
            answer
                .header("content-type")
                .starts_with("application/json"),
            "{bad:.20}"
        );
        assert!(!answer.message().is_empty());
    }
    app.send("POST", "/users", &token, vec![0xff, 0xfe])
        .await
        .is(400);
    let huge = format!("{{\"username\":\"{}\"}}", "x".repeat(5 << 20));
    app.send("POST", "/users", &token, huge).await.is(413);
    for name in ["a\u{0}b", "😀", &"x".repeat(10_000)] {
        let body = json!({"username": name, "email": "a@b.c"}).to_string();
        app.send("POST", "/users", &token, body).await.is(400);
    }
}

#[tokio::test]
async fn bad_paths() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    let token = owner.token.expose();
    let missing = app.get("/nonsense", token).await.is(404);
    assert_eq!(missing.message(), "Route not found.");
    assert_eq!(
        app.get("/users/me/nonsense/x/y", "")
            .await
            .is(404)
            .message(),
        "Route not found."
    );
    app.call("DELETE", "/buildinfo", token, json!(null))
        .await
        .is(405);
    let unreadable = "Resource not found or you do not have access to this resource";
    for path in [
        "/users/nobody",
        "/users/00000000-0000-0000-0000-000000000000",
        "/users/%F0%9F%98%80",
        "/users/owner@example.com",
        "/organizations/nonsense",
        "/organizations/6a0d8ad8-97a5-4b7e-8b4c-5f3b5f0f5b11",
        "/organizations/default/members/nobody",
        "/users/me/keys/xxxxxxxxxx",
    ] {
        assert_eq!(
            app.get(path, token).await.is(404).message(),
            unreadable,
            "{path}"
        );
    }
    for path in [
        "/users/%00",
        "/users/%FF",
        "/organizations/a%00b",
        "/users/me/keys/%00",
    ] {
        app.get(path, token).await.is(400);
    }
    app.get("/organizations/00000000-0000-0000-0000-000000000000", token)
        .await
        .is(200);
    app.send("GET", "!//api//v2///buildinfo", &[], "")
        .await
        .is(200);
    let odd = format!("/users/{{{}}}", owner.id)
        .replace('{', "%7B")
        .replace('}', "%7D");
    app.get(&odd, token).await.is(200);
}

#[tokio::test]
async fn answers_carry_their_headers() {
    let app = App::new().await;
    for path in ["/buildinfo", "/nonsense", "!/healthz", "!/"] {
        let answer = app.get(path, "").await;
        assert_eq!(
            answer.header("x-coder-build-version"),
            api_types::VERSION,
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(
            answer
                .header("x-coder-request-id")
                .parse::<uuid::Uuid>()
                .is_ok(),
            "{path}"
        );
    }
    let info = app.get("/buildinfo", "").await.is(200).json();
    assert_eq!(info["version"], api_types::VERSION);
    assert_eq!(info["dashboard_url"], "http://coder.test");
    let features = app.get("/entitlements", "").await.is(200).json()["features"].clone();
    let all = features.as_object().unwrap();
    // All are there for everyone; one narrows what people may do, and is off by default.
    assert!(
        all.len() > 20
            && all.iter().all(|(name, f)| f["entitlement"] == "entitled"
                && f["enabled"] == (name != "browser_only"))
    );
}

#[tokio::test]
async fn without_its_database_the_server_says_so() {
    let app = App::new().await;
    let user = app.user("ann", &[]).await;
    app.db.store.close();
    let answer = app.get("/users/me", user.token.expose()).await.is(503);
    assert_eq!(answer.header("retry-after"), "1");
    app.send("GET", "!/healthz", &[], "").await.is(200);
}

/// Whatever has a unique name is made once, however many ask for it at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_of_one_name_one_is_made() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    let token = owner.token.expose();
    let role = json!({"name": "same", "display_name": "", "site_permissions": [],
        "user_permissions": [], "organization_permissions": []});
    let user = json!({"username": "same", "email": "same@example.com", "login_type": "password",
        "password": "Correct-Horse-9", "organization_ids": [testkit::default_organization(&app.db).await]});
    for (path, body, refusals) in [
        ("/users", user, 409),
        ("/organizations", json!({"name": "same"}), 409),
        (
            "/organizations/default/groups",
            json!({"name": "same"}),
            409,
        ),
        ("/organizations/default/members/roles", role, 409),
        ("/users/me/keys/tokens", json!({"token_name": "same"}), 409),
    ] {
        let calls = (0..16).map(|_| app.call("POST", path, token, body.clone()));
        let answers = futures::future::join_all(calls).await;
        let count = |status: u16| answers.iter().filter(|a| a.status == status).count();
        let made = count(201) + count(200);
        let told: Vec<_> = answers
            .iter()
            .map(|a| (a.status.as_u16(), &a.text))
            .collect();
        assert_eq!((made, count(refusals)), (1, 15), "{path}: {told:?}");
    }
}
