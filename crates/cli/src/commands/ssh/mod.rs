//! `coder ssh`: a shell or a command in a workspace.

mod environment;
mod forward;
mod input;
mod network_info;
mod output;
mod reopened;
mod session;
mod stdio;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use api_types::UsageAppName;
use clap::Args as ClapArgs;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::lookup;
use crate::connect::link::{self, Link, SSH_PORT};
use crate::connect::ready::{Patience, make_ready};
use crate::connect::session_watch;
use crate::csv;
use crate::follow::agent::Wait;
use crate::session::Session;
use crate::ui::time;
use crate::{scheduling, working_set};
use client::Target;

/// Open a shell in a workspace, or run a command in it. 'coder config-ssh' lets
/// the ssh of your system do the same, with everything that it can.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  coder ssh dev\n  coder ssh dev -- ls -la\n  coder ssh ann/dev.main -R 8080:localhost:3000"
)]
pub struct Args {
    /// The workspace, perhaps with its agent: <workspace>[.<agent>], <owner>/<workspace>.
    workspace: String,

    /// Command to run, joined by spaces, instead of a shell.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,

    /// Carry raw SSH by standard input and output, for ProxyCommand of OpenSSH.
    #[arg(long, env = "CODER_SSH_STDIO")]
    stdio: bool,

    /// Give a command a terminal; shells have one anyway.
    #[arg(short, long, env = "CODER_SSH_TTY")]
    tty: bool,

    /// Let the workspace use your SSH agent.
    #[arg(short = 'A', long, env = "CODER_SSH_FORWARD_AGENT")]
    forward_agent: bool,

    /// Let the workspace use your GPG agent. Needs GnuPG on both sides; the agent must run here.
    #[arg(short = 'G', long, env = "CODER_SSH_FORWARD_GPG")]
    forward_gpg: bool,

    /// Socket of the SSH agent to forward, in place of SSH_AUTH_SOCK.
    #[arg(long, env = "CODER_SSH_IDENTITY_AGENT", value_name = "socket")]
    identity_agent: Option<PathBuf>,

    /// Wait for startup scripts: always, never, or as the template says.
    #[arg(
        long,
        env = "CODER_SSH_WAIT",
        value_name = "when",
        default_value = "auto"
    )]
    wait: Wait,

    /// Do not wait for startup scripts (former way; use --wait=no).
    #[arg(long, env = "CODER_SSH_NO_WAIT")]
    no_wait: bool,

    /// Directory for a log of the connection.
    #[arg(short, long, env = "CODER_SSH_LOG_DIR", value_name = "directory")]
    log_dir: Option<PathBuf>,

    /// Listen in the workspace and forward to this machine: port:address:port, or socket:socket by absolute paths; may be repeated.
    #[arg(
        short = 'R',
        long,
        env = "CODER_SSH_REMOTE_FORWARD",
        value_name = "forward"
    )]
    remote_forward: Vec<String>,

    /// Environment variable of the session, as name=value; may be repeated.
    #[arg(short, long, env = "CODER_SSH_ENV", value_name = "name=value")]
    env: Vec<String>,

    /// Suffix to take off the host name, without its dot.
    #[arg(long, env = "CODER_SSH_HOSTNAME_SUFFIX", value_name = "suffix")]
    hostname_suffix: Option<String>,

    /// Prefix to take off the host name.
    #[arg(long, env = "CODER_SSH_SSH_HOST_PREFIX", value_name = "prefix")]
    ssh_host_prefix: Option<String>,

    /// Do not start a workspace that is stopped.
    #[arg(long, env = "CODER_SSH_DISABLE_AUTOSTART")]
    disable_autostart: bool,

    /// How often to look whether the workspace has stopped. Kept for scripts: news come by themselves.
    #[arg(long, env = "CODER_WORKSPACE_POLL_INTERVAL", value_name = "duration", default_value = "1m", value_parser = time::duration_flag)]
    workspace_poll_interval: Duration,

    /// Directory to which to write the quality of the connection.
    #[arg(long, value_name = "directory")]
    network_info_dir: Option<PathBuf>,

    /// How often to write it.
    #[arg(long, value_name = "duration", default_value = "5s", value_parser = time::duration_flag)]
    network_info_interval: Duration,

    /// What uses the connection, for statistics.
    #[arg(long, env = "CODER_SSH_USAGE_APP", hide = true, value_name = "app")]
    usage_app: Option<String>,

    /// Container of the workspace to enter, by name or id.
    #[arg(short, long, hide = true, value_name = "container")]
    container: Option<String>,

    /// As whom to enter it.
    #[arg(long, hide = true, value_name = "user")]
    container_user: Option<String>,

    /// Make a tunnel even where Coder Connect could carry the connection. Kept for scripts: one is always made.
    #[arg(long, hide = true)]
    force_new_tunnel: bool,
}

