//! An agent's helper on the desktop of a workspace: a real X server, a real terminal window, and what is
//! typed there ends up in a file. The model is scripted and goes by what its tools answer.

use anyhow::{Context, Result, ensure};
use e2e::{binaries, chats, server::Server};
use serde_json::{Value, json};
use testkit::model::{Asked, Reply, Say};

use crate::world;

/// What is typed.
const TYPED: &str = "typed by a helper";
/// A window that keeps what is typed into it, line by line.
const WINDOW: &str =
    "xterm -geometry 200x60+0+0 -e 'while read -r line; do echo \"$line\" >> typed; done'";
/// How often the helper types before it gives up.
const PATIENCE: usize = 60;

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// Texts that tools answered, in order.
fn answers(asked: &Asked) -> Vec<String> {
    let items = asked.body["input"].as_array().into_iter().flatten();
    items
        .filter(|item| item["type"] == "function_call_output")
        .map(|item| match &item["output"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect()
}

fn call(n: usize, name: &str, args: &Value) -> Reply {
    Reply::say([Say::call(&format!("call-{n}"), name, &args.to_string())])
}

/// The chat starts a helper and waits for it.
fn chat(answers: &[String]) -> Reply {
    match answers {
        [] => call(
            0,
            "spawn_agent",
            &json!({ "type": "computer_use", "prompt": "type into a window" }),
        ),
        [spawned] => {
            let spawned: Value = serde_json::from_str(spawned).unwrap_or_default();
            call(1, "wait_agent", &json!({ "chat_id": spawned["chat_id"] }))
        }
        [.., report] => Reply::text(&format!("The helper says: {report}")),
    }
}

/// The helper opens a window and types until that has arrived.
fn helper(answers: &[String]) -> Reply {
    let n = answers.len();
    let look = json!({ "command": "cat typed 2>/dev/null; true", "timeout": "30s" });
    match n {
        // This starts the screen.
        0 => call(n, "computer", &json!({ "action": "screenshot" })),
        1 => call(
            n,
            "execute",
            &json!({ "command": WINDOW, "run_in_background": true }),
        ),
        2 => call(
            n,
            "computer",
            &json!({ "action": "left_click", "coordinate": [200, 200] }),
        ),
        _ if answers
            .last()
            .is_some_and(|seen| seen.contains(TYPED) && seen.contains("output")) =>
        {
            Reply::text("It has arrived.")
        }
        _ if n > PATIENCE => Reply::text(&format!("It never arrived: {answers:?}")),
        _ if n % 2 == 1 => call(
            n,
            "computer",
            &json!({ "action": "type", "text": format!("{TYPED}\n") }),
        ),
        _ => call(n, "execute", &look),
    }
}

fn reply(asked: &Asked) -> Reply {
    if !chats::has_tools(asked) {
        return Reply::text("Typing");
    }
    let tools = asked.body["tools"].as_array().into_iter().flatten();
    let is_helper = tools.clone().any(|tool| tool["name"] == "computer");
    let answers = answers(asked);
    if is_helper {
        helper(&answers)
    } else {
        chat(&answers)
    }
}

/// A chat's helper types into a window of the workspace.
pub fn used_by_a_helper() -> Result<()> {
    if !is_there("Xtigervnc") || !is_there("xterm") {
        println!("skipped: Xtigervnc and xterm are not installed");
        return Ok(());
    }
    let experiments = [("CODER_EXPERIMENTS", "chat-virtual-desktop")];
    let server = &Server::start(&binaries::coder(), &experiments)?;
    let provider = chats::Provider::start(reply)?;
    provider.configure_as(server, "openai", "gpt-4o")?;
    let choice = json!({ "provider": "openai" }).to_string();
    let path = "/api/experimental/chats/config/computer-use-provider";
    let chosen = server.api("PUT", path, &choice)?;
    ensure!(
        chosen.status == 204,
        "{} {:?}",
        chosen.status,
        chosen.json()
    );
    world::push(server, "desk", None)?;
    let create = server.cli(["create", "desk", "--template", "desk", "-y"]);
    create.run()?.ok()?;
    let workspace = server
        .api("GET", "/api/v2/workspaces?q=name:desk", "")?
        .json()?;
    let id = workspace["workspaces"][0]["id"]
        .as_str()
        .context("no workspace")?;
    let chat = chats::create(server, "Type something.", Some(id))?;
    let status = chats::rest(server, &chat)?;
    let messages = chats::messages(server, &chat)?;
    let said = messages.last().map(chats::texts).unwrap_or_default();
    ensure!(
        status == "waiting" && said.contains("It has arrived."),
        "{messages:#?}"
    );
    if is_there("ffmpeg") {
        ensure!(said.contains("recording_file_id"), "no film of it: {said}");
    }
    let typed = server
        .cli(["ssh", "desk", "--", "cat typed"])
        .run()?
        .ok()?
        .text();
    ensure!(typed.contains(TYPED), "{typed}");
    server.cli(["delete", "desk", "-y"]).run()?.ok()?;
    world::stop_workspaces(&world::workspaces_root(server));
    Ok(())
}
