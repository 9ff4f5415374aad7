//! An agent's connection, with our own protocol code on the other side.

use api_types::{WorkspaceAgentLifecycle, WorkspaceAgentStatus};
use rpc::proto::agent::{
    BatchCreateLogsRequest, GetManifestRequest, Lifecycle, Log, Startup, UpdateLifecycleRequest,
    UpdateStartupRequest, UpdateStatsRequest, lifecycle, log,
};
use rpc::{AgentClient, TailnetClient};
use uuid::Uuid;

use crate::world::{eventually, world};

#[tokio::test]
async fn an_agent_gets_its_manifest_and_its_reports_are_seen() {
    let w = world().await;
    let api = w.client();
    assert_eq!(
        api.agent(w.agent).await.unwrap().status,
        WorkspaceAgentStatus::Connecting
    );
    let (session, channel) = w.agent_session("version=2.11&role=agent").await;
    let agent = AgentClient::new(channel);
    let manifest = agent.get_manifest(&GetManifestRequest {}).await.unwrap();
    assert_eq!(manifest.agent_id, w.agent.as_bytes());
    assert_eq!(manifest.owner_username, "ann");
    assert_eq!(manifest.workspace_name, "dev");
    assert_eq!(manifest.scripts[0].script, "echo hello from the script");
    let map = manifest.derp_map.unwrap();
    assert!(map.home_params.is_some() && map.regions.contains_key(&999));

    let startup = Startup {
        version: "v2.38.0".to_owned(),
        expanded_directory: "/home/ann".to_owned(),
        subsystems: Vec::new(),
    };
    let request = UpdateStartupRequest {
        startup: Some(startup),
    };
    agent.update_startup(&request).await.unwrap();
    for state in [lifecycle::State::Starting, lifecycle::State::Ready] {
        let request = UpdateLifecycleRequest {
            lifecycle: Some(Lifecycle {
                state: state.into(),
                changed_at: None,
            }),
        };
        let answer = agent.update_lifecycle(&request).await.unwrap();
        assert!(answer.changed_at.is_some());
    }
    let interval = agent
        .update_stats(&UpdateStatsRequest { stats: None })
        .await
        .unwrap();
    assert_eq!(interval.report_interval.unwrap().seconds, 30);

    eventually("the agent is connected and ready", async || {
        let seen = api.agent(w.agent).await.unwrap();
        seen.status == WorkspaceAgentStatus::Connected
            && seen.lifecycle_state == WorkspaceAgentLifecycle::Ready
            && seen.version == "v2.38.0"
            && seen.api_version == "2.11"
    })
    .await;
    session.close();
    eventually("the agent is disconnected", async || {
        api.agent(w.agent).await.unwrap().status == WorkspaceAgentStatus::Disconnected
    })
    .await;
}

#[tokio::test]
async fn other_programs_with_an_agents_token_are_not_shown() {
    let w = world().await;
    let (_session, channel) = w.agent_session("version=2.0&role=logstream-kube").await;
    let agent = AgentClient::new(channel);
    agent.get_manifest(&GetManifestRequest {}).await.unwrap();
    let seen = w.client().agent(w.agent).await.unwrap();
    assert_eq!(seen.status, WorkspaceAgentStatus::Connecting);
}

#[tokio::test]
async fn methods_that_are_not_served_say_so_by_their_code() {
    let w = world().await;
    let (_session, channel) = w.agent_session("role=agent").await;
    let error = TailnetClient::new(channel)
        .refresh_resume_token(&Default::default())
        .await
        .unwrap_err();
    assert!(error.is_unimplemented(), "{error}");
}

#[tokio::test]
async fn logs_are_listed_and_followed_until_they_are_full() {
    let w = world().await;
    let api = w.client();
    let (_session, channel) = w.agent_session("role=agent").await;
    let agent = AgentClient::new(channel);
    let batch = |source: &[u8], lines: &[&str]| BatchCreateLogsRequest {
        log_source_id: source.to_vec(),
        logs: lines
            .iter()
            .map(|line| Log {
                created_at: None,
                output: (*line).to_owned(),
                level: log::Level::Info.into(),
            })
            .collect(),
    };
    let source = Uuid::new_v4();
    let sent = batch(source.as_bytes(), &["one", "two\0"]);
    assert!(
        !agent
            .batch_create_logs(&sent)
            .await
            .unwrap()
            .log_limit_exceeded
    );
    let path = format!("/api/v2/workspaceagents/{}/logs?follow", w.agent);
    let mut followed = api
        .websocket_json::<Vec<api_types::WorkspaceAgentLog>>(&path)
        .await
        .unwrap();
    let first = followed.next().await.unwrap().unwrap();
    let texts: Vec<&str> = first.iter().map(|line| line.output.as_str()).collect();
    assert_eq!(texts, ["one", "two❌"]);
    let sent = batch(&[0; 16], &["from nowhere"]);
    agent.batch_create_logs(&sent).await.unwrap();
    let next = followed.next().await.unwrap().unwrap();
    assert_eq!(next[0].output, "from nowhere");
    let seen = api.agent(w.agent).await.unwrap();
    assert!(
        seen.log_sources
            .iter()
            .any(|s| s.display_name == "External")
    );

    let full = batch(source.as_bytes(), &[&"x".repeat(1 << 20)]);
    assert!(
        agent
            .batch_create_logs(&full)
            .await
            .unwrap()
            .log_limit_exceeded
    );
    assert!(api.agent(w.agent).await.unwrap().logs_overflowed);
    // A client over its own limit is refused, not served half.
    let wrong = batch(b"short", &["x"]);
    assert!(agent.batch_create_logs(&wrong).await.is_err());
}

