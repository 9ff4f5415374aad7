//! What a thousand reports of agents cost: `cargo bench -p control --bench activity`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench")]

use std::time::Instant;

use authz::{Subject, System};
use control::{Control, Settings};
use rpc::proto::agent::Stats;

/// Workspaces with one agent each.
const WORKSPACES: usize = 100;
/// Reports of each.
const ROUNDS: usize = 10;

#[tokio::main]
async fn main() {
    // `cargo test --benches` only asks whether it can be run.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let db = testkit::db().await;
    let ann = testkit::user(&db.store, "ann", &[]).await;
    let control = Control::new(
        db.store.clone(),
        Settings::new("http://127.0.0.1:3000".parse().unwrap()),
    );
    let mut agents = Vec::new();
    for n in 0..WORKSPACES {
        let made = testkit::workspace(&db.store, ann.id, &format!("dev{n}")).await;
        let conn = db.store.conn().await.unwrap();
        let who = Subject::system(System::Agent);
        agents.push(conn.agent_session_read(&who, made.token).await.unwrap());
    }
    let near = "UPDATE workspace_builds SET deadline = now() + interval '10 minutes'";
    db.execute(near, &[]).await.unwrap();
    let report = || {
        Some(Stats {
            connection_count: 1,
            session_counts: [("ssh".to_owned(), 1)].into(),
            ..Stats::default()
        })
    };
    let total = WORKSPACES * ROUNDS;
    let (mut noted, mut written) = (0.0, 0.0);
    // The first run prepares statements.
    for _ in 0..2 {
        db.execute(near, &[]).await.unwrap();
        let start = Instant::now();
        for _ in 0..ROUNDS {
            for agent in &agents {
                control.agent_stats_update(agent, report());
            }
        }
        noted = start.elapsed().as_secs_f64();
        let start = Instant::now();
        control.activity_flush().await.unwrap();
        written = start.elapsed().as_secs_f64();
    }
    println!(
        "{total} reports of {WORKSPACES} workspaces: noted in {:.2} ms, written in {:.1} ms \
         (uses, deadlines and all)",
        noted * 1e3,
        written * 1e3
    );
    let start = Instant::now();
    for n in 0..total {
        control.agent_stats_update(&agents[n % WORKSPACES], report());
        control.activity_flush().await.unwrap();
    }
    println!(
        "{total} reports, a transaction for each: {:.1} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
}
