//! Making, changing, listing and deleting users; the audit log of it.

use serde_json::{Value, json};

use crate::app::App;

const PASSWORD: &str = "SomeSecurePassword!";
const NEW_PASSWORD: &str = "AnotherSecurePassword!";

fn new_user(name: &str) -> Value {
    json!({
        "username": name, "email": format!("{name}@example.com"), "password": PASSWORD,
        "organization_ids": ["00000000-0000-0000-0000-000000000000"],
    })
}

async fn sign_in(app: &App, name: &str, password: &str) -> crate::app::Answer {
    let body = json!({"email": format!("{name}@example.com"), "password": password});
    app.call("POST", "/users/login", "", body).await
}

#[tokio::test]
async fn a_users_life() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    let owner = owner.token.expose();
    let made = app
        .call("POST", "/users", owner, new_user("ann"))
        .await
        .is(201)
        .json();
    assert_eq!(made["status"], "dormant");
    let again = app
        .call("POST", "/users", owner, new_user("ANN"))
        .await
        .is(409);
    assert_eq!(again.json()["validations"][0]["field"], "username");
    let token = sign_in(&app, "ann", PASSWORD).await.is(201).json();
    let token = token["session_token"].as_str().unwrap();
    let profile = json!({"username": "ann", "name": "Ann Example"});
    let changed = app
        .call("PUT", "/users/me/profile", token, profile)
        .await
        .is(200)
        .json();
    assert_eq!(changed["name"], "Ann Example");
    // A name stands in other people's links: not one's own to change.
    let rename = json!({"username": "anna", "name": ""});
    app.call("PUT", "/users/me/profile", token, rename.clone())
        .await
        .is(404);
    app.call("PUT", "/users/ann/profile", owner, rename)
        .await
        .is(200);
    app.get("/users/ann", owner).await.is(404);
    assert_eq!(
        app.get("/users/ANNA", owner).await.is(200).json()["id"],
        made["id"]
    );
    let key = app.get("/users/me/gitsshkey", token).await.is(200).json();
    assert!(
        key["public_key"]
            .as_str()
            .unwrap()
            .starts_with("ssh-ed25519 ")
    );
    let next = app
        .call("PUT", "/users/me/gitsshkey", token, json!(null))
        .await
        .is(200)
        .json();
    assert_ne!(next["public_key"], key["public_key"]);
    app.call("DELETE", "/users/anna", owner, json!(null))
        .await
        .is(200);
    app.get("/users/me", token).await.is(401);
    app.get("/users/anna", owner).await.is(404);
    // The name is free again.
    app.call("POST", "/users", owner, new_user("anna"))
        .await
        .is(201);
    app.call("DELETE", "/users/me", owner, json!(null))
        .await
        .is(403);
}

#[tokio::test]
async fn a_password_change_ends_all_keys() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    app.call("POST", "/users", owner.token.expose(), new_user("ann"))
        .await
        .is(201);
    let token = sign_in(&app, "ann", PASSWORD).await.is(201).json();
    let token = token["session_token"].as_str().unwrap();
    let set = async |token: &str, old: &str, new: &str| {
        let body = json!({"old_password": old, "password": new});
        app.call("PUT", "/users/ann/password", token, body).await
    };
    set(token, "", NEW_PASSWORD).await.is(400);
    set(token, "WrongPassword123!", NEW_PASSWORD).await.is(400);
    set(token, PASSWORD, "short").await.is(400);
    set(token, PASSWORD, PASSWORD).await.is(400);
    set(token, PASSWORD, NEW_PASSWORD).await.is(204);
    app.get("/users/me", token).await.is(401);
    sign_in(&app, "ann", PASSWORD).await.is(401);
    sign_in(&app, "ann", NEW_PASSWORD).await.is(201);
    set(owner.token.expose(), "", PASSWORD).await.is(204);
    let admin = app.user("admin", &["user-admin"]).await;
    let body = json!({"password": PASSWORD});
    app.call("PUT", "/users/owner/password", admin.token.expose(), body)
        .await
        .is(400);
}

#[tokio::test]
async fn roles_are_given_within_bounds() {
    let app = App::new().await;
    let (owner, admin) = (
        app.user("owner", &["owner"]).await,
        app.user("admin", &["user-admin"]).await,
    );
    app.user("ann", &[]).await;
    let (owner, admin) = (owner.token.expose(), admin.token.expose());
    let set = async |token: &str, user: &str, roles: Value| {
        app.call(
            "PUT",
            &format!("/users/{user}/roles"),
            token,
            json!({"roles": roles}),
        )
        .await
    };
    set(admin, "ann", json!(["owner"])).await.is(403);
    set(admin, "admin", json!(["owner"])).await.is(400);
    set(owner, "ann", json!(["nonsense"])).await.is(400);
    set(owner, "ann", json!(["organization-admin"]))
        .await
        .is(400);
    let changed = set(owner, "ann", json!(["auditor", "member", "auditor"]))
        .await
        .is(200)
        .json();
    assert_eq!(changed["roles"].as_array().unwrap().len(), 1);
    set(admin, "ann", json!([])).await.is(403);
    let roles = app.get("/users/ann/roles", owner).await.is(200).json();
    assert_eq!(roles["roles"], json!(["auditor"]));
    let list = app.get("/users/roles", admin).await.is(200).json();
    assert!(
        list.as_array()
            .unwrap()
            .iter()
            .all(|role| role["assignable"] == false)
    );
    let path = "/organizations/default/members/ann/roles";
    let body = json!({"roles": ["organization-admin"]});
    app.call("PUT", path, admin, body.clone()).await.is(403);
    app.call("PUT", path, owner, body).await.is(200);
    app.call(
        "DELETE",
        "/organizations/default/members/ann",
        admin,
        json!(null),
    )
    .await
    .is(204);
    app.call(
        "POST",
        "/organizations/default/members/ann",
        admin,
        json!(null),
    )
    .await
    .is(200);
    app.call(
        "POST",
        "/organizations/default/members/ann",
        admin,
        json!(null),
    )
    .await
    .is(400);
}

