//! Our command line and our agent with the other implementation's server.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use anyhow::{Result, ensure};
use e2e::{binaries, peers::Peers, server::Server};

use crate::{postgres::Postgres, world};

/// A folder on whose `PATH` OpenTofu answers to the name `terraform`, which is
/// the only one the peer looks for.
fn tofu_as_terraform(server: &Server) -> Result<Option<PathBuf>> {
    let Some(tofu) = e2e::tofu::find(server.dir())? else {
        println!("skipped: no OpenTofu (make vendor packs it)");
        return Ok(None);
    };
    let dir = server.dir().join("path");
    fs::create_dir_all(&dir)?;
    symlink(tofu, dir.join("terraform"))?;
    Ok(Some(dir))
}

pub fn our_cli_and_agent_with_go_server() -> Result<()> {
    let Some(peers) = Peers::find() else {
        return Ok(());
    };
    let Some(postgres) = Postgres::start()? else {
        return Ok(());
    };
    let url = postgres.url().to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let probe = Server::prepare(&peers.server(), &[])?;
    let Some(dir) = tofu_as_terraform(&probe)? else {
        return Ok(());
    };
    let server = Server::start(
        &peers.server(),
        &[
            ("CODER_PG_CONNECTION_URL", &url),
            ("PATH", &format!("{}:{path}", dir.display())),
            ("TF_CLI_CONFIG_FILE", &peers.tofurc().display().to_string()),
        ],
    )?;
    let coder = binaries::coder();
    let run = |args: &[&str]| server.cli_of(&coder, args.iter().copied()).run();

    // Our command line pushes the template; the workspace runs our agent.
    let template = server.dir().join("template");
    e2e::workspace_template::write(
        &template,
        &world::workspaces_root(&server),
        Some(&binaries::coder_slim()),
    )?;
    let template = template.display().to_string();
    run(&["templates", "push", "ours", "-d", &template, "-y"])?.ok()?;
    run(&["create", "w", "-t", "ours", "-y"])?.ok()?;
    let out = run(&["ssh", "w", "--", "echo $FROM_TEMPLATE; exit 6"])?.expect_code(6)?;
    ensure!(out.text().contains("yes it is"), "{:?}", out.text());
    // And the peer's own command line reaches our agent.
    let out = server
        .cli(["ssh", "w", "--", "echo theirs; exit 2"])
        .run()?
        .expect_code(2)?;
    ensure!(out.text().contains("theirs"), "{:?}", out.text());
    server.cli(["ping", "w", "-n", "1"]).run()?.ok()?;
    let list = run(&["list"])?.ok()?;
    ensure!(list.text().contains("ours"), "{}", list.text());
    run(&["show", "w"])?.ok()?;
    run(&["stop", "w", "-y"])?.ok()?;
    run(&["start", "w", "-y"])?.ok()?;
    run(&["delete", "w", "-y"])?.ok()?;
    world::stop_workspaces(&world::workspaces_root(&server));
    Ok(())
}
