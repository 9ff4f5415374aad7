//! `coder exp chat context`, as a person in a workspace uses it, with another workspace on the same
//! machine.

use anyhow::{Context, Result, ensure};
use e2e::binaries;
use serde_json::{Value, json};

use crate::world::world;

/// Runs a command line of this program in a workspace; all that it printed.
fn inside(workspace: &str, line: &str, code: i32) -> Result<String> {
    let program = binaries::coder_slim();
    let line = format!("cd && {} exp chat context {line}", program.display());
    let ran = world()?.server.cli(["ssh", workspace, "--", &line]).run()?;
    let ran = ran
        .expect_code(code)
        .with_context(|| format!("{workspace}: {line}"))?;
    Ok(ran.all())
}

pub fn from_the_command_line() -> Result<()> {
    let server = &world()?.server;
    for workspace in ["told-a", "told-b"] {
        let create = ["create", workspace, "--template", "process", "-y"];
        server.cli(create).run()?.ok()?;
    }
    let write = "cd && mkdir -p extra && echo 'Use tabs.' > extra/AGENTS.md";
    server.cli(["ssh", "told-a", "--", write]).run()?.ok()?;
    let added = inside("told-a", "add extra", 0)?;
    ensure!(added.contains("/extra"), "{added}");
    let listed = inside("told-a", "list", 0)?;
    ensure!(listed.contains("/extra"), "{listed}");
    // The other agent is another one, though both are on one machine.
    let other = inside("told-b", "list -o json", 0)?;
    ensure!(json_of(&other)? == json!([]), "{other}");
    let told = inside("told-a", "refresh", 0)?;
    ensure!(told.contains("Refreshed 0 drifted chat(s)."), "{told}");
    let shown = inside("told-a", "show extra -o json", 0)?;
    let shown = json_of(&shown)?;
    let (kind, status) = (&shown[0]["kind"], &shown[0]["status"]);
    ensure!(kind == "instruction_file" && status == "ok", "{shown:#}");
    // What makes no sense is refused with the reason, and nothing stays of it.
    for (line, reason) in [
        ("add /etc", "allowed root"),
        ("add ''", "empty"),
        ("remove nowhere", "not found"),
        ("show nowhere", "not found"),
    ] {
        let refused = inside("told-a", line, 1)?;
        ensure!(refused.contains(reason), "{line}: {refused}");
    }
    let unknown = ["exp", "chat", "context", "refresh", "nosuch"];
    let unknown = server.cli(unknown).run()?.expect_code(1)?.all();
    ensure!(unknown.contains("no chat \"nosuch\""), "{unknown}");
    inside("told-a", "remove extra", 0)?;
    let left = inside("told-a", "list -o json", 0)?;
    ensure!(json_of(&left)? == json!([]), "{left}");
    for workspace in ["told-a", "told-b"] {
        server.cli(["delete", workspace, "-y"]).run()?.ok()?;
    }
    Ok(())
}

/// The JSON in what was printed, behind whatever the terminal's end said before.
fn json_of(text: &str) -> Result<Value> {
    let from = text.find('[').with_context(|| format!("no list: {text}"))?;
    let mut values = serde_json::Deserializer::from_str(&text[from..]).into_iter::<Value>();
    let value = values.next().with_context(|| format!("no JSON: {text}"))?;
    Ok(value?)
}
