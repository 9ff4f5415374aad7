//! The server dies at every commit of a chat's turn, as by `kill -9`, and comes back: the chat
//! goes on, nothing committed is gone, and no command runs twice unnoticed.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use e2e::{
    binaries,
    chats::{self, Provider, has_tools, last_role, newest_text},
    command::eventually,
    server::Server,
};
use nix::sys::signal::Signal;
use serde_json::Value;
use testkit::model::{Asked, Reply, Say};

use crate::{postgres::Postgres, world};

/// Names the commit at which a development build dies.
const DIE: &str = "CODER_TEST_DIE_AT_COMMIT";
/// More commits than a turn with one command has.
const MAX_COMMITS: usize = 12;
/// The key of both servers for what is secret in their database.
const SEALING_KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
const LIMIT: Duration = Duration::from_mins(1);

/// What a command leaves in a file for each time that it runs.
fn trace(dir: &Path, text: &str) -> PathBuf {
    dir.join(format!("ran-{}", text.replace([' ', ':'], "-")))
}

/// The model: runs one command for each message, then says that it is done.
fn script(dir: PathBuf) -> impl Fn(&Asked) -> Reply + Send + 'static {
    let seen: Mutex<HashMap<String, usize>> = Mutex::default();
    move |asked| {
        if !has_tools(asked) {
            return Reply::text("a title");
        }
        let text = newest_text(asked);
        let times = {
            let mut seen = seen
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let times = seen.entry(text.clone()).or_default();
            *times += 1;
            *times
        };
        if last_role(asked) == "tool" {
            return Reply::text("all done");
        }
        match text.split(' ').next() {
            Some("hang") => Reply::say([Say::text("wait")]).hang_after(2),
            Some("long") if times == 1 => {
                let words = (0..400).map(|n| Say::text(&format!("word{n} ")));
                Reply::say(words).paced(Duration::from_millis(50))
            }
            Some("run") => {
                let command = format!("echo ran >> {}", trace(&dir, &text).display());
                let args = serde_json::json!({ "command": command }).to_string();
                Reply::say([Say::call("call_1", "execute", &args)])
            }
            _ => Reply::text("all done"),
        }
    }
}

fn workspace(server: &Server) -> Result<String> {
    world::push(server, "process", None)?;
    server
        .cli(["create", "dev", "-t", "process", "-y"])
        .run()?
        .ok()?;
    server.cli(["ssh", "dev", "true"]).run()?.ok()?;
    let found = server
        .api("GET", "/api/v2/users/me/workspace/dev", "")?
        .json()?;
    Ok(found["id"].as_str().context("the workspace")?.to_owned())
}

fn agent_is_there(server: &Server) -> Result<()> {
    eventually("the agent is connected again", LIMIT, || {
        let found = server
            .api("GET", "/api/v2/users/me/workspace/dev", "")?
            .json()?;
        let agent = &found["latest_build"]["resources"][0]["agents"][0];
        Ok((agent["status"] == "connected").then_some(()))
    })
}

pub fn at_every_commit() -> Result<()> {
    let server = Server::start(&binaries::coder(), &[])?;
    let provider = Provider::start(script(server.dir().to_owned()))?;
    provider.configure(&server)?;
    let workspace = workspace(&server)?;
    let mut points = 0;
    'commits: for commit in 1..=MAX_COMMITS {
        for when in ["before", "after"] {
            let point = format!("{when}:{commit}");
            server.stop(Signal::SIGKILL)?;
            server.boot_with(&[(DIE, &point)])?;
            agent_is_there(&server)?;
            let text = format!("run {point}");
            let created = chats::create(&server, &text, Some(&workspace));
            let died = server.dies_unless(|| match &created {
                Ok(chat) => Ok(chats::is_at_rest(&server, chat)?.then_some(())),
                Err(_) => Ok(None),
            })?;
            if !died {
                if points == 0 {
                    println!("skipped: only a development build of the server dies when told");
                    return Ok(());
                }
                ensure!(
                    commit > 3,
                    "a turn with a command has more than {commit} commits"
                );
                break 'commits;
            }
            points += 1;
            server.boot()?;
            let found = chats::find(&server, &text)?;
            let Some(chat) = found else {
                ensure!(
                    point == "before:1" && created.is_err(),
                    "{point}: the chat is gone"
                );
                continue;
            };
            recovered(&server, &provider, &chat, commit, when == "after")
                .with_context(|| format!("killed at {point}"))?;
        }
    }
    ensure!(points > 6, "the server died only {points} times");
    server.cli(["delete", "dev", "-y"]).run()?.ok()?;
    Ok(())
}

