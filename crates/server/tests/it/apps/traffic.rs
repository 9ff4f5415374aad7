//! What passes, and what is written down of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;

use super::{app_world, token};
use crate::agent_conn::{read_head, serve};
use crate::browser::get;

#[tokio::test]
async fn a_switched_connection_carries_bytes_both_ways() {
    let a = app_world().await;
    serve(&a.agent, 8081, async |mut io| {
        let head = read_head(&mut io).await;
        assert!(
            head.to_lowercase().contains("sec-websocket-key: abc"),
            "{head}"
        );
        io.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            .await
            .unwrap();
        let (mut read, mut write) = tokio::io::split(io);
        let _ = tokio::io::copy(&mut read, &mut write).await;
    });
    let mut io = get(a.port, &a.host("8081--main--dev--ann"), "/ws")
        .header("Coder-Session-Token", token(&a.w.owner))
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Key", "abc")
        .open()
        .await;
    let head = read_head(&mut io).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let sent = vec![7; 1 << 20];
    let (mut read, mut write) = io.split();
    let mut got = vec![0; sent.len()];
    let (written, read) = tokio::join!(write.write_all(&sent), read.read_exact(&mut got));
    written.unwrap();
    read.unwrap();
    assert_eq!(got, sent);
}

#[tokio::test]
async fn a_reader_that_is_slow_slows_its_app_down() {
    let a = app_world().await;
    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    serve(&a.agent, 8082, move |mut io| {
        let count = count.clone();
        async move {
            read_head(&mut io).await;
            let _ = io.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let block = vec![b'x'; 64 << 10];
            while io.write_all(&block).await.is_ok() {
                count.fetch_add(block.len() as u64, Ordering::Relaxed);
            }
        }
    });
    let mut io = get(a.port, &a.host("8082--main--dev--ann"), "/")
        .header("Coder-Session-Token", token(&a.w.owner))
        .open()
        .await;
    io.read_u8().await.unwrap();
    // Until no more fits anywhere.
    let mut before = 1;
    while before != sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    assert!(
        before < 32 << 20,
        "{before} bytes are held for somebody who does not read"
    );
    drop(io);
}

#[tokio::test]
async fn uses_and_visits_are_written_down() {
    let a = app_world().await;
    let sql = "UPDATE workspaces SET last_used_at = now() - interval '1 hour'";
    a.w.db.execute(sql, &[]).await.unwrap();
    for _ in 0..3 {
        a.at_host("web--dev--ann", "/x", Some(&a.w.owner)).await;
    }
    a.w.apps_flush().await;
    let sql = "SELECT user_id, slug_or_port, access_method, requests FROM workspace_app_stats";
    let row = a.w.db.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, Uuid>(0), a.w.owner.id);
    assert_eq!(
        (row.get::<_, &str>(1), row.get::<_, &str>(2)),
        ("web", "subdomain")
    );
    assert_eq!(row.get::<_, i32>(3), 3);
    // A use of an app is one of the workspace.
    let sql = "SELECT last_used_at > now() - interval '5 minutes' FROM workspaces";
    let used = a.w.db.query_one(sql, &[]).await.unwrap();
    assert!(used.get::<_, bool>(0));
    crate::world::eventually("the visit is in the log", async || {
        let sql = "SELECT count(*) FROM connection_logs WHERE slug_or_port = 'web' AND code = 200";
        a.w.db.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
}
