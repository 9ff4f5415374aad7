//! One SSH session inside the tunnel: shell or command, terminal, exit code.

mod feed;
mod gpg;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use russh::client::{self, Handle, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelMsg, ChannelReadHalf, cipher, kex, mac};
use std::borrow::Cow;
use std::io::IsTerminal;

use super::forward::{self, Remote};
use super::output::Output;
use crate::failure::Exit;
use crate::session::Session;
use crate::ui::terminal::{self, InputMode};
use tokio_util::task::AbortOnDropHandle;
use tunnel::TcpStream;

/// How OpenSSH ends when the connection breaks.
pub const CONNECTION_LOST: u8 = 255;
/// Output that may be under way before the remote waits. It must fit into the buffers of the
/// tunnel: an end that waits to write does not read, and two such ends would wait for each other.
const WINDOW: u32 = 512 << 10;
/// Assumed where the size of the terminal cannot be told.
const DEFAULT_SIZE: terminal::Size = (80, 24);
/// The kind of extended data that is standard error.
const STDERR: u32 = 1;

/// What the session shall be.
pub struct Wanted {
    /// Command; a shell when empty.
    pub command: String,
    /// A terminal for the command.
    pub tty: bool,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Socket of the SSH agent to forward.
    pub agent_socket: Option<PathBuf>,
    /// Ports and sockets to listen on in the workspace.
    pub forwards: Vec<Remote>,
    /// Let the workspace use this machine's GPG agent.
    pub gpg: bool,
}

/// Answers what the workspace asks of the client.
pub(super) struct Client {
    agent_socket: Option<PathBuf>,
    forwards: Vec<Remote>,
    /// Where the workspace's GPG looks for its agent is known only once the
    /// session stands.
    gpg: Arc<OnceLock<Remote>>,
}

impl client::Handler for Client {
    type Error = russh::Error;

    /// The tunnel has authenticated the agent by its key already, which the
    /// coordinator vouches for; the host key adds nothing.
    async fn check_server_key(
        &mut self,
        _key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(true)
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        if let Some(socket) = self.agent_socket.clone() {
            reply.accept().await;
            tokio::spawn(forward::serve_socket(
                channel,
                socket,
                "forwarded SSH agent",
            ));
        } else {
            refuse(reply).await;
        }
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _connected_address: &str,
        connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        let target = self.forwards().find_map(|f| match f {
            Remote::Tcp {
                port,
                host,
                host_port,
            } if u32::from(*port) == connected_port => Some((host.clone(), *host_port)),
            _ => None,
        });
        match target {
            Some((host, port)) => {
                reply.accept().await;
                tokio::spawn(forward::serve_tcp(channel, host, port));
            }
            None => refuse(reply).await,
        }
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        socket_path: &str,
        reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        let target = self.forwards().find_map(|f| match f {
            Remote::Unix { socket, local } if socket == socket_path => Some(local.clone()),
            _ => None,
        });
        match target {
            Some(local) => {
                reply.accept().await;
                tokio::spawn(forward::serve_socket(channel, local, "remote forward"));
            }
            None => refuse(reply).await,
        }
        Ok(())
    }
}

impl Client {
    /// Every forward of this session.
    fn forwards(&self) -> impl Iterator<Item = &Remote> {
        self.forwards.iter().chain(self.gpg.get())
    }
}

/// Nobody asked for that channel.
async fn refuse(reply: client::ChannelOpenHandle) {
    let reason = russh::ChannelOpenFailure::AdministrativelyProhibited;
    reply.reject(reason).await;
}

/// The quickest algorithms that every agent has; the tunnel encrypts anyway.
fn config() -> client::Config {
    client::Config {
        preferred: russh::Preferred {
            kex: Cow::Borrowed(&[
                kex::CURVE25519,
                kex::CURVE25519_PRE_RFC_8731,
                kex::EXTENSION_SUPPORT_AS_CLIENT,
                kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
            ]),
            cipher: Cow::Borrowed(&[
                cipher::AES_128_GCM,
                cipher::AES_256_GCM,
                cipher::CHACHA20_POLY1305,
                cipher::AES_128_CTR,
            ]),
            mac: Cow::Borrowed(&[mac::HMAC_SHA256_ETM, mac::HMAC_SHA256]),
            compression: Cow::Borrowed(&[russh::compression::NONE]),
            ..russh::Preferred::default()
        },
        window_size: WINDOW,
        maximum_packet_size: 32 << 10,
        // The tunnel decides how long silence is normal.
        inactivity_timeout: None,
        nodelay: true,
        ..client::Config::default()
    }
}

