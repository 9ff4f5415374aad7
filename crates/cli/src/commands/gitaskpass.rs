//! Answers git's questions for credentials in a workspace, when this program is
//! called as `GIT_ASKPASS`.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use client::Client;
use http::{HeaderMap, Method};
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::agent::AgentAuth;
use crate::failure::Exit;
use crate::say;
use crate::session::Session;

/// Shortest and longest pause between two questions whether someone has signed in.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The chat for which this process runs, as agents set it.
const CHAT: &str = "CODER_CHAT_ID";

/// Answer a question of git.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    auth: AgentAuth,

    /// The question.
    pub prompt: String,
}

/// What git asks for.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    /// The address, without user.
    address: String,
    /// The address names a user: git asks for the password.
    has_user: bool,
}

/// The server's answer.
#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: api_types::Secret<String>,
    /// Where to sign in first, if need be.
    #[serde(default)]
    url: String,
}

/// Whether this program was started by git, with a question as its only argument.
pub fn is_asked(arguments: &[OsString]) -> bool {
    let [_, question] = arguments else {
        return false;
    };
    let question = question.to_string_lossy();
    let asks = question.starts_with("Username ") || question.starts_with("Password ");
    asks && std::env::var_os("GIT_PREFIX").is_some()
}

/// Prints the answer.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let question = Question::parse(&args.prompt)
        .with_context(|| format!("git asks something unknown: {:?}", args.prompt))?;
    let client = args.auth.client(session, &HeaderMap::new())?;
    let mut credentials = match ask(&client, &question, false).await {
        Ok(credentials) => credentials,
        Err(error) if error.is_not_found() => {
            session.note(&format!(
                "No provider of the deployment fits this request; git goes on by itself. {error}"
            ));
            return Err(Exit(1).into());
        }
        Err(error) => return Err(error).context("get credentials for git"),
    };
    if !credentials.url.is_empty() {
        session.note(&format!(
            "Open this address to sign in for git:\n{}",
            credentials.url
        ));
        credentials = wait(&client, &question).await?;
        session.note("You have signed in for git.");
    }
    let password = credentials.password.expose();
    if question.has_user && !password.is_empty() {
        say!("{password}")
    } else {
        say!("{}", credentials.username)
    }
}

/// Asks until someone has signed in.
async fn wait(client: &Client, question: &Question) -> Result<Credentials> {
    let mut pause = BACKOFF.0;
    loop {
        tokio::time::sleep(pause).await;
        match ask(client, question, true).await {
            Ok(credentials) if credentials.url.is_empty() => return Ok(credentials),
            Ok(_) => {}
            Err(error) if error.is_transient() => {}
            Err(error) => return Err(error).context("wait until someone has signed in"),
        }
        pause = (pause * 2).min(BACKOFF.1);
    }
}

async fn ask(
    client: &Client,
    question: &Question,
    listen: bool,
) -> Result<Credentials, client::Error> {
    let mut call = client
        .call(Method::GET, "/api/v2/workspaceagents/me/external-auth")
        .query("match", &question.address);
    if listen {
        call = call.query("listen", "true");
    } else {
        call = call.query_if(
            "git_branch",
            git(&["rev-parse", "--abbrev-ref", "HEAD"]).await,
        );
        call = call.query_if(
            "git_remote_origin",
            git(&["config", "--get", "remote.origin.url"]).await,
        );
        // Set in what an AI agent runs: its chat works on this branch.
        let chat = std::env::var(CHAT).ok();
        call = call.query_if("chat_id", chat.and_then(|id| id.parse::<Uuid>().ok()));
    }
    call.decode().await
}

/// What git knows about the repository; nothing outside of one.
async fn git(arguments: &[&str]) -> Option<String> {
    let output = tokio::process::Command::new("git")
        .args(arguments)
        .output()
        .await
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

impl Question {
    /// Reads `Username for 'https://host/path': ` and its kind.
    fn parse(prompt: &str) -> Option<Self> {
        let rest = prompt
            .trim()
            .strip_prefix("Username ")
            .or(prompt.trim().strip_prefix("Password "))?;
        let quoted = rest.strip_prefix("for ")?.trim_end_matches([':', ' ']);
        let mut url = Url::parse(quoted.trim_matches('\'')).ok()?;
        let has_user = !url.username().is_empty();
        url.set_username("").ok()?;
        let address = url.as_str().trim_end_matches('/').to_owned();
        Some(Self { address, has_user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read() {
        let question = |prompt| Question::parse(prompt).map(|q| (q.address, q.has_user));
        assert_eq!(
            question("Username for 'https://github.com': "),
            Some(("https://github.com".into(), false))
        );
        assert_eq!(
            question("Password for 'https://me@git.example.com:8443/a/b': "),
            Some(("https://git.example.com:8443/a/b".into(), true))
        );
        for other in [
            "",
            "Enter passphrase for key: ",
            "Username for 'not an address': ",
        ] {
            assert_eq!(question(other), None, "{other:?}");
        }
    }
}
