//! What an SSH session carries beside the shell: the person's SSH agent, and
//! connections from the workspace to this machine.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use russh::Channel;
use russh::client::Msg;

use crate::failure::Advice;

/// `-R port:address:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Port on which the workspace listens, on its loopback address.
    pub port: u16,
    /// Address here.
    pub host: String,
    /// Port here.
    pub host_port: u16,
}

impl FromStr for Remote {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = (|| {
            let (port, rest) = text.split_once(':')?;
            let (host, host_port) = rest.rsplit_once(':')?;
            let host = host
                .strip_prefix('[')
                .and_then(|h| h.strip_suffix(']'))
                .unwrap_or(host);
            let number = |t: &str| t.parse::<u16>().ok().filter(|p| *p > 0);
            (!host.is_empty()).then_some(())?;
            Some(Self {
                port: number(port)?,
                host: host.to_owned(),
                host_port: number(host_port)?,
            })
        })();
        parsed.ok_or_else(|| {
            Advice::error(
                format!("{text:?} is no remote forward"),
                "Give <port in the workspace>:<address here>:<port here>, such as 8080:localhost:3000.",
            )
        })
    }
}

/// The socket of the SSH agent to forward.
pub fn agent_socket(asked: Option<&Path>) -> Result<PathBuf> {
    let named = asked
        .filter(|p| !p.as_os_str().is_empty())
        .map(Path::to_owned);
    named
        .or_else(|| {
            std::env::var_os("SSH_AUTH_SOCK")
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        })
        .ok_or_else(|| {
            Advice::error(
                "there is no SSH agent to forward",
                "Start one (ssh-agent), or name its socket by --identity-agent.",
            )
        })
}

/// Joins a channel that the workspace opened with the SSH agent's socket.
pub async fn serve_agent(channel: Channel<Msg>, socket: PathBuf) {
    let joined = async {
        let mut socket = tokio::net::UnixStream::connect(&socket)
            .await
            .context("connect to the SSH agent")?;
        let mut channel = channel.into_stream();
        tokio::io::copy_bidirectional(&mut channel, &mut socket)
            .await
            .context("copy")
    };
    if let Err(error) = joined.await {
        tracing::debug!("forwarded SSH agent: {error:#}");
    }
}

/// Joins a channel that the workspace opened with the address that `remote`
/// names.
pub async fn serve_remote(channel: Channel<Msg>, remote: Remote) {
    let joined = async {
        let address = (remote.host.as_str(), remote.host_port);
        let mut socket = tokio::net::TcpStream::connect(address)
            .await
            .context("connect")?;
        let mut channel = channel.into_stream();
        tokio::io::copy_bidirectional(&mut channel, &mut socket)
            .await
            .context("copy")
    };
    if let Err(error) = joined.await {
        tracing::debug!(
            "remote forward to {}:{}: {error:#}",
            remote.host,
            remote.host_port
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_forwards_parse() {
        let parsed: Remote = "8080:localhost:3000".parse().unwrap();
        assert_eq!(
            parsed,
            Remote {
                port: 8080,
                host: "localhost".into(),
                host_port: 3000
            }
        );
        assert_eq!("80:[::1]:81".parse::<Remote>().unwrap().host, "::1");
        for bad in [
            "",
            "80",
            "80:81",
            "x:localhost:1",
            "0:localhost:1",
            "1:localhost:0",
            "1::2",
            "1:h:70000",
        ] {
            assert!(bad.parse::<Remote>().is_err(), "{bad:?}");
        }
    }
}
