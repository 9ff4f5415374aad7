//! An agent of one workspace that asks for another's: it gets nothing and changes nothing.

use rpc::proto::agent::{
    AppHealth, BatchCreateLogsRequest, BatchUpdateAppHealthRequest, DeleteSubAgentRequest,
    GetManifestRequest, Log, UpdateAppStatusRequest, batch_update_app_health_request::HealthUpdate,
    log, update_app_status_request::AppStatusState,
};
use rpc::proto::tailnet::{CoordinateRequest, coordinate_request};
use rpc::{AgentClient, TailnetClient};
use testkit::{TestUser, TestWorkspace};
use uuid::Uuid;

use crate::world::{World, world};

/// Somebody else's workspace, with an app, beside that of the world.
async fn other(w: &World) -> (TestUser, TestWorkspace, Uuid) {
    let bob = testkit::user(&w.db, "bob", &[]).await;
    let theirs = testkit::workspace(&w.db, bob.id, "other").await;
    let app = Uuid::new_v4();
    let sql = "INSERT INTO workspace_apps (id, created_at, agent_id, slug, display_name, icon, \
               url, healthcheck_url, health) VALUES ($1, now(), $2, 'code', 'Code', '', \
               'http://localhost:1', 'http://localhost:1', 'initializing')";
    w.db.execute(sql, &[&app, &theirs.agent]).await.unwrap();
    (bob, theirs, app)
}

#[tokio::test]
async fn over_http_a_foreign_agents_token_opens_nothing() {
    let w = world().await;
    let (_, theirs, _) = other(&w).await;
    let api = w.client_as(w.token.to_string().into());
    let (a, v) = (theirs.agent, theirs.id);
    for path in [
        format!("workspaceagents/{a}"),
        format!("workspaceagents/{a}/logs"),
        format!("workspaceagents/{a}/startup-logs"),
        format!("workspaceagents/{a}/watch-metadata"),
        format!("workspaceagents/{a}/connection"),
        format!("workspaces/{v}"),
        format!("workspaces/{v}/builds"),
        format!("workspacebuilds/{}", theirs.build),
        format!("workspacebuilds/{}/logs", theirs.build),
        format!("templateversions/{}/variables", theirs.version),
        format!("files/{}", theirs.file),
        "users/bob".to_owned(),
        "users/bob/gitsshkey".to_owned(),
    ] {
        let call = api.call(http::Method::GET, &format!("/api/v2/{path}"));
        let client::Error::Api(error) = call.done().await.unwrap_err() else {
            panic!("{path}: another error than the server's");
        };
        assert_eq!(error.status.as_u16(), 401, "{path}");
    }
    let socket = format!("/api/v2/workspaceagents/{a}/coordinate?version=2.0");
    let client::Error::Api(error) = api.websocket_bytes(&socket).await.err().unwrap() else {
        panic!("another error than the server's");
    };
    assert_eq!(error.status.as_u16(), 401);

    // What it may ask is about itself alone, whatever it names beside.
    let sql = "INSERT INTO git_ssh_keys (user_id, private_key, public_key) \
               SELECT id, username || '-private', username || '-public' FROM users";
    w.db.execute(sql, &[]).await.unwrap();
    let key = api.call(http::Method::GET, "/api/v2/workspaceagents/me/gitsshkey");
    let key: serde_json::Value = key.query("agent_id", a).decode().await.unwrap();
    assert_eq!(key["public_key"], "ann-public");
    let call = api.call(
        http::Method::GET,
        "/api/v2/workspaceagents/me/external-auth",
    );
    let error = call.query("id", "github").done().await.unwrap_err();
    assert!(error.to_string().contains("github"), "{error}");
}

#[tokio::test]
async fn by_its_connection_an_agent_reaches_only_its_own() {
    let w = world().await;
    let (bob, theirs, app) = other(&w).await;
    let (_session, channel) = w.agent_session("version=2.11&role=agent").await;
    let agent = AgentClient::new(channel.clone());
    let manifest = agent.get_manifest(&GetManifestRequest {}).await.unwrap();
    assert_eq!(manifest.agent_id, w.agent.as_bytes());

    let health = BatchUpdateAppHealthRequest {
        updates: vec![HealthUpdate {
            id: app.as_bytes().to_vec(),
            health: AppHealth::Healthy.into(),
        }],
    };
    assert!(agent.batch_update_app_healths(&health).await.is_err());
    let status = UpdateAppStatusRequest {
        slug: "code".to_owned(),
        state: AppStatusState::Working.into(),
        message: "mine".to_owned(),
        ..Default::default()
    };
    assert!(agent.update_app_status(&status).await.is_err());
    let delete = DeleteSubAgentRequest {
        id: theirs.agent.as_bytes().to_vec(),
    };
    assert!(agent.delete_sub_agent(&delete).await.is_err());
    // A source of the other agent is no source of this one; the lines stay its own.
    let sql = "SELECT id FROM workspace_agent_log_sources WHERE workspace_agent_id = $1";
    let row = w.db.query_one(sql, &[&theirs.agent]).await.unwrap();
    let source: Uuid = row.get(0);
    let lines = BatchCreateLogsRequest {
        log_source_id: source.as_bytes().to_vec(),
        logs: vec![Log {
            created_at: None,
            output: "not theirs".to_owned(),
            level: log::Level::Info.into(),
        }],
    };
    let _ = agent.batch_create_logs(&lines).await;

    let api = w.client_as(bob.token.clone());
    let seen = api.agent(theirs.agent).await.unwrap();
    assert_eq!(seen.apps[0].health.as_str(), "initializing");
    let logs = "SELECT count(*) FROM workspace_agent_logs WHERE agent_id = $1";
    let row = w.db.query_one(logs, &[&theirs.agent]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);

    // The coordinator lets agents be reached, and reach nobody.
    let (mut send, mut receive) = TailnetClient::new(channel).coordinate().await.unwrap();
    let tunnel = CoordinateRequest {
        add_tunnel: Some(coordinate_request::Tunnel {
            id: theirs.agent.as_bytes().to_vec(),
        }),
        ..Default::default()
    };
    send.send(&tunnel).await.unwrap();
    let told = receive.recv().await;
    let refused = match &told {
        Ok(Some(answer)) => !answer.error.is_empty() && answer.peer_updates.is_empty(),
        Ok(None) | Err(_) => true,
    };
    assert!(refused, "{told:?}");
}
