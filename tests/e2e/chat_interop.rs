//! Chats from the command line, in workspaces of our agent and of the other implementation's, and
//! the other implementation's load generator against our server. The model is a scripted agent
//! (`testkit::model::plays`): what it reports is what its tools answered.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use e2e::{
    binaries,
    chats::{KEY, Provider},
    peers::Peers,
    server::Server,
};
use testkit::model::plays;

use crate::world;

/// The files of the program that the agent mends.
const PROJECT: [&str; 2] = ["slug.sh", "test.sh"];

/// An agent runs the tests of a program, reads it, mends it and runs them again: `execute`,
/// `read_file` and `edit_files`, with either agent.
pub fn mends_a_program() -> Result<()> {
    let sealed = [("CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS", SEAL)];
    let server = Server::start(&binaries::coder(), &sealed)?;
    let provider = Provider::start(plays::reply)?;
    provider.configure(&server)?;
    mend(&server, "ours", None)?;
    if let Some(peers) = Peers::find() {
        mend(&server, "theirs", Some(&peers.slim()))?;
    }
    world::stop_workspaces(&world::workspaces_root(&server));
    Ok(())
}

fn mend(server: &Server, name: &str, agent: Option<&Path>) -> Result<()> {
    world::push(server, name, agent)?;
    let create = server.cli(["create", name, "--template", name, "-y"]);
    create.run()?.ok()?;
    for file in PROJECT {
        let path = binaries::root()
            .join("crates/testkit/plays/slug")
            .join(file);
        let content = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let put = format!("mkdir -p slug && cat > slug/{file}");
        server
            .cli(["ssh", name, "--", &put])
            .input(content)
            .run()?
            .ok()?;
    }
    let tests = ["ssh", name, "--", "cd slug && sh test.sh"];
    server.cli(tests).run()?.expect_code(1)?;
    let said = server
        .cli([
            "chat",
            "start",
            "-w",
            name,
            "The tests of slug fail. Mend it.",
        ])
        .run()?
        .ok()?
        .text();
    for part in [
        "not ok 3",
        "exit code 1",
        "• read ",
        "• edit ",
        "  + ",
        "All 4 tests pass.",
    ] {
        ensure!(
            said.contains(part),
            "{name}: {part:?} is missing in:\n{said}"
        );
    }
    server.cli(tests).run()?.ok()?;
    // For programs: a document per event, and the last word in the history.
    let shown = server
        .cli(["chat", "show", "last", "-o", "json"])
        .run()?
        .ok()?;
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout)?;
    ensure!(shown["chat"]["status"] == "waiting", "{shown:#}");
    holds_no_secret(server, name)?;
    server.cli(["delete", name, "-y"]).run()?.ok()?;
    Ok(())
}

/// A key by which secrets in the database are sealed.
const SEAL: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// After a chat worked there, neither the environment of a workspace nor its home holds what opens
/// models or the deployment.
fn holds_no_secret(server: &Server, name: &str) -> Result<()> {
    let look = "env; cat /proc/self/environ; cat slug/*";
    let found = server.cli(["ssh", name, "--", look]).run()?.ok()?.text();
    // Otherwise nothing was looked at.
    ensure!(found.contains("CODER_WORKSPACE_NAME="), "{found}");
    for (what, secret) in [
        ("a model's key", KEY.to_owned()),
        ("the user's session", server.token()?),
        ("the key of the database's secrets", SEAL.to_owned()),
    ] {
        ensure!(!found.contains(&secret), "{name} holds {what}:\n{found}");
    }
    Ok(())
}

/// `exp scaletest chat` of the other implementation ends well, and says so.
pub fn load_generator() -> Result<()> {
    let Some(peers) = Peers::find() else {
        return Ok(());
    };
    let server = Server::start(&binaries::coder(), &[])?;
    let provider = Provider::start(plays::reply)?;
    let url = provider.url();
    let flags = [
        "--chats-per-workspace=5",
        "--turns=3",
        "--turn-start-delay=100ms",
        "--provider-propagation-wait=0s",
        "--scaletest-prometheus-address=127.0.0.1:0",
        "--scaletest-prometheus-wait=0s",
        "--llm-mock-url",
        &url,
    ];
    let args = ["exp", "scaletest", "chat"].into_iter().chain(flags);
    let run = server.cli_of(&peers.server(), args).run()?.ok()?;
    ensure!(run.all().contains("5/5 runs succeeded"), "{}", run.all());
    // It puts away what it made.
    let left = server.api("GET", "/api/v2/chats", "")?.json()?;
    ensure!(left == serde_json::json!([]), "{left:#}");
    Ok(())
}
