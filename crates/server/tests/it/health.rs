//! Health reports, and what a client that waits for an agent is told.

use client::JsonSocket;
use http::Method;
use serde_json::{Value, json};

use crate::world::world;

#[tokio::test]
async fn a_report_says_what_works_and_what_does_not() {
    let w = world().await;
    let owner = testkit::user(&w.db, "owner", &["owner"]).await;
    let api = w.client_as(owner.token.clone());
    let read = |force: bool| {
        api.call(Method::GET, "/api/v2/debug/health")
            .query("force", force)
    };
    let report: Value = read(false).decode().await.unwrap();
    for part in [
        "access_url",
        "websocket",
        "database",
        "derp",
        "workspace_proxy",
    ] {
        assert_eq!(report[part]["healthy"], true, "{part}: {}", report[part]);
    }
    assert_eq!(report["derp"]["regions"]["999"]["healthy"], true);
    // Nobody takes jobs here.
    let daemons = &report["provisioner_daemons"];
    assert_eq!(daemons["severity"], "error");
    assert!(daemons["error"].as_str().unwrap().contains("EPD01"));
    assert_eq!(report["healthy"], false);

    // Kept for a while, unless asked for anew.
    let kept: Value = read(false).decode().await.unwrap();
    assert_eq!(kept["time"], report["time"]);
    let anew: Value = read(true).decode().await.unwrap();
    assert_ne!(anew["time"], report["time"]);

    let dismiss = |what: &str| {
        let path = "/api/v2/debug/health/settings";
        let body = json!({"dismissed_healthchecks": [what]});
        api.call(Method::PUT, path).json(&body)
    };
    let client::Error::Api(error) = dismiss("Weather").done().await.unwrap_err() else {
        panic!("another error than the server's");
    };
    assert_eq!(error.status.as_u16(), 400);
    dismiss("ProvisionerDaemons").done().await.unwrap();
    let kept: Value = read(false).decode().await.unwrap();
    assert_eq!(kept["provisioner_daemons"]["dismissed"], true);
    assert_eq!(kept["database"]["dismissed"], false);
}

#[tokio::test]
async fn who_waits_for_an_agent_is_told_of_build_and_lifecycle() {
    let w = world().await;
    let api = w.client();
    let path = |name: &str| {
        let workspace = w.workspace;
        format!("/api/v2/workspaces/{workspace}/agent-connection-watch?agent_name={name}")
    };
    let mut watch: JsonSocket<Value> = api.websocket_json(&path("")).await.unwrap();
    let build = watch.next().await.unwrap().unwrap();
    assert_eq!(build["build_update"]["transition"], "start");
    assert_eq!(build["build_update"]["job_status"], "succeeded");
    let agent = watch.next().await.unwrap().unwrap();
    assert_eq!(agent["agent_update"]["id"], json!(w.agent));
    assert_eq!(agent["agent_update"]["lifecycle"], "created");

    let ready = "UPDATE workspace_agents SET lifecycle_state = 'ready'";
    w.db.execute(ready, &[]).await.unwrap();
    let changed = w.workspace.to_string();
    w.db.notify("workspace_changed", &changed).await.unwrap();
    let agent = watch.next().await.unwrap().unwrap();
    assert_eq!(agent["agent_update"]["lifecycle"], "ready");

    let mut watch: JsonSocket<Value> = api.websocket_json(&path("none")).await.unwrap();
    watch.next().await.unwrap().unwrap();
    let error = watch.next().await.unwrap().unwrap();
    assert_eq!(error["error"]["code"], 2);
}
