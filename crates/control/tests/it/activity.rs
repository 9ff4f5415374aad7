//! Activity reaches the database: all of it, together, and without waiting for others.

use authz::{Subject, System};
use chrono::{DateTime, TimeDelta, Utc};
use control::agents::AgentSession;
use control::{Control, Settings};
use rpc::proto::agent::{Stats, UpdateAppStatusRequest, update_app_status_request::AppStatusState};
use testkit::{TestDb, TestUser, TestWorkspace};

struct World {
    db: TestDb,
    control: Control,
    ann: TestUser,
    workspaces: Vec<TestWorkspace>,
}

/// Workspaces that run until ten minutes from now, and were used an hour ago.
async fn world(workspaces: usize) -> World {
    world_with(workspaces, |_| {}).await
}

async fn world_with(workspaces: usize, change: impl FnOnce(&mut Settings)) -> World {
    let db = testkit::db().await;
    let ann = testkit::user(&db.store, "ann", &[]).await;
    let mut settings = Settings::new("http://127.0.0.1:3000".parse().unwrap());
    change(&mut settings);
    let mut made = Vec::new();
    for n in 0..workspaces {
        made.push(testkit::workspace(&db.store, ann.id, &format!("dev{n}")).await);
    }
    let sql = "UPDATE workspace_builds SET deadline = now() + interval '10 minutes'";
    db.execute(sql, &[]).await.unwrap();
    let sql = "UPDATE workspaces SET last_used_at = now() - interval '1 hour'";
    db.execute(sql, &[]).await.unwrap();
    World {
        control: Control::new(db.store.clone(), settings),
        db,
        ann,
        workspaces: made,
    }
}

impl World {
    async fn agent(&self, n: usize) -> AgentSession {
        let conn = self.db.store.conn().await.unwrap();
        let who = Subject::system(System::Agent);
        let token = self.workspaces[n].token;
        conn.agent_session_read(&who, token).await.unwrap()
    }

    /// When a workspace was used, and until when it runs.
    async fn times(&self, n: usize) -> (DateTime<Utc>, DateTime<Utc>) {
        let sql = "SELECT w.last_used_at, b.deadline FROM workspaces w \
             JOIN workspace_builds b ON b.workspace_id = w.id WHERE w.id = $1";
        let row = self.db.query_one(sql, &[&self.workspaces[n].id]).await;
        let row = row.unwrap();
        (row.get(0), row.get(1))
    }

    async fn reports(&self) -> i64 {
        let sql = "SELECT count(*) FROM workspace_agent_stats";
        self.db.query_one(sql, &[]).await.unwrap().get(0)
    }
}

fn stats(connections: i64) -> Stats {
    Stats {
        connection_count: connections,
        connections_by_proto: [("TCP".to_owned(), connections)].into(),
        rx_bytes: 7,
        ..Stats::default()
    }
}

#[tokio::test]
async fn reports_of_many_agents_are_one_batch() {
    let w = world(3).await;
    let before = w.times(1).await;
    for n in 0..3 {
        // The second has nobody connected.
        let agent = w.agent(n).await;
        let connections = i64::from(n != 1);
        w.control
            .agent_stats_update(&agent, Some(stats(connections)));
        w.control
            .agent_stats_update(&agent, Some(stats(connections)));
    }
    assert_eq!(w.reports().await, 0, "nothing waits for the database");
    w.control.activity_flush().await.unwrap();
    assert_eq!(w.reports().await, 6);
    let now = Utc::now();
    for n in [0, 2] {
        let (used, deadline) = w.times(n).await;
        assert!(now - used < TimeDelta::minutes(5), "{used}");
        assert!(deadline > now + TimeDelta::minutes(55), "{deadline}");
    }
    assert_eq!(w.times(1).await, before);
    let sql = "SELECT connections_by_proto ->> 'TCP', rx_bytes, count(DISTINCT created_at) \
         FROM workspace_agent_stats WHERE agent_id = $1 GROUP BY 1, 2";
    let row = w.db.query_one(sql, &[&w.workspaces[2].agent]).await;
    let row = row.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i64>(1)), ("1", 7));
}

#[tokio::test]
async fn what_counts_as_use_and_what_stops_later() {
    let w = world(3).await;
    let (old, soon) = w.times(0).await;
    let who = &w.ann.who;
    // A bare note of use, as clients of old send it.
    let bare = api_types::PostWorkspaceUsageRequest::default();
    let used = w.control.workspace_used(who, w.workspaces[0].id, &bare);
    used.await.unwrap();
    // One with the agent and what it is used for.
    let named = api_types::PostWorkspaceUsageRequest {
        agent_id: w.workspaces[1].agent,
        app_name: "ssh".into(),
    };
    let used = w.control.workspace_used(who, w.workspaces[1].id, &named);
    used.await.unwrap();
    // An app at work.
    let app = "INSERT INTO workspace_apps (id, created_at, agent_id, slug, display_name, icon) \
         VALUES (gen_random_uuid(), now(), $1, 'bot', 'Bot', '')";
    w.db.execute(app, &[&w.workspaces[2].agent]).await.unwrap();
    let agent = w.agent(2).await;
    let status = |state: AppStatusState| UpdateAppStatusRequest {
        slug: "bot".to_owned(),
        state: state.into(),
        ..UpdateAppStatusRequest::default()
    };
    let working = status(AppStatusState::Working);
    let noted = w.control.agent_app_status_update(&agent, &working);
    noted.await.unwrap();
    w.control.activity_flush().await.unwrap();

    let (used, deadline) = w.times(0).await;
    assert!(used > old && deadline == soon, "a use alone");
    let (used, deadline) = w.times(1).await;
    assert!(used > old && deadline > soon, "both");
    let (used, deadline) = w.times(2).await;
    assert!(used == old && deadline > soon, "work alone");

    // The end of its work counts, to be idle does not.
    for later in [true, false] {
        let sql = "UPDATE workspace_builds SET deadline = $1";
        w.db.execute(sql, &[&soon]).await.unwrap();
        let idle = status(AppStatusState::Idle);
        let noted = w.control.agent_app_status_update(&agent, &idle);
        noted.await.unwrap();
        w.control.activity_flush().await.unwrap();
        assert_eq!(w.times(2).await.1 > soon, later);
    }
}