#[tokio::test]
async fn lists_are_searched_and_paged() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    for name in ["ann", "bob", "cat"] {
        app.user(name, &[]).await;
    }
    let token = owner.token.expose();
    let names = async |query: &str| {
        let answer = app
            .get(&format!("/users?{query}"), token)
            .await
            .is(200)
            .json();
        let users = answer["users"].as_array().unwrap().clone();
        (
            users
                .iter()
                .map(|u| u["username"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
                .join(" "),
            answer["count"].clone(),
        )
    };
    assert_eq!(names("").await, ("ann bob cat owner".to_owned(), json!(4)));
    assert_eq!(names("q=B").await.0, "bob");
    assert_eq!(names("q=role:owner").await.0, "owner");
    assert_eq!(names("q=status:suspended").await, (String::new(), json!(0)));
    assert_eq!(names("q=%25").await.0, "", "not a pattern");
    assert_eq!(
        names("limit=2&offset=1").await,
        ("bob cat".to_owned(), json!(4))
    );
    assert_eq!(names("offset=100").await, (String::new(), json!(4)));
    let bob = app.get("/users/bob", token).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(names(&format!("after_id={bob}")).await.0, "cat owner");
    for bad in [
        "limit=-1",
        "limit=99999999999999999999",
        "after_id=x",
        "q=nope:1",
        "q=last_seen_after:soon",
        "q=a:b:c",
    ] {
        let answer = app.get(&format!("/users?{bad}"), token).await.is(400);
        assert!(
            !answer.json()["validations"].as_array().unwrap().is_empty(),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn changes_are_on_record_without_secrets() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    let token = owner.token.expose();
    let answer = app
        .call("POST", "/users", token, new_user("ann"))
        .await
        .is(201);
    let request = answer.header("x-coder-request-id").to_owned();
    app.call(
        "PUT",
        "/users/ann/password",
        token,
        json!({"password": NEW_PASSWORD}),
    )
    .await
    .is(204);
    let log = app
        .get(&format!("/audit?q=request_id:{request}"), token)
        .await
        .is(200)
        .json();
    let entry = &log["audit_logs"][0];
    assert_eq!(entry["action"], "create");
    assert_eq!(entry["resource_type"], "user");
    assert_eq!(entry["resource_target"], "ann");
    assert_eq!(entry["user"]["username"], "owner");
    assert_eq!(entry["ip"], "192.0.2.1");
    assert_eq!(entry["diff"]["email"]["new"], "ann@example.com");
    let log = app
        .get("/audit?q=action:write&limit=5", token)
        .await
        .is(200)
        .json();
    assert_eq!(
        log["audit_logs"][0]["diff"]["hashed_password"],
        json!({"old": "", "new": "", "secret": true})
    );
    assert!(!log.to_string().contains("pbkdf2"));
    // Refused changes leave no trace of a change.
    let ann = app.user("bob", &[]).await;
    app.get("/audit", ann.token.expose()).await.is(403);
    let before = app.get("/audit", token).await.json()["count"].clone();
    app.call("POST", "/users", ann.token.expose(), new_user("eve"))
        .await
        .is(403);
    assert_eq!(app.get("/audit", token).await.json()["count"], before);
}

#[tokio::test]
async fn service_accounts_have_neither_address_nor_password() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    let token = owner.token.expose();
    let mut body = new_user("robot");
    body["service_account"] = json!(true);
    app.call("POST", "/users", token, body.clone())
        .await
        .is(400);
    body["email"] = json!("");
    body["password"] = json!("");
    let made = app.call("POST", "/users", token, body).await.is(201).json();
    assert_eq!(made["login_type"], "none");
    let key = app
        .call("POST", "/users/robot/keys/tokens", token, json!({}))
        .await
        .is(201)
        .json();
    app.get("/users/me", key["key"].as_str().unwrap())
        .await
        .is(200);
    let mut none = new_user("other");
    none["login_type"] = json!("none");
    app.call("POST", "/users", token, none).await.is(400);
}

#[tokio::test]
async fn what_is_past_its_retention_goes() {
    let app = App::with(server::RateLimits::new(None, true), |settings| {
        settings.audit_logs_retention = std::time::Duration::from_hours(720);
    })
    .await;
    let owner = app.user("owner", &["owner"]).await;
    let old = app.user("ann", &[]).await;
    app.call("POST", "/users", owner.token.expose(), new_user("bob"))
        .await
        .is(201);
    let now = chrono::Utc::now();
    assert_eq!(app.control.retention_enforce(now).await.unwrap(), 0);
    let sql = "UPDATE api_keys SET expires_at = now() - interval '8 days' WHERE user_id = $1";
    app.db.execute(sql, &[&old.id]).await.unwrap();
    let sql = "UPDATE audit_logs SET time = now() - interval '31 days'";
    app.db.execute(sql, &[]).await.unwrap();
    assert_eq!(app.control.retention_enforce(now).await.unwrap(), 2);
    app.get("/users/me", owner.token.expose()).await.is(200);
}
