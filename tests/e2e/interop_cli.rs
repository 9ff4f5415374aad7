//! The other implementation's command line against our server and agent.

use anyhow::{Result, ensure};
use e2e::peers::Peers;

use crate::world::world;

pub fn go_cli_to_our_server() -> Result<()> {
    let Some(peers) = Peers::find() else {
        return Ok(());
    };
    let server = &world()?.server;
    let go = peers.slim();
    let dir = server.dir().join("go-cli");
    let run = |args: &[&str]| {
        server
            .cli_of(&go, args.iter().copied())
            .env("CODER_CONFIG_DIR", &dir)
            .run()
    };
    let token = server.token()?;
    run(&["login", &server.url, "--token", &token])?.ok()?;
    let template = server.dir().join("template-process").display().to_string();
    run(&["templates", "push", "from-go", "-d", &template, "-y"])?.ok()?;
    run(&["create", "go-made", "-t", "from-go", "-y"])?.ok()?;
    let list = run(&["list"])?.ok()?;
    ensure!(list.text().contains("go-made"), "{}", list.text());
    let show = run(&["show", "go-made"])?.ok()?;
    ensure!(show.text().contains("main"), "{}", show.text());
    let out = run(&["ssh", "go-made", "--", "echo via go; exit 5"])?.expect_code(5)?;
    ensure!(out.text().contains("via go"), "{:?}", out.text());
    run(&["ping", "go-made", "-n", "1"])?.ok()?;
    run(&["stop", "go-made", "-y"])?.ok()?;
    run(&["start", "go-made", "-y"])?.ok()?;
    run(&["ssh", "go-made", "true"])?.ok()?;
    run(&["delete", "go-made", "-y"])?.ok()?;
    Ok(())
}
