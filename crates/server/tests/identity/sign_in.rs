//! The first user, signing in and out, states of users.

use serde_json::json;

use crate::app::{App, cookie};

const PASSWORD: &str = "SomeSecurePassword!";

fn first() -> serde_json::Value {
    json!({"email": "a@example.com", "username": "admin", "password": PASSWORD, "trial": false})
}

#[tokio::test]
async fn there_is_one_first_user_however_many_try() {
    let app = App::new().await;
    let fresh = app.get("/users/first", "").await.is(404);
    assert_ne!(fresh.header("x-coder-build-version"), "");
    let tries = (0..16).map(|i| {
        let body = json!({"email": format!("a{i}@x.y"), "username": format!("u{i}"), "password": PASSWORD});
        app.call("POST", "/users/first", "", body)
    });
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|a| a.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|a| a.status == 409).count(), 15);
    app.get("/users/first", "").await.is(200);
}

#[tokio::test]
async fn the_first_user_owns_the_deployment_and_signs_in() {
    let app = App::new().await;
    let made = app
        .call("POST", "/users/first", "", first())
        .await
        .is(201)
        .json();
    let login = json!({"email": "A@Example.com", "password": PASSWORD});
    let answer = app.call("POST", "/users/login", "", login).await.is(201);
    let token = answer.json()["session_token"].as_str().unwrap().to_owned();
    assert_eq!(cookie(&answer, "coder_session_token"), token);
    assert!(
        answer
            .header("set-cookie")
            .contains("HttpOnly; SameSite=Lax")
    );
    let me = app.get("/users/me", &token).await.is(200).json();
    assert_eq!(me["id"], made["user_id"]);
    assert_eq!(me["status"], "active");
    assert_eq!(me["roles"][0]["name"], "owner");
    assert_eq!(me["organization_ids"], json!([made["organization_id"]]));
    app.call("POST", "/users/logout", &token, json!(null))
        .await
        .is(200);
    let out = app.get("/users/me", &token).await.is(401);
    let challenge = out.header("www-authenticate");
    assert!(
        challenge.starts_with("Bearer realm=\"coder\", error=\"invalid_token\""),
        "{challenge}"
    );
    assert!(challenge.contains("http://coder.test/.well-known/oauth-protected-resource"));
}

#[tokio::test]
async fn wrong_and_unknown_are_answered_alike() {
    let app = App::new().await;
    app.call("POST", "/users/first", "", first()).await.is(201);
    let wrong = json!({"email": "a@example.com", "password": "WrongPassword123!"});
    let unknown = json!({"email": "nobody@example.com", "password": PASSWORD});
    let wrong = app.call("POST", "/users/login", "", wrong).await.is(401);
    let unknown = app.call("POST", "/users/login", "", unknown).await.is(401);
    assert_eq!(wrong.text, unknown.text);
    assert_eq!(wrong.message(), "Incorrect email or password.");
    // The failure of a known user is on record, that of nobody is not.
    let sql = "SELECT count(*) FROM audit_logs WHERE action = 'login' AND status_code = 401";
    let count = app.db.query_one(sql, &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 1);
    let long = json!({"email": "a@example.com", "password": "x".repeat(100_000)});
    app.call("POST", "/users/login", "", long).await.is(401);
}

#[tokio::test]
async fn weak_passwords_and_bad_names_are_refused() {
    let app = App::new().await;
    for (field, value) in [
        ("password", json!("password")),
        ("username", json!("a b")),
        ("username", json!("x".repeat(10_000))),
        ("username", json!("a\u{0}b")),
        ("username", json!("😀")),
        ("email", json!("nonsense")),
        ("name", json!(" blank ")),
    ] {
        let mut body = first();
        body[field] = value;
        let answer = app.call("POST", "/users/first", "", body).await.is(400);
        assert_eq!(answer.json()["validations"][0]["field"], field);
    }
    app.get("/users/first", "").await.is(404);
}

#[tokio::test]
async fn dormant_users_wake_and_suspended_ones_are_refused() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    let user = app.user("sleepy", &[]).await;
    let sql = "UPDATE users SET status = 'dormant' WHERE id = $1";
    app.db.execute(sql, &[&user.id]).await.unwrap();
    let token = user.token.expose();
    let me = app.get("/users/me", token).await.is(200).json();
    assert_eq!(me["status"], "active");
    // The session is remembered by now: the change must be felt at once.
    let path = format!("/users/{}/status/suspend", user.id);
    app.call("PUT", &path, owner.token.expose(), json!(null))
        .await
        .is(200);
    let refused = app.get("/users/me", token).await.is(401);
    assert!(
        refused.json()["detail"]
            .as_str()
            .unwrap()
            .contains("suspended")
    );
    app.call(
        "PUT",
        "/users/sleepy/status/activate",
        owner.token.expose(),
        json!(null),
    )
    .await
    .is(200);
    app.get("/users/me", token).await.is(200);
    app.call(
        "PUT",
        "/users/me/status/suspend",
        owner.token.expose(),
        json!(null),
    )
    .await
    .is(400);
}

#[tokio::test]
async fn other_replicas_forget_what_one_voids() {
    let app = App::new().await;
    let user = app.user("ann", &[]).await;
    let token = user.token.expose();
    let other = control::Control::new(app.db.store.clone(), app.control.settings().clone());
    let cancel = tokio_util::sync::CancellationToken::new();
    let (running, stop) = (other.clone(), cancel.clone());
    let task = tokio::spawn(async move { running.sessions_run(stop).await });
    while !app.db.is_listening() {
        tokio::task::yield_now().await;
    }
    assert!(other.session_open(token, None, true).await.is_ok());
    let id = token.split('-').next().unwrap();
    app.call(
        "DELETE",
        &format!("/users/me/keys/{id}"),
        token,
        json!(null),
    )
    .await
    .is(204);
    while other.session_open(token, None, true).await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    cancel.cancel();
    task.await.unwrap();
}