/// Runs the session that `wanted` describes over `stream`. Ends by the exit
/// code of the remote command.
pub async fn run(session: &Session, stream: TcpStream, wanted: Wanted) -> Result<()> {
    let handler = Client {
        agent_socket: wanted.agent_socket.clone(),
        forwards: wanted.forwards.clone(),
        gpg: Arc::default(),
    };
    let gpg_forward = handler.gpg.clone();
    let mut handle = client::connect_stream(Arc::new(config()), stream, handler)
        .await
        .context("speak SSH with the workspace")?;
    let accepted = handle
        .authenticate_none("coder")
        .await
        .context("enter the workspace")?;
    anyhow::ensure!(
        accepted.success(),
        "the workspace's SSH server wants credentials: it is not a workspace agent"
    );
    listen(&handle, &wanted.forwards).await?;
    if wanted.gpg {
        gpg::forward(&handle, &gpg_forward).await?;
    }
    let channel = handle
        .channel_open_session()
        .await
        .context("open a session")?;
    let is_terminal = std::io::stdin().is_terminal() || session.globals.force_tty;
    let with_pty = wanted.tty || (wanted.command.is_empty() && is_terminal);
    start(&channel, &wanted, with_pty).await?;
    let (reader, writer) = channel.split();
    // Raw mode only now: until here, messages are for people.
    let raw = with_pty.then(InputMode::raw).flatten();
    let feeding = feed::Feed::start(writer, with_pty)?;
    // As a task: the future that the program's thread blocks on is woken by way of the system, which
    // every echo of a key would wait for.
    let watching = AbortOnDropHandle::new(tokio::spawn(watch(reader)));
    let ended = watching
        .await
        .context("what the workspace says broke off")?;
    drop(feeding);
    drop(raw);
    match ended? {
        Some(0) => Ok(()),
        Some(code) => Err(Exit(u8::try_from(code).unwrap_or(CONNECTION_LOST)).into()),
        None => {
            session.note(
                &session
                    .style_err
                    .error("The connection to the workspace was lost."),
            );
            Err(Exit(CONNECTION_LOST).into())
        }
    }
}

async fn listen(handle: &Handle<Client>, forwards: &[Remote]) -> Result<()> {
    for remote in forwards {
        match remote {
            Remote::Tcp { port, .. } => handle
                .tcpip_forward("127.0.0.1", (*port).into())
                .await
                .map(drop)
                .with_context(|| format!("listen on port {port} of the workspace"))?,
            Remote::Unix { socket, .. } => handle
                .streamlocal_forward(socket.as_str())
                .await
                .with_context(|| format!("listen on {socket} in the workspace"))?,
        }
    }
    Ok(())
}

/// Sends everything at once: no answer is waited for, which saves a round trip
/// for each. A refusal comes as a message of the channel.
async fn start(channel: &Channel<Msg>, wanted: &Wanted, with_pty: bool) -> Result<()> {
    for (name, value) in &wanted.environment {
        channel.set_env(false, name, value).await?;
    }
    if wanted.agent_socket.is_some() {
        channel.agent_forward(false).await?;
    }
    if with_pty {
        let (columns, rows) = terminal::size().unwrap_or(DEFAULT_SIZE);
        let term = std::env::var("TERM")
            .ok()
            .filter(|t| !t.is_empty())
            .unwrap_or_else(|| "xterm-256color".to_owned());
        channel
            .request_pty(false, &term, columns.into(), rows.into(), 0, 0, &[])
            .await?;
    }
    if wanted.command.is_empty() {
        channel.request_shell(true).await?;
    } else {
        channel.exec(true, wanted.command.as_str()).await?;
    }
    Ok(())
}

/// Prints what comes until the channel ends; gives the exit code, if one came.
async fn watch(mut channel: ChannelReadHalf) -> Result<Option<u32>> {
    let mut output = Output::new()?;
    let mut code = None;
    loop {
        let message = tokio::select! {
            message = channel.wait() => message,
            failure = output.failed() => return Err(failure),
        };
        let Some(message) = message else {
            break;
        };
        match message {
            ChannelMsg::Data { data } => output.stdout(data).await,
            ChannelMsg::ExtendedData { data, ext: STDERR } => output.stderr(data).await,
            ChannelMsg::ExitStatus { exit_status } => code = Some(exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                tracing::debug!(?signal_name, "the command was ended by a signal");
                code = Some(CONNECTION_LOST.into());
            }
            ChannelMsg::Failure => anyhow::bail!("the workspace refuses to run that"),
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    output.finish().await?;
    Ok(code)
}
