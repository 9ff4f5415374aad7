//! The other implementation's agent against this server, where it is at hand.

use std::net::SocketAddrV6;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use api_types::{WorkspaceAgentLifecycle, WorkspaceAgentStatus};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tunnel_proto::address;

use crate::tunnel::client_end;
use crate::world::{eventually, world};

fn peer(name: &str) -> Option<PathBuf> {
    let Some(dir) = std::env::var_os("CODER_TEST_PEERS") else {
        println!("skipped: CODER_TEST_PEERS is not set");
        return None;
    };
    Some(PathBuf::from(dir).join("bin").join(name))
}

#[tokio::test]
async fn the_other_agent_starts_reports_and_is_reached() {
    let Some(program) = peer("coder-go-slim") else {
        return;
    };
    let w = world().await;
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".coder")).unwrap();
    std::fs::write(home.path().join(".coder/AGENTS.md"), "Be brief.").unwrap();
    let agent = tokio::process::Command::new(program)
        .args(["agent", "--no-reap"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home.path())
        .env("SHELL", "/bin/sh")
        .env("CODER_AGENT_URL", w.url.as_str())
        .env("CODER_AGENT_TOKEN", w.token.to_string())
        .env("CODER_AGENT_LOG_DIR", home.path())
        .env("CODER_AGENT_SCRIPT_DATA_DIR", home.path())
        .env("CODER_AGENT_SOCKET_PATH", home.path().join("agent.sock"))
        .env("CODER_AGENT_PPROF_ADDRESS", "127.0.0.1:0")
        .env("CODER_AGENT_PROMETHEUS_ADDRESS", "127.0.0.1:0")
        .env("CODER_AGENT_DEBUG_ADDRESS", "127.0.0.1:0")
        .env("CODER_AGENT_DEVCONTAINERS_ENABLE", "false")
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(home.path().join("out.log")).unwrap())
        .stderr(std::fs::File::create(home.path().join("err.log")).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let api = w.client();
    let log = || std::fs::read_to_string(home.path().join("err.log")).unwrap_or_default();
    for attempt in 0.. {
        let seen = api.agent(w.agent).await.unwrap();
        if seen.status == WorkspaceAgentStatus::Connected
            && seen.lifecycle_state == WorkspaceAgentLifecycle::Ready
        {
            break;
        }
        assert!(attempt < 600, "{seen:?}\n{}", log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eventually("the script's output has come", async || {
        let path = format!("/api/v2/workspaceagents/{}/logs?follow", w.agent);
        let mut socket = api
            .websocket_json::<Vec<api_types::WorkspaceAgentLog>>(&path)
            .await
            .unwrap();
        let lines = socket.next().await.unwrap().unwrap();
        lines
            .iter()
            .any(|line| line.output == "hello from the script")
    })
    .await;
    eventually("metadata has come", async || {
        let sql = "SELECT value FROM workspace_agent_metadata";
        let row = w.db.query_one(sql, &[]).await.unwrap();
        row.get::<_, String>(0).trim() == "42"
    })
    .await;
    eventually("the script's timing has come", async || {
        let sql = "SELECT count(*) FROM workspace_agent_script_timings WHERE status = 'ok'";
        w.db.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;

    eventually("its instructions for AI agents have come", async || {
        let sql = "SELECT count(*) FROM workspace_agent_context_resources \
                   WHERE kind = 'instruction_file' AND status = 'ok' AND content = 'Be brief.'";
        w.db.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;

    let conn = client_end(&w).await;
    conn.await_reachable(w.agent, Duration::from_secs(30))
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", log()));
    let to = SocketAddrV6::new(address::tailnet(w.agent), 1, 0, 0);
    let mut ssh = conn.dial_tcp(to).await.unwrap();
    let mut banner = [0; 8];
    ssh.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"SSH-2.0-");
    bulk(&conn, *to.ip()).await;
    drop(agent);
}

/// Megabytes there and back through a port of the agent's machine: the other side's TCP and ours.
async fn bulk(conn: &tunnel::Conn, agent: std::net::Ipv6Addr) {
    let echo = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = echo.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = echo.accept().await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        // The other side's close ends it; what was asked for has come back by then.
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    let begun = std::time::Instant::now();
    let stream = conn
        .dial_tcp(SocketAddrV6::new(agent, port, 0, 0))
        .await
        .unwrap();
    let data: Vec<u8> = (0..16u32 << 20).map(|n| (n ^ (n >> 9)) as u8).collect();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sent = data.clone();
    let write = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer
    });
    // That agent closes both directions as soon as one has ended: ours stays open until all is back.
    let mut back = vec![0; data.len()];
    reader.read_exact(&mut back).await.unwrap();
    drop(write.await.unwrap());
    assert!(back == data, "{} of {} bytes", back.len(), data.len());
    println!("16 MiB there and back in {:?}", begun.elapsed());
}
