//! `coder exp rpty`: the terminal that the web terminal shows, in this one. It
//! stays when the connection breaks: `--reconnect` comes back to it.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use api_types::UsageAppName;
use clap::Args as ClapArgs;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use crate::commands::{lookup, ssh};
use crate::connect::ready::{Patience, make_ready};
use crate::connect::session_watch;
use crate::follow::agent::Wait;
use crate::session::Session;
use crate::ui::terminal::{self, InputMode};
use client::Target;

/// Bytes that are passed on at once.
const BUFFER: usize = 32 << 10;

/// Open the terminal of a workspace that the web terminal shows.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The workspace.
    workspace: String,

    /// Command to run instead of a shell.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,

    /// Container of the workspace to enter, by name or id.
    #[arg(short, long, value_name = "container")]
    container: Option<String>,

    /// As whom to enter it.
    #[arg(short = 'u', long, value_name = "user")]
    container_user: Option<String>,

    /// Id of a terminal to come back to.
    #[arg(short, long, value_name = "id")]
    reconnect: Option<Uuid>,
}

/// Connects until the terminal ends.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    session.keep_stdout_clean();
    let client = session.client()?;
    let target = Target::agent(&args.workspace)?;
    let workspace = lookup::of_target(client, &target).await?;
    let patience = Patience {
        autostart: true,
        wait: Wait::No,
    };
    let (workspace, agent) = make_ready(session, workspace, &target, patience).await?;
    let id = args.reconnect.unwrap_or_else(Uuid::new_v4);
    let (width, height) = terminal::size().unwrap_or_default();
    let command = args.command.join(" ");
    let pty = client::Pty {
        reconnect: id,
        width,
        height,
        // A program that ends leaves nothing to come back to: a plain buffer does.
        backend: if command.is_empty() { "" } else { "buffered" },
        command: &command,
        container: args.container.as_deref().unwrap_or_default(),
        container_user: args.container_user.as_deref().unwrap_or_default(),
    };
    let socket = client
        .agent_pty(agent.id, &pty)
        .await
        .context("open the terminal")?;
    let _usage = ssh::AbortOnDrop(tokio::spawn(session_watch::report_usage(
        client.clone(),
        workspace.id,
        agent.id,
        Some(UsageAppName::ReconnectingPty),
    )));
    let raw = std::io::stdin()
        .is_terminal()
        .then(InputMode::raw)
        .flatten();
    let (from, to) = tokio::io::split(socket);
    let output = show(from);
    let input = type_in(to);
    let shown = tokio::select! {
        shown = output => shown,
        typed = input => typed,
    };
    drop(raw);
    shown.context("the connection to the terminal broke")?;
    if command.is_empty() {
        session.note(&format!(
            "\nCome back to this terminal with: coder exp rpty {} --reconnect {id}",
            args.workspace
        ));
    }
    Ok(())
}

async fn show(mut from: impl AsyncRead + Unpin) -> std::io::Result<()> {
    let mut out = tokio::io::stdout();
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer).await? {
            0 => return Ok(()),
            n => out.write_all(&buffer[..n]).await?,
        }
        out.flush().await?;
    }
}

/// Sends what is typed, and the size of the window when it changes. Ends only
/// by an error: the terminal ends when the other side says so.
async fn type_in(mut to: impl AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut input = tokio::io::stdin();
    let mut resizes = signal(SignalKind::window_change())?;
    let mut buffer = vec![0; BUFFER];
    let mut rest = Vec::new();
    let mut open = true;
    loop {
        let message = tokio::select! {
            read = input.read(&mut buffer), if open => {
                let read = read?;
                open = read > 0;
                rest.extend_from_slice(&buffer[..read]);
                let text = whole(&mut rest);
                if text.is_empty() {
                    continue;
                }
                serde_json::json!({ "data": text })
            }
            _ = resizes.recv() => match terminal::size() {
                Some((width, height)) => serde_json::json!({ "width": width, "height": height }),
                None => continue,
            },
        };
        to.write_all(message.to_string().as_bytes()).await?;
        to.flush().await?;
    }
}

/// Takes as much of `bytes` as is whole characters: JSON has no others.
fn whole(bytes: &mut Vec<u8>) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let text = text.to_owned();
            bytes.clear();
            text
        }
        // A character that is cut off waits for its rest.
        Err(e) if e.error_len().is_none() => {
            let rest = bytes.split_off(e.valid_up_to());
            let text = String::from_utf8_lossy(bytes).into_owned();
            *bytes = rest;
            text
        }
        Err(_) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            bytes.clear();
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_not_cut() {
        let mut bytes = "é".as_bytes()[..1].to_vec();
        assert_eq!(whole(&mut bytes), "");
        bytes.extend_from_slice(&"é".as_bytes()[1..]);
        assert_eq!(whole(&mut bytes), "é");
        assert!(bytes.is_empty());
        let mut bad = vec![b'a', 0xff, b'b'];
        assert_eq!(whole(&mut bad), "a\u{fffd}b");
    }
}
