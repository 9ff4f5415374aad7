//! Our command line and our agent with the other implementation's server.

use anyhow::{Result, ensure};
use e2e::{binaries, peers::Peers};

use crate::{go_world::go_world, world};

pub fn our_cli_and_agent_with_go_server() -> Result<()> {
    let Some(peers) = Peers::find() else {
        return Ok(());
    };
    let Some(world) = go_world(&peers)? else {
        return Ok(());
    };
    let server = &world.server;
    let coder = binaries::coder();
    let run = |args: &[&str]| server.cli_of(&coder, args.iter().copied()).run();

    // Our command line pushes the template; the workspace runs our agent.
    let template = server.dir().join("template");
    e2e::workspace_template::write(
        &template,
        &world::workspaces_root(server),
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
    Ok(())
}
