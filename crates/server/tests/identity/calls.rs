//! Calls that no other test makes with success, so that each answer is held against the published
//! API once.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;

#[tokio::test]
async fn what_agents_say_of_themselves() {
    let app = App::new().await;
    let owner = app.user("ann", &[]).await;
    let made = testkit::workspace(&app.db, owner.id, "dev").await;
    let sql = "INSERT INTO workspace_apps (id, created_at, agent_id, slug, display_name, icon, \
               url, healthcheck_url, health) VALUES ($1, now(), $2, 'code', 'Code', '', \
               'http://localhost:1', 'http://localhost:1', 'initializing')";
    let id = Uuid::new_v4();
    app.db.execute(sql, &[&id, &made.agent]).await.unwrap();
    let token = made.token.to_string();
    let agent = async |method: &str, path: &str, body: Value| {
        let path = format!("/workspaceagents/me/{path}");
        app.call(method, &path, &token, body).await
    };
    let source = Uuid::new_v4();
    let body = json!({"id": source, "display_name": "Tool", "icon": "/icon/tool.svg"});
    agent("POST", "log-source", body).await.is(201);
    let line = json!({"created_at": "2026-01-02T03:04:05Z", "output": "hello", "level": "info"});
    let body = json!({"log_source_id": source, "logs": [line]});
    agent("PATCH", "logs", body).await.is(200);
    let body = json!({"app_slug": "code", "state": "working", "message": "m", "uri": ""});
    agent("PATCH", "app-status", body).await.is(200);
    let logs = format!("/workspaceagents/{}/logs", made.agent);
    let logs = app.get(&logs, owner.token.expose()).await.is(200).json();
    assert_eq!(logs[0]["output"], "hello");
}

#[tokio::test]
async fn things_by_their_names() {
    let app = App::new().await;
    let (ann, owner) = (
        app.user("ann", &[]).await,
        app.user("owner", &["owner"]).await,
    );
    testkit::workspace(&app.db, ann.id, "dev").await;
    let job: Uuid = {
        let sql = "SELECT id FROM provisioner_jobs WHERE type = 'workspace_build'";
        app.db.query_one(sql, &[]).await.unwrap().get(0)
    };
    for path in [
        "/users/ann/workspace/dev",
        "/users/ann/workspace/dev/builds/1",
        "/organizations/default/templates/dev",
        "/organizations/default/templates/dev/versions/v",
        &format!("/organizations/default/provisionerjobs/{job}"),
    ] {
        app.get(path, owner.token.expose()).await.is(200);
    }
}

#[tokio::test]
async fn budgets_of_groups_and_users() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    let organization = testkit::default_organization(&app.db).await;
    let token = owner.token.expose();
    let group = json!({"name": "devs"});
    let group = app
        .call("POST", "/organizations/default/groups", token, group)
        .await
        .is(201)
        .json();
    let group = format!("/groups/{}/ai/budget", group["id"].as_str().unwrap());
    let user = "/users/me/ai/budget/override".to_owned();
    for (path, body) in [
        (group, json!({"spend_limit_micros": 5})),
        (
            user,
            json!({"spend_limit_micros": 5, "group_id": organization}),
        ),
    ] {
        app.call("PUT", &path, token, body).await.is(200);
        let set = app.get(&path, token).await.is(200).json();
        assert_eq!(set["spend_limit_micros"], 5);
        app.call("DELETE", &path, token, json!(null)).await.is(204);
    }
}

#[tokio::test]
async fn files_come_back_as_they_went() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    let organization = testkit::default_organization(&app.db).await;
    let token = ("Coder-Session-Token", owner.token.expose().as_str());
    let tar = provisioner::starters::ALL[0].tar();
    let headers = [token, ("Content-Type", "application/x-tar")];
    let sent = app.send("POST", "/files", &headers, tar.clone()).await;
    let id = sent.is(201).json()["hash"].as_str().unwrap().to_owned();
    app.get(&format!("/files/{id}"), token.1).await.is(200);

    let path = format!("/chats/files?organization={organization}");
    let headers = [
        token,
        ("Content-Type", "text/plain"),
        ("Content-Disposition", "attachment; filename=\"a.txt\""),
    ];
    let sent = app.send("POST", &path, &headers, "hello").await;
    let id = sent.is(201).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/chats/files/{id}/download-url");
    let link = app.call("POST", &path, token.1, json!(null)).await.is(200);
    let url = link.json()["url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix("http://coder.test").unwrap_or(&url);
    // The link alone is enough.
    let got = app.send("GET", &format!("!{path}"), &[], "").await.is(200);
    assert_eq!(got.text, "hello");
}

#[tokio::test]
async fn a_chat_at_rest_is_steered() {
    let app = App::new().await;
    let owner = app.user("owner", &["owner"]).await;
    let token = owner.token.expose();
    let chat = testkit::chat(&app.db, owner.id).await.id;
    app.get(&format!("/chats/{chat}/diff"), token).await.is(200);
    let context = format!("/chats/{chat}/context");
    app.call("PUT", &context, token, json!({})).await.is(200);
    for path in ["interrupt", "compact", "clear", "reconcile-invalid"] {
        let path = format!("/chats/{chat}/{path}");
        let answer = app.call("POST", &path, token, json!(null)).await;
        let status = answer.status.as_u16();
        assert!(
            matches!(status, 200 | 204 | 400 | 409),
            "{path}: {status} {}",
            answer.text
        );
    }
}
