//! What an SSH session carries beside the shell: the person's SSH agent, and
//! connections from the workspace to this machine.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use russh::Channel;
use russh::client::Msg;

use crate::failure::Advice;

/// One `-R`: where the workspace listens, and what it reaches here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote {
    /// `port:address:port`.
    Tcp {
        /// Port on which the workspace listens, on its loopback address.
        port: u16,
        /// Address here.
        host: String,
        /// Port here.
        host_port: u16,
    },
    /// `path:path`, of Unix sockets; both absolute.
    Unix {
        /// Socket on which the workspace listens.
        socket: String,
        /// Socket here; it need not exist yet.
        local: PathBuf,
    },
}

impl FromStr for Remote {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = if text.starts_with('/') {
            unix(text)
        } else {
            tcp(text)
        };
        parsed.ok_or_else(|| {
            Advice::error(
                format!("{text:?} is no remote forward"),
                "Give <port in the workspace>:<address here>:<port here>, such as 8080:localhost:3000, \
                 or two absolute paths of sockets, such as /tmp/there.sock:/tmp/here.sock.",
            )
        })
    }
}

fn tcp(text: &str) -> Option<Remote> {
    let (port, rest) = text.split_once(':')?;
    let (host, host_port) = rest.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    let number = |t: &str| t.parse::<u16>().ok().filter(|p| *p > 0);
    (!host.is_empty()).then_some(())?;
    Some(Remote::Tcp {
        port: number(port)?,
        host: host.to_owned(),
        host_port: number(host_port)?,
    })
}

/// The last `:/` separates: names with a colon are possible, if rare.
fn unix(text: &str) -> Option<Remote> {
    let at = text.rfind(":/")?;
    let (socket, local) = (&text[..at], &text[at + 1..]);
    (socket.len() > 1 && local.len() > 1).then(|| Remote::Unix {
        socket: socket.to_owned(),
        local: PathBuf::from(local),
    })
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

/// Joins a channel that the workspace opened with a Unix socket here; `what`
/// names the socket in the log.
pub async fn serve_socket(channel: Channel<Msg>, socket: PathBuf, what: &'static str) {
    let joined = async {
        let socket = tokio::net::UnixStream::connect(&socket)
            .await
            .with_context(|| format!("connect to {}", socket.display()))?;
        join(channel, socket).await
    };
    if let Err(error) = joined.await {
        tracing::debug!("{what}: {error:#}");
    }
}

/// Joins a channel that the workspace opened with an address here.
pub async fn serve_tcp(channel: Channel<Msg>, host: String, port: u16) {
    let joined = async {
        let socket = tokio::net::TcpStream::connect((host.as_str(), port))
            .await
            .context("connect")?;
        join(channel, socket).await
    };
    if let Err(error) = joined.await {
        tracing::debug!("remote forward to {host}:{port}: {error:#}");
    }
}

async fn join(
    channel: Channel<Msg>,
    mut socket: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
) -> Result<()> {
    let mut channel = channel.into_stream();
    tokio::io::copy_bidirectional(&mut channel, &mut socket)
        .await
        .context("copy")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_forwards_parse() {
        let parsed: Remote = "8080:localhost:3000".parse().unwrap();
        let tcp = |port, host: &str, host_port| Remote::Tcp {
            port,
            host: host.into(),
            host_port,
        };
        assert_eq!(parsed, tcp(8080, "localhost", 3000));
        assert_eq!("80:[::1]:81".parse::<Remote>().unwrap(), tcp(80, "::1", 81));
        let sockets = Remote::Unix {
            socket: "/tmp/there".into(),
            local: "/tmp/here".into(),
        };
        assert_eq!("/tmp/there:/tmp/here".parse::<Remote>().unwrap(), sockets);
        for bad in [
            "",
            "80",
            "80:81",
            "x:localhost:1",
            "0:localhost:1",
            "1:localhost:0",
            "1::2",
            "1:h:70000",
            "/tmp/only",
            "/tmp/there:here",
            "/:/x",
            "/x:/",
        ] {
            assert!(bad.parse::<Remote>().is_err(), "{bad:?}");
        }
    }
}
