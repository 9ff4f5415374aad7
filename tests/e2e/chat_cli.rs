//! `coder chat`, each of its commands, as a person types them: a real server and a scripted model.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{
    binaries,
    chats::{self, Provider, has_tools, newest_text},
    command::{Output, eventually},
    server::Server,
};
use serde_json::Value;
use testkit::model::{Asked, Reply, Say};

/// What the model answers, by what is said to it.
fn answer(asked: &Asked) -> Reply {
    if !has_tools(asked) {
        return Reply::text("A title or summary");
    }
    match newest_text(asked).as_str() {
        "never ends" => Reply::text("I begin").hang_after(3),
        "is refused" => Reply::status(400),
        said => Reply::say([
            Say::Usage(100, 10, 0),
            Say::text(&format!("You said: {said}.")),
        ]),
    }
}

/// One command line.
fn chat(server: &Server, args: &[&str]) -> Result<Output> {
    let line = ["chat"].into_iter().chain(args.iter().copied());
    server.cli(line).run()
}

fn says(output: &Output, words: &[&str]) -> Result<()> {
    let all = output.all();
    for words in words {
        ensure!(all.contains(words), "{words:?} is not in:\n{all}");
    }
    Ok(())
}

fn json(server: &Server, args: &[&str]) -> Result<Value> {
    let args = [args, &["-o", "json"]].concat();
    let output = chat(server, &args)?.ok()?;
    serde_json::from_slice(&output.stdout).with_context(|| output.all())
}

pub fn each_command() -> Result<()> {
    let server = Server::start(&binaries::coder(), &[])?;
    let provider = Provider::start(answer)?;
    says(
        &chat(&server, &["list"])?.ok()?,
        &["No chats found", "coder chat start"],
    )?;
    says(
        &chat(&server, &["show", "last"])?.expect_code(1)?,
        &["you have no chats"],
    )?;
    says(
        &chat(&server, &["start", "hello"])?.expect_code(1)?,
        &["model"],
    )?;
    provider.configure(&server)?;

    let begun = chat(&server, &["start", "--label", "team:red", "first", "words"])?.ok()?;
    says(
        &begun,
        &["You said: first words.", "Go on with 'coder chat send "],
    )?;
    chat(&server, &["rename", "last", "The first"])?.ok()?;
    let sent = chat(&server, &["send", "the first", "and more"])?.ok()?;
    says(&sent, &["You said: and more."])?;
    let piped = server.cli(["chat", "send", "last"]).input("by a pipe\n");
    says(&piped.run()?.ok()?, &["You said: by a pipe."])?;

    let listed = json(&server, &["list"])?;
    let only = &listed[0];
    ensure!(
        only["title"] == "The first" && only["labels"]["team"] == "red",
        "{listed:#}"
    );
    ensure!(listed.as_array().map(Vec::len) == Some(1), "{listed:#}");
    let id = only["id"].as_str().context("an id")?.to_owned();
    let short = &id[..8];
    says(
        &chat(&server, &["list"])?.ok()?,
        &["TITLE", short, "The first", "waiting"],
    )?;
    let found = json(&server, &["list", "--search", "by a pipe"])?;
    ensure!(found[0]["id"] == *id, "{found:#}");
    let none = json(&server, &["list", "--search", "nobody said this"])?;
    ensure!(none == Value::Array(Vec::new()), "{none:#}");

    let shown = chat(&server, &["show", short])?.ok()?;
    let all = ["first words", "You said: and more.", "by a pipe"];
    says(&shown, &all)?;
    let shown = json(&server, &["show", &id])?;
    ensure!(shown["chat"]["id"] == *id, "{shown:#}");
    let messages = shown["messages"].as_array().map_or(0, Vec::len);
    ensure!(messages == 6, "{shown:#}");
    let told = json(&server, &["instructions", "last"])?;
    let first = &told["instructions"][0];
    let says_something = first["text"].as_str().is_some_and(|text| !text.is_empty());
    ensure!(
        first["source"] == "deployment" && says_something,
        "{told:#}"
    );
    chat(&server, &["compact", "last"])?.ok()?;
    let shown = chat(&server, &["show", "last"])?.ok()?;
    says(&shown, &["summarized what was said so far"])?;

    for line in [["archive", "last"], ["unarchive", short]] {
        let word = if line[0] == "archive" {
            "archived"
        } else {
            "back"
        };
        says(&chat(&server, &line)?.ok()?, &["\"The first\" is ", word])?;
        let archived = json(&server, &["list", "--archived"])?;
        let there = archived.as_array().is_some_and(|all| !all.is_empty());
        ensure!(there == (line[0] == "archive"), "{archived:#}");
    }
    events(&server)?;
    in_the_background(&server)?;
    refusals(&server)
}

