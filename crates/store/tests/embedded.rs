//! The PostgreSQL that travels with the server: first start, restarts, what a
//! killed server leaves.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail at once too")]

use std::path::Path;
use std::time::Duration;

use store::Store;
use store::embedded::{Binaries, Embedded, EmbeddedError, url_of};

async fn start(dir: &Path) -> Result<Embedded, EmbeddedError> {
    Embedded::start(testkit::postgres_binaries(), dir).await
}

async fn count(url: &str) -> i64 {
    let store = Store::connect(url, 2).unwrap();
    let sql = "SELECT count(*) FROM kept";
    let count = store.query_one(sql, &[]).await.unwrap().get(0);
    store.close();
    count
}

fn kill(pid: u32, signal: &str) {
    let status = std::process::Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn data_survives_stops_and_kills() {
    let dir = tempfile::tempdir().unwrap();
    // A path that is too long for a socket's address.
    let home = dir.path().join("x".repeat(120)).join("postgres");
    let server = start(&home).await.unwrap();
    let store = Store::connect(server.url(), 2).unwrap();
    store.migrate().await.unwrap();
    store
        .execute("CREATE TABLE kept (n int)", &[])
        .await
        .unwrap();
    store
        .execute("INSERT INTO kept VALUES (1)", &[])
        .await
        .unwrap();

    // It dies: it comes back by itself, and who asks then need not ask twice.
    let first = server.pid().unwrap();
    let backends = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap();
    kill(first, "-KILL");
    // They outlive it by a moment, in which they answer still; who inherits them may take its time to
    // notice their end.
    let gone = |pid: &str| match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    };
    while server.pid() == Some(first) || !backends.split_whitespace().all(gone) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.query_one("SELECT 1", &[]).await.unwrap();
    assert_ne!(server.pid(), Some(first));
    assert_eq!(count(server.url()).await, 1);
    store.close();

    // While it runs, nobody else may have it.
    let error = start(&home).await.err().unwrap();
    assert!(matches!(error, EmbeddedError::InUse { .. }), "{error}");

    server.stop().await;
    assert!(!home.join("data/postmaster.pid").exists());
    // The number of a process that is none of PostgreSQL's.
    std::fs::write(
        home.join("data/postmaster.pid"),
        format!("{}\n", std::process::id()),
    )
    .unwrap();
    let server = start(&home).await.unwrap();
    assert_eq!(count(server.url()).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn other_versions_and_broken_starts_tell_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("PG_VERSION"), "13\n").unwrap();
    let error = start(dir.path()).await.err().unwrap();
    assert!(
        matches!(error, EmbeddedError::OtherVersion { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("pg_dump") && error.to_string().contains("13"));

    let missing = Binaries::Directory("/nonexistent".into());
    let error = Embedded::start(missing, &dir.path().join("b"))
        .await
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("/nonexistent/bin/postgres"),
        "{error}"
    );
    let garbage = Binaries::Packed(b"garbage");
    let error = Embedded::start(garbage, &dir.path().join("c"))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, EmbeddedError::Io { .. }), "{error}");
    assert!(url_of(dir.path()).is_err() || !url_of(dir.path()).unwrap().is_empty());
}

#[tokio::test]
async fn a_half_made_cluster_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("data.new/base")).unwrap();
    std::fs::create_dir_all(dir.path().join("data/base")).unwrap();
    let server = start(dir.path()).await.unwrap();
    assert_eq!(url_of(dir.path()).unwrap(), server.url());
    server.stop().await;
}

/// What becomes of the connections that there are.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Live,
    /// Neither closed nor read from: as of a machine that lost its power.
    Silent,
    Closed,
}

/// Stands before the socket of a database.
struct Between {
    fate: tokio::sync::watch::Sender<Fate>,
    task: tokio::task::JoinHandle<()>,
}

impl Between {
    fn start(own: &Path, theirs: std::path::PathBuf) -> Self {
        let listener = tokio::net::UnixListener::bind(own).unwrap();
        let (fate, heard) = tokio::sync::watch::channel(Fate::Live);
        let task = tokio::spawn(async move {
            loop {
                let (mut ours, _) = listener.accept().await.unwrap();
                let mut behind = tokio::net::UnixStream::connect(&theirs).await.unwrap();
                let mut heard = heard.clone();
                heard.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut ours, &mut behind) => return,
                        changed = heard.changed() => changed.unwrap(),
                    }
                    if *heard.borrow() == Fate::Silent {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Between { fate, task }
    }
}

#[tokio::test]
async fn what_died_unheard_is_replaced_and_what_is_away_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir.path().join("db")).await.unwrap();
    let sockets = dir.path().join("between");
    std::fs::create_dir(&sockets).unwrap();
    let name = ".s.PGSQL.5432";
    let between = Between::start(&sockets.join(name), dir.path().join("db/run").join(name));
    let run = |path: &Path| path.display().to_string().replace('/', "%2F");
    let url = server
        .url()
        .replace(&run(&dir.path().join("db/run")), &run(&sockets));
    assert_ne!(url, server.url());
    let store = Store::connect(&url, 2).unwrap();
    store.query_one("SELECT 1", &[]).await.unwrap();

    between.fate.send_replace(Fate::Silent);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    store.query_one("SELECT 1", &[]).await.unwrap();

    // Away, and every connection closed: whoever asks hears nothing until it is back.
    std::fs::remove_file(sockets.join(name)).unwrap();
    between.fate.send_replace(Fate::Closed);
    while store.ping().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let asked = tokio::spawn({
        let store = store.clone();
        async move { store.query_one("SELECT 1", &[]).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!asked.is_finished(), "an error at once");
    let again = Between::start(&sockets.join(name), dir.path().join("db/run").join(name));
    asked.await.unwrap().unwrap();

    store.close();
    between.task.abort();
    again.task.abort();
    server.stop().await;
}