/// What an editor's own ProxyCommand asks for.
pub struct EditorConnection {
    /// The workspace, in any form of [`Target::agent`].
    pub workspace: String,
    /// Wait for startup scripts.
    pub wait: Wait,
    /// Directory for a log of the connection.
    pub log_dir: Option<PathBuf>,
    /// Directory to which to write the quality of the connection.
    pub network_info_dir: PathBuf,
    /// How often to write it.
    pub network_info_interval: Duration,
}

impl EditorConnection {
    /// The same as flags of `coder ssh`. Editors start workspaces by
    /// themselves, where a person sees it.
    pub fn into_args(self) -> Args {
        Args {
            workspace: self.workspace,
            command: Vec::new(),
            stdio: true,
            tty: false,
            forward_agent: false,
            forward_gpg: false,
            identity_agent: None,
            wait: self.wait,
            no_wait: false,
            log_dir: self.log_dir,
            remote_forward: Vec::new(),
            env: Vec::new(),
            hostname_suffix: None,
            ssh_host_prefix: None,
            disable_autostart: true,
            workspace_poll_interval: Duration::ZERO,
            network_info_dir: Some(self.network_info_dir),
            network_info_interval: self.network_info_interval,
            usage_app: Some("vscode".to_owned()),
            container: None,
            container_user: None,
            force_new_tunnel: false,
        }
    }
}

/// Connects and runs the session.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    session.keep_stdout_clean();
    scheduling::answer_soon();
    if args.stdio && !args.command.is_empty() {
        bail!("--stdio carries SSH itself: the command belongs to the SSH client");
    }
    let mut environment = environment::parse(&args.env)?;
    environment.extend(in_container(&args)?);
    let forwards: Vec<forward::Remote> = csv::split_all(&args.remote_forward)
        .iter()
        .filter(|f| !f.is_empty())
        .map(|f| f.parse())
        .collect::<Result<_>>()?;
    if args.stdio && (!forwards.is_empty() || args.forward_gpg) {
        bail!("--stdio carries SSH itself: -R and -G belong to the SSH client");
    }
    let target = Target::host(
        &args.workspace,
        args.ssh_host_prefix.as_deref().unwrap_or_default(),
        args.hostname_suffix.as_deref().unwrap_or_default(),
    )?;
    let _log = args
        .log_dir
        .as_deref()
        .filter(|d| !d.as_os_str().is_empty())
        .map(start_log)
        .transpose()?;
    let patience = Patience {
        autostart: !args.disable_autostart,
        wait: if args.no_wait { Wait::No } else { args.wait },
    };
    let (workspace, mut link) = connect(session, &target, patience).await?;
    // What asked the API is not what carries the session.
    working_set::phase_ends();
    let client = session.client()?;
    let app = args
        .usage_app
        .as_deref()
        .map_or(Some(UsageAppName::Ssh), usage_app);
    let _usage = AbortOnDrop(tokio::spawn(session_watch::report_usage(
        client.clone(),
        workspace.id,
        link.agent(),
        app,
    )));
    let stream = link.dial(session, SSH_PORT).await?;
    session.warn_of_version().await;
    working_set::phase_ends();
    let info = args
        .network_info_dir
        .as_deref()
        .filter(|d| !d.as_os_str().is_empty());
    let _info = info
        .map(|dir| network_info::start(dir, args.network_info_interval, &link))
        .transpose()?;
    let gone =
        session_watch::until_gone(client.clone(), workspace, link.conn().clone(), link.agent());
    let work = async {
        if args.stdio {
            return stdio::run(stream).await;
        }
        let agent_socket = args
            .forward_agent
            .then(|| forward::agent_socket(args.identity_agent.as_deref()))
            .transpose()?;
        let wanted = session::Wanted {
            command: args.command.join(" "),
            tty: args.tty,
            environment,
            agent_socket,
            forwards,
            gpg: args.forward_gpg,
        };
        session::run(session, stream, wanted).await
    };
    tokio::select! {
        result = work => result,
        reason = gone => {
            session.note(&session.style_err.warn(&format!("\r\nConnection closed: {reason}.")));
            Err(crate::failure::Exit(session::CONNECTION_LOST).into())
        }
    }
}

