//! What agents report, against a real database.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

use std::collections::BTreeMap;

use api_types::{LogLevel, WorkspaceAgentLifecycle};
use authz::{Subject, System};
use chrono::{TimeDelta, Utc};
use uuid::Uuid;

use store::StoreError;
use store::workspace_agents::*;
use testkit::TestDb;

struct World {
    store: TestDb,
    who: Subject,
    agent: Uuid,
    token: Uuid,
    workspace: Uuid,
}

/// A workspace with one agent, made by plain SQL.
async fn world() -> World {
    let store = testkit::db().await;
    let (agent, token, workspace) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let [user, template, version, job, build, resource] = [(); 6].map(|()| Uuid::new_v4());
    let sql = format!(
        "INSERT INTO users (id, username, email, status) VALUES ('{user}', 'ann', 'a@b', 'active');
         INSERT INTO templates (id, created_at, updated_at, organization_id, name, provisioner,
             active_version_id, created_by)
             SELECT '{template}', now(), now(), id, 't', 'terraform', '{version}', '{user}'
             FROM organizations;
         INSERT INTO provisioner_jobs (id, created_at, updated_at, organization_id, initiator_id,
             provisioner, type, file_id, tags, input)
             SELECT '{job}', now(), now(), id, '{user}', 'terraform', 'workspace_build',
                 '{job}', '{{}}', '{{}}' FROM organizations;
         INSERT INTO template_versions (id, template_id, organization_id, created_at, updated_at,
             name, job_id, created_by)
             SELECT '{version}', '{template}', id, now(), now(), 'v', '{job}', '{user}'
             FROM organizations;
         INSERT INTO workspaces (id, created_at, updated_at, owner_id, organization_id,
             template_id, name, last_used_at, latest_build_number)
             SELECT '{workspace}', now(), now(), '{user}', id, '{template}', 'ws', '2000-01-01', 1
             FROM organizations;
         INSERT INTO workspace_builds (id, created_at, updated_at, workspace_id,
             template_version_id, build_number, transition, initiator_id, reason, job_id)
             VALUES ('{build}', now(), now(), '{workspace}', '{version}', 1, 'start', '{user}',
                 'initiator', '{job}');
         INSERT INTO workspace_resources (id, created_at, job_id, transition, type, name)
             VALUES ('{resource}', now(), '{job}', 'start', 'null_resource', 'r');
         INSERT INTO workspace_agents (id, resource_id, created_at, updated_at, name, auth_token,
             architecture, operating_system, auth_instance_id)
             VALUES ('{agent}', '{resource}', now(), now(), 'main', '{token}', 'amd64', 'linux',
                 'i-1');"
    );
    plain(&store, &sql).await;
    World {
        store,
        who: Subject::system(System::Agent),
        agent,
        token,
        workspace,
    }
}

/// Runs several statements.
async fn plain(db: &TestDb, sql: &str) {
    for statement in sql.split(';').filter(|text| !text.trim().is_empty()) {
        db.execute(statement, &[]).await.unwrap();
    }
}

async fn read(w: &World) -> api_types::WorkspaceAgent {
    let conn = w.store.conn().await.unwrap();
    conn.workspace_agent_read(&Subject::system(System::Core), w.agent)
        .await
        .unwrap()
        .api
}

#[tokio::test]
async fn a_token_stands_for_its_agent_while_the_build_is_current() {
    let w = world().await;
    let conn = w.store.conn().await.unwrap();
    let session = conn.agent_session_read(&w.who, w.token).await.unwrap();
    assert_eq!(session.agent_id, w.agent);
    assert_eq!(session.workspace_name, "ws");
    let unknown = conn.agent_session_read(&w.who, Uuid::new_v4()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound)));
    let by_instance = conn.agents_by_instance(&w.who, "i-1").await.unwrap();
    assert_eq!(by_instance, [(w.agent, "main".to_owned(), w.token)]);
    conn.execute("UPDATE workspaces SET latest_build_number = 2", &[])
        .await
        .unwrap();
    let old = conn.agent_session_read(&w.who, w.token).await;
    assert!(matches!(old, Err(StoreError::NotFound)));
    assert!(!conn.agent_is_current(&w.who, w.agent).await.unwrap());
}

#[tokio::test]
async fn presence_changes_what_readers_see_and_ends_only_by_its_holder() {
    let w = world().await;
    let channel = store::workspaces::WORKSPACE_CHANGED;
    let mut changed = w.store.listen(channel).await.unwrap();
    let conn = w.store.conn().await.unwrap();
    let (ours, theirs) = (Uuid::new_v4(), Uuid::new_v4());
    let begin = Utc::now();
    let note = async |replica, presence, seconds| {
        let at = begin + TimeDelta::seconds(seconds);
        conn.agent_presence(&w.who, w.agent, replica, presence, at)
            .await
            .unwrap()
    };
    assert!(note(ours, Presence::Connected, 0).await.is_current);
    assert_eq!(changed.recv().await, w.workspace.to_string());
    note(ours, Presence::Alive, 15).await;
    note(theirs, Presence::Connected, 16).await;
    note(ours, Presence::Gone, 17).await;
    let agent = read(&w).await;
    assert_eq!(agent.disconnected_at, None);
    assert!(agent.first_connected_at < agent.last_connected_at);
    note(theirs, Presence::Gone, 18).await;
    let agent = read(&w).await;
    assert!(agent.disconnected_at > agent.last_connected_at);
}

