//! `coder gitssh`: the `ssh` that git calls in a workspace, with the key of the
//! workspace's owner.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use http::{HeaderMap, Method};
use serde::Deserialize;
use tokio::process::Command;

use super::agent::AgentAuth;
use crate::failure::Exit;
use crate::session::Session;

/// Keys that `ssh` tries by itself where none is configured.
const DEFAULT_KEYS: [&str; 6] = [
    "id_rsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "id_xmss",
];
/// Code with which `ssh` reports failures of its own.
const SSH_FAILED: i32 = 255;

/// Run ssh with the key of the workspace's owner.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    auth: AgentAuth,

    /// Arguments of ssh.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "argument"
    )]
    arguments: Vec<OsString>,
}

#[derive(Deserialize)]
struct Key {
    public_key: String,
    private_key: api_types::Secret<String>,
}

/// Runs ssh and ends with its code.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = args.auth.client(session, &HeaderMap::new())?;
    let key: Key = client
        .call(Method::GET, "/api/v2/workspaceagents/me/gitsshkey")
        .decode()
        .await
        .context("get the SSH key of the workspace's owner")?;
    // Only its owner may read it, and it is gone when the program ends.
    let mut file = tempfile::Builder::new()
        .prefix("coder-gitsshkey-")
        .tempfile()?;
    file.write_all(key.private_key.expose().as_bytes())?;
    file.flush()?;

    // The person's own keys come first: servers allow only a few attempts.
    let mut keys = configured_keys(&args.arguments).await;
    keys.push(file.path().to_owned());
    let mut command = Command::new("ssh");
    for key in &keys {
        command.arg("-i").arg(key);
    }
    command.args(&args.arguments);
    let status = command
        .status()
        .await
        .context("run ssh; is an OpenSSH client installed?")?;
    let code = status.code().unwrap_or(SSH_FAILED);
    if code == SSH_FAILED {
        session.note(&format!(
            "\nYour workspaces use this key with git over SSH:\n\n{}\n\n\
             Add it where your repositories are, for example:\n  \
             https://github.com/settings/ssh/new\n  https://gitlab.com/-/profile/keys",
            key.public_key.trim()
        ));
    }
    if code == 0 {
        Ok(())
    } else {
        Err(Exit(code as u8).into())
    }
}

/// The keys that ssh would use for these arguments: naming one more turns the
/// usual ones off, so that they have to be named too.
async fn configured_keys(arguments: &[OsString]) -> Vec<PathBuf> {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let asked = Command::new("ssh").arg("-G").args(arguments).output().await;
    let text = asked
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
        .unwrap_or_default();
    identity_files(&text, &home)
        .into_iter()
        .filter(|path| path.is_file())
        .collect()
}

fn identity_files(text: &str, home: &Path) -> Vec<PathBuf> {
    let named: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.strip_prefix("identityfile "))
        .map(|path| match path.strip_prefix("~/") {
            Some(rest) => home.join(rest),
            None => path.into(),
        })
        .collect();
    if named.is_empty() {
        return DEFAULT_KEYS
            .iter()
            .map(|name| home.join(".ssh").join(name))
            .collect();
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_keys_come_from_ssh_itself() {
        let home = Path::new("/home/dev");
        let text = "user git\nidentityfile ~/.ssh/work\nidentityfile /keys/x\nport 22\n";
        assert_eq!(
            identity_files(text, home),
            [home.join(".ssh/work"), "/keys/x".into()]
        );
        assert_eq!(identity_files("", home).len(), DEFAULT_KEYS.len());
    }
}