/// What holds when a chat of one message has come to rest after a crash.
fn recovered(
    server: &Server,
    provider: &Provider,
    chat: &str,
    commit: usize,
    committed: bool,
) -> Result<()> {
    let status = chats::rest(server, chat)?;
    let messages = chats::messages(server, chat)?;
    let shown = serde_json::to_string_pretty(&messages)?;
    ensure!(status == "waiting", "it rests as {status}: {shown}");
    let by = |role: &str| messages.iter().filter(|m| m["role"] == role).count();
    ensure!(
        by("user") == 1 && by("assistant") == 2 && by("tool") == 1,
        "{shown}"
    );
    let last = messages.last().map(chats::texts);
    ensure!(last.as_deref() == Some("all done"), "{shown}");
    let text = chats::texts(&messages[0]);
    // What was committed is not asked again.
    let asked = provider.asked(&text);
    let first = asked.iter().filter(|a| last_role(a) == "user").count();
    let answered = commit > 2 || (commit == 2 && committed);
    ensure!(
        first == if answered { 1 } else { 2 } || commit == 1,
        "asked {first} times: {shown}"
    );
    // The command ran once; or the model was told that it may have.
    let runs = std::fs::read_to_string(trace(server.dir(), &text)).unwrap_or_default();
    let runs = runs.lines().count();
    let results = parts(&messages, "tool-result");
    ensure!(results.len() == 1, "{shown}");
    let told = results[0]["result"].to_string().contains("may have run");
    match (runs, told) {
        (1, false) | (0 | 1, true) => Ok(()),
        _ => bail!("the command ran {runs} times; said to be in doubt: {told}: {shown}"),
    }
}

fn parts<'a>(messages: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let all = messages
        .iter()
        .filter_map(|m| m["content"].as_array())
        .flatten();
    all.filter(|part| part["type"] == kind).collect()
}

pub fn what_the_user_says_then() -> Result<()> {
    let server = Server::start(&binaries::coder(), &[])?;
    let provider = Provider::start(script(server.dir().to_owned()))?;
    provider.configure(&server)?;
    let asked = |text: &str, times: usize| {
        eventually("the model is asked", LIMIT, || {
            Ok((provider.asked(text).len() >= times).then_some(()))
        })
    };
    // An interrupt right after the restart.
    let chat = chats::create(&server, "hang", None)?;
    asked("hang", 1)?;
    server.stop(Signal::SIGKILL)?;
    server.boot()?;
    let status = chats::interrupt(&server, &chat)?;
    ensure!(status == 200, "interrupt after the restart: {status}");
    ensure!(chats::rest(&server, &chat)? == "waiting");
    // A message right after the restart, while the chat is taken up again.
    chats::send(&server, &chat, "long one")?;
    asked("long one", 1)?;
    // So long that what was said by then is written down.
    std::thread::sleep(Duration::from_secs(5));
    server.stop(Signal::SIGKILL)?;
    server.boot()?;
    chats::send(&server, &chat, "more")?;
    ensure!(chats::rest(&server, &chat)? == "waiting");
    let messages = chats::messages(&server, &chat)?;
    let shown = serde_json::to_string_pretty(&messages)?;
    let said: Vec<String> = messages.iter().map(chats::texts).collect();
    let at = |what: &str| said.iter().position(|text| text.contains(what));
    let order = [
        at("long one"),
        at("word0 word1 "),
        at("begins anew"),
        at("more"),
    ];
    ensure!(
        order.iter().all(Option::is_some) && order.is_sorted(),
        "{shown}"
    );
    ensure!(
        said.iter().filter(|text| *text == "all done").count() == 2,
        "{shown}"
    );
    Ok(())
}

pub fn another_replica_takes_over() -> Result<()> {
    let Some(postgres) = Postgres::start()? else {
        return Ok(());
    };
    let shared = [
        ("CODER_PG_CONNECTION_URL", postgres.url()),
        ("CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS", SEALING_KEY),
    ];
    let first = Server::start(&binaries::coder(), &shared)?;
    let provider = Provider::start(script(first.dir().to_owned()))?;
    provider.configure(&first)?;
    let second = Server::prepare(&binaries::coder(), &shared)?;
    second.boot()?;
    let token = first.token()?;
    let chat = chats::create(&first, "long one", None)?;
    eventually("the model is asked", LIMIT, || {
        Ok((!provider.asked("long one").is_empty()).then_some(()))
    })?;
    std::thread::sleep(Duration::from_secs(5));
    first.stop(Signal::SIGKILL)?;
    let died = std::time::Instant::now();
    eventually("the other replica asks the model", LIMIT, || {
        Ok((provider.asked("long one").len() == 2).then_some(()))
    })?;
    println!("taken over after {:.1} s", died.elapsed().as_secs_f64());
    let path = format!("/api/v2/chats/{chat}/messages");
    let said = eventually("the answer", LIMIT, || {
        let mut page = second.api_as(&token, "GET", &path, "")?.json()?;
        let Value::Array(mut all) = page["messages"].take() else {
            return Ok(None);
        };
        all.reverse();
        let said: Vec<String> = all.iter().map(chats::texts).collect();
        Ok(said
            .last()
            .is_some_and(|text| text == "all done")
            .then_some(said))
    })?;
    ensure!(
        said.len() == 3 && said[1].starts_with("word0 word1 "),
        "{said:?}"
    );
    ensure!(said[1].contains("begins anew"), "{said:?}");
    Ok(())
}