#[tokio::test]
async fn lifecycle_sets_its_times() {
    let w = world().await;
    let report = async |state| {
        let report = LifecycleReport {
            state,
            changed_at: Utc::now(),
        };
        let conn = w.store.conn().await.unwrap();
        conn.agent_lifecycle_update(&w.who, w.agent, &report)
            .await
            .unwrap();
        drop(conn);
        read(&w).await
    };
    let agent = report(WorkspaceAgentLifecycle::Starting).await;
    assert!(agent.started_at.is_some() && agent.ready_at.is_none());
    let agent = report(WorkspaceAgentLifecycle::Ready).await;
    assert!(agent.ready_at.is_some());
    let agent = report(WorkspaceAgentLifecycle::ShuttingDown).await;
    assert!(agent.ready_at.is_some() && agent.started_at.is_some());
    let conn = w.store.conn().await.unwrap();
    conn.agent_startup_update(&w.who, w.agent, "v1.2.3", "2.11", "/home", &["envbox"])
        .await
        .unwrap();
    drop(conn);
    assert_eq!(read(&w).await.version, "v1.2.3");
}

#[tokio::test]
async fn logs_are_kept_in_order_up_to_the_limit() {
    let w = world().await;
    let mut told = w.store.listen(&logs_channel(w.agent)).await.unwrap();
    let conn = w.store.conn().await.unwrap();
    let line = |output: &str| NewAgentLog {
        created_at: Utc::now(),
        level: LogLevel::Info,
        output: output.to_owned(),
    };
    let source = Uuid::new_v4();
    for _ in 0..2 {
        conn.agent_log_source_ensure(&w.who, w.agent, source, "Script", "", Utc::now())
            .await
            .unwrap();
    }
    let append = async |lines: &[NewAgentLog]| {
        conn.agent_logs_append(&w.who, w.agent, source, lines)
            .await
            .unwrap()
    };
    assert!(append(&[line("one"), line("two")]).await);
    let last: i64 = told.recv().await.parse().unwrap();
    assert!(append(&[line("three")]).await);
    let all = AgentLogRange::default();
    let all = conn.agent_logs(w.agent, all).await.unwrap();
    let texts: Vec<&str> = all.iter().map(|log| log.output.as_str()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    let range = AgentLogRange {
        after: last,
        before: 0,
    };
    assert_eq!(conn.agent_logs(w.agent, range).await.unwrap().len(), 1);
    assert!(!append(&[line(&"x".repeat(LOGS_LIMIT as usize))]).await);
    assert!(!append(&[line("small")]).await);
    let agent = read(&w).await;
    assert!(agent.logs_overflowed);
    assert_eq!(agent.logs_length, 11);
    let purge = Subject::system(System::Purge);
    assert_eq!(conn.agent_logs_purge(&purge, Utc::now()).await.unwrap(), 0);
}

#[tokio::test]
async fn metadata_apps_scripts_and_monitors_belong_to_their_agent() {
    let w = world().await;
    let conn = w.store.conn().await.unwrap();
    let (script, app) = (Uuid::new_v4(), Uuid::new_v4());
    let sql = format!(
        "INSERT INTO workspace_agent_metadata (workspace_agent_id, key, display_name, script,
             interval_seconds, timeout_seconds) VALUES ('{a}', 'cpu', 'CPU', 'x', 10, 1);
         INSERT INTO workspace_agent_scripts (id, workspace_agent_id, log_source_id, created_at,
             position, display_name, script, log_path, cron, start_blocks_login, run_on_start,
             run_on_stop, timeout_seconds) VALUES ('{script}', '{a}', '{script}', now(), 0, 's',
             'true', '', '', true, true, false, 5);
         INSERT INTO workspace_apps (id, created_at, agent_id, slug, display_name, icon,
             healthcheck_url, health) VALUES ('{app}', now(), '{a}', 'code', '', '', 'http://x',
             'initializing');
         INSERT INTO workspace_agent_resource_monitors (workspace_agent_id, path, enabled,
             threshold, created_at, updated_at) VALUES ('{a}', '', true, 80, now(), now());
         INSERT INTO workspace_agent_devcontainers (id, workspace_agent_id, created_at, name,
             workspace_folder, config_path) VALUES ('{app}', '{a}', now(), 'd', '/w', '');",
        a = w.agent
    );
    plain(&w.store, &sql).await;

    let value = |key: &str| MetadataValue {
        key: key.to_owned(),
        value: "12%".to_owned(),
        error: String::new(),
    };
    let values = [value("cpu"), value("other")];
    conn.agent_metadata_update(&w.who, w.agent, &values, Utc::now())
        .await
        .unwrap();
    let metadata = conn.agent_metadata(w.agent).await.unwrap();
    assert_eq!(metadata.len(), 1);
    assert_eq!(metadata[0].result.value, "12%");

    let run = |script_id| ScriptRun {
        script_id,
        started_at: Utc::now(),
        ended_at: Utc::now(),
        exit_code: 3,
        stage: "start",
        status: "exit_failure",
    };
    let done = run(script);
    for _ in 0..2 {
        conn.agent_script_completed(&w.who, w.agent, &done)
            .await
            .unwrap();
    }
    let other = conn
        .agent_script_completed(&w.who, w.agent, &run(app))
        .await;
    assert!(matches!(other, Err(StoreError::NotFound)));

    conn.agent_app_health_update(&w.who, w.agent, &[(app, "healthy")])
        .await
        .unwrap();
    let both = [(app, "unhealthy"), (script, "healthy")];
    let other = conn.agent_app_health_update(&w.who, w.agent, &both).await;
    assert!(matches!(other, Err(StoreError::NotFound)));
    let status = |slug| NewAppStatus {
        slug,
        state: "working",
        message: "on it",
        uri: "",
    };
    conn.agent_app_status_insert(&w.who, w.agent, &status("code"))
        .await
        .unwrap();
    let nope = status("nope");
    let other = conn.agent_app_status_insert(&w.who, w.agent, &nope);
    assert!(matches!(other.await, Err(StoreError::NotFound)));

    let monitors = conn.agent_monitors(&w.who, w.agent).await.unwrap();
    assert_eq!(monitors[0].threshold, 80);
    conn.agent_monitor_update(&w.who, w.agent, "", "NOK", Some(Utc::now()))
        .await
        .unwrap();

    let manifest = conn.agent_manifest(&w.who, w.agent).await.unwrap();
    assert_eq!(manifest.apps[0].health, "healthy");
    assert_eq!(manifest.scripts[0].timeout_seconds, 5);
    assert_eq!(manifest.metadata[0].interval_seconds, 10);
    assert_eq!(manifest.devcontainers[0].workspace_folder, "/w");
}

