//! What people set for themselves: passwords by passcode, quiet hours, ways to sign in.

use serde_json::json;
use server::RateLimits;

use crate::app::App;

const CODE: &str = "4a2e9c1d-7b5f-4e83-9a60-1f2d3c4b5a69";
const NEW: &str = "Quite-Another-Passw0rd!";

#[tokio::test]
async fn a_passcode_sets_a_password_once_and_in_time() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    app.user("ann", &[]).await;
    // There is no mail to send one by: a password becomes the passcode.
    let set = json!({"password": CODE});
    app.call("PUT", "/users/ann/password", owner.token.expose(), set)
        .await
        .is(204);
    let give = "UPDATE users SET hashed_one_time_passcode = hashed_password, \
                one_time_passcode_expires_at = now() + interval '1 minute' WHERE username = 'ann'";
    app.db.execute(give, &[]).await.unwrap();

    let try_with = async |email: &str, code: &str, password: &str| {
        let body = json!({"email": email, "one_time_passcode": code, "password": password});
        app.call("POST", "/users/otp/change-password", "", body)
            .await
    };
    let wrong = try_with("ann@example.com", "x", NEW).await.is(400);
    let unknown = try_with("bob@example.com", CODE, NEW).await.is(400);
    assert_eq!(wrong.message(), unknown.message());
    try_with("ann@example.com", CODE, "weak").await.is(400);
    try_with("ann@example.com", &"x".repeat(100_000), NEW)
        .await
        .is(400);
    let late = "UPDATE users SET one_time_passcode_expires_at = now() WHERE username = 'ann'";
    app.db.execute(late, &[]).await.unwrap();
    try_with("ann@example.com", CODE, NEW).await.is(400);
    app.db.execute(give, &[]).await.unwrap();
    try_with("ANN@example.com", CODE, NEW).await.is(204);
    try_with("ann@example.com", CODE, "One-More-Passw0rd!")
        .await
        .is(400);

    let login = json!({"email": "ann@example.com", "password": NEW});
    app.call("POST", "/users/login", "", login).await.is(201);
    let asked = json!({"email": "ann@example.com"});
    let told = app
        .call("POST", "/users/otp/request", "", asked)
        .await
        .is(501);
    assert!(told.message().contains("mail"), "{}", told.text);
}

#[tokio::test]
async fn without_passwords_there_are_no_passcodes() {
    let limits = RateLimits::new(None, true);
    let app = App::with(limits, |settings| settings.disable_password_auth = true).await;
    let body = json!({"email": "a@example.com", "password": NEW, "one_time_passcode": CODE});
    for path in ["/users/otp/request", "/users/otp/change-password"] {
        app.call("POST", path, "", body.clone()).await.is(403);
    }
}

#[tokio::test]
async fn quiet_hours_are_ones_own_or_the_deployments() {
    let app = App::new().await;
    let ann = app.user("ann", &[]).await;
    let token = ann.token.expose();
    let read = app.get("/users/me/quiet-hours", token).await.is(200).json();
    assert_eq!(read["raw_schedule"], "CRON_TZ=UTC 0 0 * * *");
    assert_eq!(
        (&read["user_set"], &read["user_can_set"]),
        (&json!(false), &json!(true))
    );
    let put = async |schedule: &str| {
        let body = json!({"schedule": schedule});
        app.call("PUT", "/users/me/quiet-hours", token, body).await
    };
    let set = put("CRON_TZ=Europe/Berlin 30 3 * * *").await.is(200).json();
    assert_eq!(set["time"], "03:30");
    assert_eq!(set["timezone"], "Europe/Berlin");
    assert_eq!(set["user_set"], true);
    for bad in [
        "nonsense",
        "0 0 * * 1",
        "*/5 * * * *",
        "CRON_TZ=Moon 0 0 * * *",
    ] {
        put(bad).await.is(400);
    }
    put(&"0 ".repeat(10_000)).await.is(400);
    let back = put("").await.is(200).json();
    assert_eq!(back["user_set"], false);

    let limits = RateLimits::new(None, true);
    let app = App::with(limits, |settings| settings.allow_custom_quiet_hours = false).await;
    let ann = app.user("ann", &[]).await;
    let body = json!({"schedule": "0 3 * * *"});
    app.call("PUT", "/users/me/quiet-hours", ann.token.expose(), body)
        .await
        .is(403);
}

#[tokio::test]
async fn nobody_converts_to_what_is_not_configured() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    app.user("ann", &[]).await;
    let set = json!({"password": NEW});
    app.call("PUT", "/users/ann/password", owner.token.expose(), set)
        .await
        .is(204);
    let login = json!({"email": "ann@example.com", "password": NEW});
    let login = app.call("POST", "/users/login", "", login).await.is(201);
    let token = login.json()["session_token"].as_str().unwrap().to_owned();
    let convert = async |to: &str, password: &str| {
        let body = json!({"to_type": to, "password": password});
        app.call("POST", "/users/me/convert-login", &token, body)
            .await
    };
    convert("none", NEW).await.is(400);
    convert("oidc", "wrong").await.is(401);
    let told = convert("oidc", NEW).await.is(400);
    assert!(told.message().contains("not configured"), "{}", told.text);
}