/// For programs: one document for each event, to the end of the turn.
fn events(server: &Server) -> Result<()> {
    let output = chat(server, &["start", "as events", "-o", "json"])?.ok()?;
    let text = output.text();
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect::<Result<_>>()?;
    let last = events.last().context("no events")?;
    ensure!(
        last["type"] == "status" && last["status"]["status"] == "waiting",
        "{text}"
    );
    ensure!(
        events.iter().any(|event| event["type"] == "message"),
        "{text}"
    );
    Ok(())
}

/// Begun and left, told more, stopped, come back to.
fn in_the_background(server: &Server) -> Result<()> {
    let begun = chat(server, &["start", "--detach", "never ends"])?.ok()?;
    let id = begun.text().trim().to_owned();
    eventually("the agent works", Duration::from_secs(30), || {
        let now = server
            .api("GET", &format!("/api/v2/chats/{id}"), "")?
            .json()?;
        Ok((now["status"] == "running").then_some(()))
    })?;
    let queued = chat(server, &["send", &id, "--detach", "when you have time"])?.ok()?;
    says(&queued, &["your message is in its queue"])?;
    let stopped = chat(server, &["interrupt", &id])?.ok()?;
    says(&stopped, &["The agent of ", "stop"])?;
    // What was in the queue comes next; whoever comes back sees it all.
    let attached = chat(server, &["attach", &id])?.ok()?;
    says(&attached, &["never ends"])?;
    ensure!(chats::rest(server, &id)? == "waiting", "no rest");
    let shown = chat(server, &["show", &id])?.ok()?;
    says(&shown, &["You said: when you have time."])?;
    let again = chat(server, &["interrupt", &id])?.ok()?;
    says(&again, &["rests already"])
}

fn refusals(server: &Server) -> Result<()> {
    let failed = chat(server, &["start", "is refused"])?.expect_code(1)?;
    says(
        &failed,
        &[
            "rejected the request",
            "Nothing said is lost",
            "coder chat send ",
        ],
    )?;
    let left = chat(server, &["start", "-m", "nosuch", "hello"])?.expect_code(1)?;
    says(&left, &["no model \"nosuch\"", "scripted"])?;
    let left = chat(server, &["start", "-w", "nosuch", "hello"])?.expect_code(1)?;
    says(&left, &["nosuch"])?;
    let left = chat(server, &["start", "--mcp", "nosuch", "hello"])?.expect_code(1)?;
    says(&left, &["no MCP server \"nosuch\""])?;
    let left = chat(server, &["start", "--effort", "enormous", "hello"])?.expect_code(1)?;
    says(&left, &["enormous"])?;
    let left = chat(server, &["send", "last"])?.expect_code(1)?;
    says(&left, &["nothing to say"])?;
    for command in ["show", "attach", "interrupt", "compact", "archive"] {
        let left = chat(server, &[command, "nosuch"])?.expect_code(1)?;
        says(&left, &["there is no chat \"nosuch\""])?;
    }
    let nobody = "00000000-0000-0000-0000-000000000001";
    let left = chat(server, &["show", nobody])?.expect_code(1)?;
    says(&left, &["or you may not see it"])
}
