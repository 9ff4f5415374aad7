//! The other implementation's agent in a workspace of our server.

use anyhow::{Result, ensure};
use e2e::peers::Peers;

use crate::world::{self, world};

pub fn go_agent_in_our_workspace() -> Result<()> {
    let Some(peers) = Peers::find() else {
        return Ok(());
    };
    let server = &world()?.server;
    world::push(server, "go-agent", Some(&peers.slim()))?;
    server
        .cli(["create", "go-agent", "--template", "go-agent", "-y"])
        .run()?
        .ok()?;
    let ours = server
        .cli(["ssh", "go-agent", "--", "echo $FROM_TEMPLATE; exit 9"])
        .run()?
        .expect_code(9)?;
    ensure!(ours.text().contains("yes it is"), "{:?}", ours.text());
    let theirs = server
        .cli_of(&peers.slim(), ["ssh", "go-agent", "--", "exit 4"])
        .run()?
        .expect_code(4)?;
    drop(theirs);
    server.cli(["ping", "go-agent", "-n", "1"]).run()?.ok()?;
    server.cli(["delete", "go-agent", "-y"]).run()?.ok()?;
    Ok(())
}
