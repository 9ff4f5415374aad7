//! Keys, tokens and their scopes.

use serde_json::json;

use crate::app::App;

const HOUR: i64 = 3_600_000_000_000;

#[tokio::test]
async fn a_token_lives_its_life() {
    let app = App::new().await;
    let user = app.user("ann", &[]).await;
    let token = user.token.expose();
    assert_eq!(
        app.get("/users/me/keys/tokens", token).await.is(200).text,
        "null\n"
    );
    let wanted = json!({"token_name": "ci", "lifetime": HOUR, "scopes": ["workspace:read", "all"]});
    let made = app
        .call("POST", "/users/me/keys/tokens", token, wanted.clone())
        .await
        .is(201)
        .json();
    let secret = made["key"].as_str().unwrap();
    let again = app
        .call("POST", "/users/me/keys/tokens", token, wanted)
        .await
        .is(409);
    assert_eq!(again.json()["validations"][0]["field"], "name");
    let list = app.get("/users/me/keys/tokens", token).await.is(200).json();
    assert_eq!(list[0]["token_name"], "ci");
    assert_eq!(list[0]["scopes"], json!(["workspace:read", "coder:all"]));
    assert_eq!(list[0]["scope"], "all");
    assert_eq!(list[0]["allow_list"], json!(["*:*"]));
    assert_eq!(list[0]["username"], "ann");
    let named = app
        .get("/users/me/keys/tokens/ci", token)
        .await
        .is(200)
        .json();
    app.get("/users/me/keys/tokens/none", token).await.is(404);
    app.get("/users/me", secret).await.is(200);
    let path = format!("/users/me/keys/{}/expire", named["id"].as_str().unwrap());
    app.call("PUT", &path, token, json!(null)).await.is(204);
    let ended = app.get("/users/me", secret).await.is(401);
    assert!(ended.json()["detail"].as_str().unwrap().contains("expired"));
    assert_eq!(app.get("/users/me/keys/tokens", token).await.text, "null\n");
    let all = app
        .get("/users/me/keys/tokens?include_expired=true", token)
        .await
        .is(200)
        .json();
    assert_eq!(all.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn lifetimes_and_scopes_are_checked() {
    let app = App::new().await;
    let (user, owner) = (
        app.user("ann", &[]).await,
        app.user("owner", &["owner"]).await,
    );
    let make =
        async |token: &str, body| app.call("POST", "/users/me/keys/tokens", token, body).await;
    let (user, owner) = (user.token.expose(), owner.token.expose());
    for bad in [
        json!({"lifetime": -1}),
        json!({"lifetime": i64::MAX}),
        json!({"scopes": ["workspace:fly"]}),
        json!({"scopes": ["license:create"]}),
        json!({"scope": "everything"}),
        json!({"token_name": "x".repeat(10_000)}),
        json!({"token_name": "a\u{0}"}),
        json!({"allow_list": [{"type": "workspace", "id": "nonsense"}]}),
        json!({"allow_list": [{"type": "*", "id": "6a0d8ad8-97a5-4b7e-8b4c-5f3b5f0f5b11"}]}),
    ] {
        make(user, bad.clone()).await.is(400);
    }
    make(user, json!({"lifetime": 1000 * HOUR})).await.is(201);
    make(owner, json!({"lifetime": 1000 * HOUR})).await.is(400);
    let config = app
        .get("/users/me/keys/tokens/tokenconfig", owner)
        .await
        .is(200)
        .json();
    assert_eq!(config["max_token_lifetime"], 168 * HOUR);
}

#[tokio::test]
async fn a_key_reaches_no_further_than_its_scope_nor_do_its_children() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    let make =
        async |token: &str, body| app.call("POST", "/users/me/keys/tokens", token, body).await;
    let scope = json!({"scopes": ["coder:apikeys.manage_self", "user:read"]});
    let made = make(owner.token.expose(), scope.clone())
        .await
        .is(201)
        .json();
    let narrow = made["key"].as_str().unwrap();
    app.get("/users/me", narrow).await.is(200);
    app.get("/deployment/config", narrow).await.is(403);
    assert_eq!(
        app.get("/organizations", narrow).await.is(200).json(),
        json!([])
    );
    make(narrow, json!({"scopes": ["coder:all"]})).await.is(403);
    make(narrow, json!({})).await.is(403);
    make(narrow, scope).await.is(201);
    app.call("POST", "/users/me/keys", narrow, json!(null))
        .await
        .is(403);
    let connect = make(
        owner.token.expose(),
        json!({"scope": "application_connect"}),
    )
    .await
    .is(201);
    app.get("/users/me", connect.json()["key"].as_str().unwrap())
        .await
        .is(404);
}

#[tokio::test]
async fn keys_of_others_are_not_there() {
    let app = App::new().await;
    let (ann, bob) = (app.user("ann", &[]).await, app.user("bob", &[]).await);
    let owner = app.user("owner", &["owner"]).await;
    let id = bob.token.expose().split('-').next().unwrap();
    for token in [&ann, &owner] {
        // Not of this user, whoever asks.
        app.get(&format!("/users/ann/keys/{id}"), token.token.expose())
            .await
            .is(404);
    }
    app.call(
        "DELETE",
        &format!("/users/bob/keys/{id}"),
        ann.token.expose(),
        json!(null),
    )
    .await
    .is(404);
    app.call("POST", "/users/bob/keys", ann.token.expose(), json!(null))
        .await
        .is(404);
    app.get("/users/me", bob.token.expose()).await.is(200);
    app.call(
        "DELETE",
        &format!("/users/bob/keys/{id}"),
        owner.token.expose(),
        json!(null),
    )
    .await
    .is(204);
    app.get("/users/me", bob.token.expose()).await.is(401);
}

#[tokio::test]
async fn wrong_secrets_and_malformed_tokens_are_refused() {
    let app = App::new().await;
    let user = app.user("ann", &[]).await;
    let (id, secret) = user.token.expose().split_once('-').unwrap();
    let mut wrong = secret.to_owned();
    wrong.replace_range(0..1, if secret.starts_with('a') { "b" } else { "a" });
    // The right one first: a remembered session must not let a wrong secret in.
    app.get("/users/me", user.token.expose()).await.is(200);
    for bad in [
        format!("{id}-{wrong}"),
        id.to_owned(),
        format!("{id}-"),
        "x".repeat(10_000),
        "é".to_owned(),
    ] {
        app.send("GET", "/users/me", &[], "").await.is(401);
        let header = [("Authorization", format!("Bearer {bad}"))];
        app.send("GET", "/users/me", &[(header[0].0, &header[0].1)], "")
            .await
            .is(401);
    }
    let bearer = format!("bearer {}", user.token.expose());
    app.send("GET", "/users/me", &[("Authorization", &bearer)], "")
        .await
        .is(200);
    let query = format!("/users/me?coder_session_token={}", user.token.expose());
    app.send("GET", &query, &[], "").await.is(200);
    // A stale cookie beats a good header.
    let stale = format!("coder_session_token={id}-{wrong}");
    app.send(
        "GET",
        "/users/me",
        &[
            ("Cookie", &stale),
            ("Coder-Session-Token", user.token.expose()),
        ],
        "",
    )
    .await
    .is(401);
}
