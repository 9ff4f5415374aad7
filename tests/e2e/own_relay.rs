//! A deployment without a relay of its own, whose map names another's.

use anyhow::{Context, Result, ensure};
use e2e::{binaries, command::eventually, peers::Peers, server::Server};
use std::time::Duration;

use crate::world::{self, world};

/// Everything meets at the other relay: people, agents, and the server itself.
pub fn of_the_administrator() -> Result<()> {
    let relay = &world()?.server;
    let port: u16 = relay
        .authority
        .rsplit_once(':')
        .context("an authority has a port")?
        .1
        .parse()?;
    let map = serde_json::json!({"Regions": {"7": {
        "EmbeddedRelay": false, "RegionID": 7, "RegionCode": "other", "RegionName": "Another's",
        "Nodes": [{"Name": "7a", "RegionID": 7, "HostName": "127.0.0.1", "DERPPort": port,
                   "ForceHTTP": true, "STUNPort": -1}]
    }}});
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), map.to_string())?;
    let path = file.path().display().to_string();
    let server = Server::start(
        &binaries::coder(),
        &[
            ("CODER_DERP_SERVER_ENABLE", "false"),
            ("CODER_DERP_CONFIG_PATH", &path),
        ],
    )?;
    world::push(&server, "process", None)?;
    let outcome = reach(&server);
    world::stop_workspaces(&world::workspaces_root(&server));
    outcome
}

fn reach(server: &Server) -> Result<()> {
    server
        .cli(["create", "w", "-t", "process", "-y"])
        .run()?
        .ok()?;
    for direct in ["true", "false"] {
        let out = server
            .cli(["ssh", "w", "--", "echo here; exit 4"])
            .env("CODER_DISABLE_DIRECT_CONNECTIONS", direct)
            .run()?
            .expect_code(4)?;
        ensure!(out.text().contains("here"), "{}", out.all());
    }
    let ping = server
        .cli(["ping", "w", "-n", "1"])
        .env("CODER_DISABLE_DIRECT_CONNECTIONS", "true")
        .run()?
        .ok()?;
    ensure!(ping.text().contains("Another's"), "{}", ping.all());
    if let Some(peers) = Peers::find() {
        server
            .cli_of(&peers.slim(), ["ssh", "w", "--", "exit 5"])
            .env("CODER_DISABLE_DIRECT_CONNECTIONS", "true")
            .run()?
            .expect_code(5)?;
    }
    server_reaches(server, "w")
}

/// The server finds its own way to the agent of a workspace.
pub fn server_reaches(server: &Server, name: &str) -> Result<()> {
    let path = format!("/api/v2/users/me/workspace/{name}");
    let workspace = server.api("GET", &path, "")?.json()?;
    let agent = workspace["latest_build"]["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .find_map(|resource| resource["agents"][0]["id"].as_str())
        .context("the workspace has an agent")?
        .to_owned();
    eventually(
        "the server reaches the agent",
        Duration::from_secs(30),
        || {
            let path = format!("/api/v2/workspaceagents/{agent}/listening-ports");
            let answer = server.api("GET", &path, "")?;
            Ok((answer.status == 200).then_some(()))
        },
    )
}