/// Finds the workspace and begins the tunnel at the same time: the relay does
/// not depend on the workspace. Then makes both meet.
pub async fn connect(
    session: &Session,
    target: &Target,
    patience: Patience,
) -> Result<(api_types::Workspace, Link)> {
    let client = session.client()?;
    working_set::phase_ends();
    let prepared = async {
        let connection = client
            .agent_connection_generic()
            .await
            .context("ask for the relays")?;
        link::prepare(
            client,
            session.globals.disable_direct_connections,
            connection,
        )
    };
    let (workspace, prepared) = tokio::join!(lookup::of_target(client, target), prepared);
    let (workspace, prepared) = (workspace?, prepared?);
    working_set::phase_ends();
    let (workspace, agent) = make_ready(session, workspace, target, patience).await?;
    Ok((workspace, prepared.connect(client, agent.id)))
}

/// The variables by which an agent runs the session inside a container; it
/// takes them for itself.
fn in_container(args: &Args) -> Result<Vec<(String, String)>> {
    let set = |value: &Option<String>| value.clone().filter(|v| !v.is_empty());
    match (set(&args.container), set(&args.container_user)) {
        (None, Some(_)) => bail!("--container-user needs --container"),
        (Some(_), _) if args.stdio => bail!(
            "--stdio carries SSH itself: name the container there, by SetEnv CODER_CONTAINER=<name>"
        ),
        (container, user) => Ok([
            ("CODER_CONTAINER", container),
            ("CODER_CONTAINER_USER", user),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()),
    }
}

/// Kinds of use that the server counts; it refuses others.
fn usage_app(name: &str) -> Option<UsageAppName> {
    match UsageAppName::from(name) {
        UsageAppName::Other(_) | UsageAppName::Unset => None,
        known => Some(known),
    }
}

/// A task that ends with the one who started it.
pub struct AbortOnDrop(pub tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Logs the connection to a file of its own.
fn start_log(dir: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let name = format!(
        "coder-ssh-{}-{:08x}-{}.log",
        chrono::Local::now().format("%Y%m%d-%H%M%S"),
        rand::random::<u32>(),
        std::os::unix::process::parent_id()
    );
    let path = dir.join(name);
    let file =
        std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    // A log that is set up already (--debug-http) is as good.
    let filter = Targets::new()
        .with_default(LevelFilter::DEBUG)
        .with_target("hyper", LevelFilter::INFO);
    let log = tracing_subscriber::fmt::layer()
        .log_internal_errors(false)
        .with_ansi(false)
        .with_writer(std::sync::Mutex::new(file))
        .with_filter(filter);
    let _ = tracing_subscriber::registry().with(log).try_init();
    Ok(())
}
