//! `--forward-gpg`: the GPG agent of this machine for the workspace. The
//! workspace gets the public keys and their trust; secret keys stay here, behind
//! the agent's restricted socket.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};
use russh::ChannelMsg;
use russh::client::Handle;
use tokio::process::Command;

use super::Client;
use crate::commands::ssh::forward::Remote;
use crate::failure::Advice;

/// Keyrings of people are far smaller; the rest of a larger one is refused.
const MAX_KEYS: usize = 16 << 20;
/// What a command of the workspace may say before it is cut off.
const MAX_SAID: usize = 64 << 10;

/// Prints where GPG of the workspace looks for its agent, and ends an agent
/// that holds that socket.
const PREPARE: &str = "set -eu; socket=$(gpgconf --list-dirs agent-socket); \
    gpgconf --kill gpg-agent >/dev/null 2>&1 || true; rm -f \"$socket\"; \
    mkdir -p \"$(dirname \"$socket\")\"; printf %s \"$socket\"";

/// Brings the keys over and begins to forward; `known` then tells the session
/// which socket belongs to whom.
pub(super) async fn forward(handle: &Handle<Client>, known: &OnceLock<Remote>) -> Result<()> {
    let local = local_socket().await?;
    let keys = local_output("gpg", &["--armor", "--export"]).await?;
    let trust = local_output("gpg", &["--export-ownertrust"]).await?;
    ensure!(
        keys.len() <= MAX_KEYS && trust.len() <= MAX_KEYS,
        "the GPG keyring is larger than {} MiB",
        MAX_KEYS >> 20
    );
    if !keys.is_empty() {
        remote_output(handle, "gpg --batch --import", &keys).await?;
    }
    if !trust.is_empty() {
        remote_output(handle, "gpg --batch --import-ownertrust", &trust).await?;
    }
    // Importing may have started an agent over there: it goes last.
    let socket = remote_output(handle, PREPARE, &[]).await?;
    let socket = String::from_utf8(socket).context("the path of the workspace's GPG agent")?;
    ensure!(
        socket.starts_with('/'),
        "the workspace's gpgconf names no socket for its agent"
    );
    // The handler may be asked for a channel as soon as the workspace listens.
    let _ = known.set(Remote::Unix {
        socket: socket.clone(),
        local,
    });
    handle
        .streamlocal_forward(socket.as_str())
        .await
        .with_context(|| format!("listen on {socket} in the workspace"))
}

/// The socket of the agent here that may sign and decrypt and no more.
async fn local_socket() -> Result<PathBuf> {
    let text = local_output("gpgconf", &["--list-dirs", "agent-extra-socket"]).await?;
    let path = PathBuf::from(String::from_utf8_lossy(&text).trim());
    if path.exists() {
        return Ok(path);
    }
    Err(Advice::error(
        "there is no GPG agent to forward",
        "Start it with 'gpgconf --launch gpg-agent'.",
    ))
}

async fn local_output(program: &str, args: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .await
        .with_context(|| format!("run {program}; --forward-gpg needs GnuPG on both sides"))?;
    ensure!(
        output.status.success(),
        "{program} {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output.stdout)
}

/// Runs a command in the workspace with `input`; gives what it printed.
async fn remote_output(handle: &Handle<Client>, command: &str, input: &[u8]) -> Result<Vec<u8>> {
    let mut channel = handle
        .channel_open_session()
        .await
        .context("open a session")?;
    channel.exec(true, command).await?;
    channel.data(input).await?;
    channel.eof().await?;
    let (mut said, mut complained, mut code) = (Vec::new(), Vec::new(), None);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } if said.len() < MAX_SAID => said.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, .. } if complained.len() < MAX_SAID => {
                complained.extend_from_slice(&data);
            }
            ChannelMsg::ExitStatus { exit_status } => code = Some(exit_status),
            _ => {}
        }
    }
    if code == Some(0) {
        return Ok(said);
    }
    bail!(
        "GPG in the workspace: {}; --forward-gpg needs GnuPG there too",
        String::from_utf8_lossy(&complained).trim()
    )
}