#[tokio::test]
async fn sessions_are_counted_as_clients_tell_of_them_where_that_is_wanted() {
    for by_clients in [false, true] {
        let w = world_with(1, |settings| settings.usage_by_clients = by_clients).await;
        let agent = w.agent(0).await;
        let counted = Stats {
            session_counts: [("ssh".to_owned(), 5)].into(),
            ..stats(1)
        };
        w.control.agent_stats_update(&agent, Some(counted));
        for app in ["vscode", "reconnecting-pty", "reconnecting-pty"] {
            let told = api_types::PostWorkspaceUsageRequest {
                agent_id: agent.agent_id,
                app_name: app.into(),
            };
            let told = w
                .control
                .workspace_used(&w.ann.who, w.workspaces[0].id, &told);
            told.await.unwrap();
        }
        w.control.activity_flush().await.unwrap();
        assert_eq!(w.reports().await, if by_clients { 4 } else { 1 });
        // This minute is not over: what clients tell in it is not all yet.
        let sql = "UPDATE workspace_agent_stats SET created_at = \
             date_trunc('minute', now()) - interval '30 seconds'";
        w.db.execute(sql, &[]).await.unwrap();
        let owner = testkit::user(&w.db.store, "olive", &["owner"]).await;
        let counted = w.control.deployment_stats_read(&owner.who).await.unwrap();
        let counted = counted.session_count;
        let all = (counted.ssh, counted.vscode, counted.reconnecting_pty);
        assert_eq!(all, if by_clients { (0, 1, 2) } else { (5, 0, 0) });
    }
}

#[tokio::test]
async fn wrong_notes_of_use_are_refused() {
    let w = world(2).await;
    for (agent_id, app_name) in [
        (w.workspaces[0].agent, ""),
        (w.workspaces[0].agent, "emacs"),
        (w.workspaces[1].agent, "ssh"),
        (uuid::Uuid::nil(), "ssh"),
    ] {
        let request = api_types::PostWorkspaceUsageRequest {
            agent_id,
            app_name: app_name.into(),
        };
        let id = w.workspaces[0].id;
        let error = w.control.workspace_used(&w.ann.who, id, &request).await;
        assert_eq!(error.unwrap_err().status(), 400, "{app_name}");
    }
}

#[tokio::test]
async fn a_workspace_that_is_being_changed_waits_for_its_turn_and_holds_nobody_up() {
    let w = world(2).await;
    let (old, soon) = w.times(0).await;
    let tx = w.db.store.begin(&w.ann.who).await.unwrap();
    let busy = w.workspaces[0].id;
    for sql in [
        "UPDATE workspaces SET updated_at = now() WHERE id = $1",
        "UPDATE workspace_builds SET updated_at = now() WHERE workspace_id = $1",
    ] {
        tx.execute(sql, &[&busy]).await.unwrap();
    }
    for n in 0..2 {
        let agent = w.agent(n).await;
        w.control.agent_stats_update(&agent, Some(stats(1)));
    }
    w.control.activity_flush().await.unwrap();
    assert_eq!(w.times(0).await, (old, soon));
    assert!(w.times(1).await.1 > soon);
    assert_eq!(w.reports().await, 2);
    tx.commit().await.unwrap();
    w.control.activity_flush().await.unwrap();
    let (used, deadline) = w.times(0).await;
    assert!(used > old && deadline > soon);
    assert_eq!(w.reports().await, 2);
}

#[tokio::test]
async fn notes_survive_a_database_that_is_away() {
    let w = world(1).await;
    let agent = w.agent(0).await;
    w.control.agent_stats_update(&agent, Some(stats(1)));
    w.db.execute("ALTER TABLE workspace_agent_stats RENAME TO gone", &[])
        .await
        .unwrap();
    // What the database refuses is not tried for ever.
    w.control.activity_flush().await.unwrap();
    w.db.execute("ALTER TABLE gone RENAME TO workspace_agent_stats", &[])
        .await
        .unwrap();
    w.control.activity_flush().await.unwrap();
    assert_eq!(w.reports().await, 0);
    w.control.agent_stats_update(&agent, Some(stats(1)));
    w.control.activity_flush().await.unwrap();
    assert_eq!(w.reports().await, 1);
}