#[tokio::test]
async fn a_long_log_of_an_old_build_is_followed_to_its_end() {
    let w = world().await;
    // More than two reads give.
    let sql = "INSERT INTO workspace_agent_logs (agent_id, created_at, level, log_source_id, output) \
         SELECT $1, now(), 'info', $1, '.' FROM generate_series(1, 20001)";
    w.db.execute(sql, &[&w.agent]).await.unwrap();
    let sql = "UPDATE workspaces SET latest_build_number = 5";
    w.db.execute(sql, &[]).await.unwrap();
    let path = format!("/api/v2/workspaceagents/{}/logs?follow", w.agent);
    let mut followed = w
        .client()
        .websocket_json::<Vec<api_types::WorkspaceAgentLog>>(&path)
        .await
        .unwrap();
    let mut lines = 0;
    while lines < 20_001 {
        let message = followed.next().await.expect("the log ends too early");
        lines += message.unwrap().len();
    }
}

#[tokio::test]
async fn an_agent_of_an_old_build_is_sent_away_and_let_in_no_more() {
    let w = world().await;
    let (_session, channel) = w.agent_session("role=agent").await;
    AgentClient::new(channel)
        .get_manifest(&GetManifestRequest {})
        .await
        .unwrap();
    let sql = "UPDATE workspaces SET latest_build_number = 5";
    w.db.execute(sql, &[]).await.unwrap();
    let client = w.client_as(w.token.to_string().into());
    let refused = client
        .websocket_bytes("/api/v2/workspaceagents/me/rpc")
        .await
        .err()
        .unwrap();
    assert!(refused.to_string().contains("not authorized"), "{refused}");
}

#[tokio::test]
async fn wrong_tokens_and_versions_are_refused() {
    let w = world().await;
    for token in ["", "no-uuid", &Uuid::new_v4().to_string()] {
        let client = w.client_as(token.to_owned().into());
        let path = "/api/v2/workspaceagents/me/rpc";
        let error = client.websocket_bytes(path).await.err().unwrap();
        assert_eq!(status(&error), Some(401), "{token}: {error}");
    }
    // The owner's session is no agent's token, and the agent's no session.
    let path = "/api/v2/workspaceagents/me/rpc";
    let error = w.client().websocket_bytes(path).await.err().unwrap();
    assert_eq!(status(&error), Some(401));
    let agent = w.client_as(w.token.to_string().into());
    let error = agent.agent(w.agent).await.unwrap_err();
    assert_eq!(status(&error), Some(401));
    for version in ["3.0", "2.12", "1.0", "x"] {
        let path = format!("/api/v2/workspaceagents/me/rpc?version={version}");
        let error = agent.websocket_bytes(&path).await.err().unwrap();
        assert_eq!(status(&error), Some(400), "{version}: {error}");
    }
}

#[tokio::test]
async fn strangers_see_no_agent() {
    let w = world().await;
    let stranger = testkit::user(&w.db, "bob", &[]).await;
    let api = w.client_as(stranger.token);
    for path in ["", "/logs", "/connection", "/coordinate?version=2.0"] {
        let path = format!("/api/v2/workspaceagents/{}{path}", w.agent);
        let error = if path.contains("coordinate") {
            api.websocket_bytes(&path).await.err().unwrap()
        } else {
            api.websocket_messages(&path).await.err().unwrap()
        };
        assert_eq!(status(&error), Some(404), "{path}: {error}");
    }
}

fn status(error: &client::Error) -> Option<u16> {
    match error {
        client::Error::Api(error) => Some(error.status.as_u16()),
        _ => None,
    }
}

#[tokio::test]
async fn metadata_is_watched_and_told_when_it_changes() {
    use rpc::proto::agent::{BatchUpdateMetadataRequest, Metadata, workspace_agent_metadata};
    let w = world().await;
    let (_session, channel) = w.agent_session("role=agent").await;
    let agent = AgentClient::new(channel);
    let path = format!("/api/v2/workspaceagents/{}/watch-metadata-ws", w.agent);
    let mut watch = w
        .client()
        .websocket_json::<serde_json::Value>(&path)
        .await
        .unwrap();
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!(first["type"], "data");
    assert_eq!(first["data"][0]["description"]["key"], "answer");
    assert_eq!(first["data"][0]["result"]["value"], "");
    let entry = |key: &str, value: &str| Metadata {
        key: key.to_owned(),
        result: Some(workspace_agent_metadata::Result {
            value: value.to_owned(),
            ..Default::default()
        }),
    };
    let request = BatchUpdateMetadataRequest {
        metadata: vec![entry("answer", "42"), entry("unknown", "x")],
    };
    agent.batch_update_metadata(&request).await.unwrap();
    let next = watch.next().await.unwrap().unwrap();
    assert_eq!(next["data"][0]["result"]["value"], "42");
    assert_eq!(next["data"].as_array().unwrap().len(), 1);
}