#[tokio::test]
async fn the_two_reports_of_a_connection_make_one_entry() {
    let w = world().await;
    let conn = w.store.conn().await.unwrap();
    let session = conn.agent_session_read(&w.who, w.token).await.unwrap();
    let stats = NewAgentStats {
        connection_count: 1,
        session_counts: BTreeMap::from([("ssh".to_owned(), 1)]),
        ..NewAgentStats::default()
    };
    let report = AgentReport {
        at: Utc::now(),
        agent_id: session.agent_id,
        workspace_id: session.workspace_id,
        owner_id: session.owner_id,
        template_id: session.template_id,
        stats,
    };
    conn.agent_stats_insert(&w.who, &[report]).await.unwrap();
    let mut event = ConnectionEvent {
        connection_id: Uuid::new_v4(),
        kind: "ssh".to_owned(),
        at: Utc::now(),
        ip: "127.0.0.1".to_owned(),
        end: Some((255, "gone".to_owned())),
    };
    for end in [event.end.clone(), None] {
        event.end = end;
        conn.connection_log_upsert(&w.who, &session, &event)
            .await
            .unwrap();
    }
    let sql = "SELECT count(*), max(code) FROM connection_logs";
    let row = conn.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i32>(1)), (1, 255));
    let purge = Subject::system(System::Purge);
    assert_eq!(conn.agent_stats_purge(&purge, Utc::now()).await.unwrap(), 1);
}

#[tokio::test]
async fn sub_agents_are_their_parents_own() {
    let w = world().await;
    let conn = w.store.conn().await.unwrap();
    let session = conn.agent_session_read(&w.who, w.token).await.unwrap();
    drop(conn);
    let new = NewSubAgent {
        id: Uuid::new_v4(),
        auth_token: Uuid::new_v4(),
        name: "dev",
        directory: "/w",
        architecture: "amd64",
        operating_system: "linux",
        display_apps: &["vscode"],
    };
    let tx = w.store.begin(&w.who).await.unwrap();
    tx.sub_agent_insert(&w.who, &session, &new, Utc::now())
        .await
        .unwrap();
    let updated = tx
        .sub_agent_update(&w.who, &session, new.id, "", &[])
        .await
        .unwrap();
    assert_eq!(updated.auth_token, new.auth_token);
    tx.commit().await.unwrap();
    let conn = w.store.conn().await.unwrap();
    assert_eq!(conn.sub_agents(&w.who, w.agent).await.unwrap().len(), 1);
    let child = conn
        .agent_session_read(&w.who, new.auth_token)
        .await
        .unwrap();
    assert_eq!(child.parent_id, Some(w.agent));
    drop(conn);
    let tx = w.store.begin(&w.who).await.unwrap();
    let upwards = tx.sub_agent_delete(&w.who, &child, w.agent).await;
    assert!(matches!(upwards, Err(StoreError::NotFound)));
    tx.sub_agent_delete(&w.who, &session, new.id).await.unwrap();
}
