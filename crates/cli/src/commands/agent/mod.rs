//! `coder agent`: what runs in a workspace.

mod auth;
mod listen;
mod log;
mod switches;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use ::agent::{Config, ContextConfig, Subsystem, reap, socket};
use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use http::HeaderMap;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub use auth::AgentAuth;

use self::switches::{Switch, Switches};
use crate::failure::Advice;
use crate::session::{Session, parse_url};
use crate::ui::time::duration_flag;

/// Tells a child that its parent collects orphans.
const NO_REAP: &str = "--no-reap";

/// Run the agent of a workspace.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    auth: AgentAuth,

    #[command(flatten)]
    switches: Switches,

    /// File for readable logs.
    #[arg(
        long,
        env = "CODER_AGENT_LOGGING_HUMAN",
        value_name = "file",
        default_value = "/dev/stderr"
    )]
    log_human: String,

    /// File for logs in JSON.
    #[arg(
        long,
        env = "CODER_AGENT_LOGGING_JSON",
        value_name = "file",
        default_value = ""
    )]
    log_json: String,

    /// Directory for the agent's log and those of scripts.
    #[arg(long, env = "CODER_AGENT_LOG_DIR", value_name = "dir", default_value_os_t = std::env::temp_dir())]
    log_dir: PathBuf,

    /// Directory for the data of scripts.
    #[arg(long, env = "CODER_AGENT_SCRIPT_DATA_DIR", value_name = "dir", default_value_os_t = std::env::temp_dir())]
    script_data_dir: PathBuf,

    /// Additional header `key=value` of every request; may be repeated.
    #[arg(
        long,
        env = "CODER_AGENT_HEADER",
        value_name = "key=value",
        hide_env_values = true
    )]
    agent_header: Vec<String>,

    /// Shell command that prints additional headers as `key=value` lines.
    #[arg(long, env = "CODER_AGENT_HEADER_COMMAND", value_name = "command")]
    agent_header_command: Option<String>,

    /// An SSH client that is silent for this long is dropped; 0 keeps it for ever.
    #[arg(long, env = "CODER_AGENT_SSH_MAX_TIMEOUT", value_name = "duration", default_value = "72h", value_parser = duration_flag)]
    ssh_max_timeout: Duration,

    /// What surrounds the agent: envbox, envbuilder, exectrace, separated by commas.
    #[arg(
        long,
        env = "CODER_AGENT_SUBSYSTEM",
        value_name = "names",
        default_value = "",
        hide = true
    )]
    subsystem: String,

    /// Address for metrics in the format of Prometheus; empty for none. Without it,
    /// 127.0.0.1:2112 if that is free.
    #[arg(long, env = "CODER_AGENT_PROMETHEUS_ADDRESS", value_name = "address")]
    prometheus_address: Option<String>,

    /// Address for logs, manifest and state of the tunnel; empty for none. Without it,
    /// 127.0.0.1:2113 if that is free.
    #[arg(long, env = "CODER_AGENT_DEBUG_ADDRESS", value_name = "address")]
    debug_address: Option<String>,

    /// Not offered: profiles of this program are taken from outside, by perf.
    #[arg(
        long,
        env = "CODER_AGENT_PPROF_ADDRESS",
        value_name = "address",
        default_value = "",
        hide = true
    )]
    pprof_address: String,

    /// File for logs in Stackdriver's form, which Google Cloud reads.
    #[arg(
        long,
        env = "CODER_AGENT_LOGGING_STACKDRIVER",
        value_name = "file",
        default_value = ""
    )]
    log_stackdriver: String,

    /// UDP port for direct connections; 0 for any.
    #[arg(
        long,
        env = "CODER_AGENT_TAILNET_LISTEN_PORT",
        value_name = "port",
        default_value_t = 0
    )]
    tailnet_listen_port: u16,

    /// Path of the local socket.
    #[arg(
        long,
        env = "CODER_AGENT_SOCKET_PATH",
        value_name = "path",
        default_value = ""
    )]
    socket_path: String,

    /// Not offered: this agent passes no logs of a firewall on.
    #[arg(
        long,
        env = "CODER_AGENT_FIREWALL_LOG_PROXY_SOCKET_PATH",
        value_name = "path",
        default_value = "",
        hide = true
    )]
    agent_firewall_log_proxy_socket_path: String,

    /// As the first process of a container, do not collect orphans.
    #[arg(long)]
    no_reap: bool,
}

/// Runs the agent until it is told to stop.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let logs = log::Outputs {
        human: &args.log_human,
        json: &args.log_json,
        stackdriver: &args.log_stackdriver,
        directory: &args.log_dir,
    };
    log::init(logs, session.globals.verbose).context("open the agent's logs")?;
    let shutdown = CancellationToken::new();
    stop_on_signals(shutdown.clone())?;
    ::agent::run(args.config(session)?, shutdown).await;
    Ok(())
}

impl Args {
    fn config(&self, session: &Session) -> Result<Config> {
        let mut config = Config::new(self.auth.client(session, &self.headers()?)?);
        config.log_dir.clone_from(&self.log_dir);
        config.script_data_dir.clone_from(&self.script_data_dir);
        config.ssh_max_timeout = self.ssh_max_timeout;
        config.block_file_transfer = self.switches.on(Switch::BlockFileTransfer);
        config.block_reverse_port_forwarding = self.switches.on(Switch::BlockReversePortForwarding);
        config.block_local_port_forwarding = self.switches.on(Switch::BlockLocalPortForwarding);
        self.refuse_what_is_not_offered()?;
        config.identity = self.auth.identity();
        config.metrics_listener =
            listen::open(self.prometheus_address.as_deref(), "127.0.0.1:2112")?;
        config.debug_listener = listen::open(self.debug_address.as_deref(), "127.0.0.1:2113")?;
        config.tunnel_port = self.tailnet_listen_port;
        config.devcontainers = self.switches.on(Switch::Devcontainers);
        config.discover_devcontainers = self.switches.on(Switch::ProjectDiscovery);
        config.context = ContextConfig::from_environment(|name| std::env::var(name).ok());
        config.socket_path =
            self.switches
                .on(Switch::SocketServer)
                .then(|| match self.socket_path.as_str() {
                    "" => socket::free_path(),
                    path => path.into(),
                });
        let names = self
            .subsystem
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        config.subsystems = names.map(subsystem).collect::<Result<_>>()?;
        Ok(config)
    }

    /// A setting that would have no effect is an error, and not a surprise later.
    fn refuse_what_is_not_offered(&self) -> Result<()> {
        let text = |text: &str| !text.is_empty();
        let settings = [
            (
                text(&self.pprof_address),
                "CODER_AGENT_PPROF_ADDRESS",
                "this agent serves no profiles; take them with perf",
            ),
            (
                self.switches.on(Switch::DiscoveryAutostart),
                "CODER_AGENT_DEVCONTAINERS_DISCOVERY_AUTOSTART_ENABLE",
                "dev containers are not started by this agent",
            ),
            (
                text(&self.agent_firewall_log_proxy_socket_path),
                "CODER_AGENT_FIREWALL_LOG_PROXY_SOCKET_PATH",
                "logs of the agent firewall are not passed on by this agent",
            ),
        ];
        for (given, name, why) in settings {
            if given {
                return Err(Advice::error(
                    format!("{name} cannot be honoured"),
                    format!("Unset it: {why}."),
                ));
            }
        }
        Ok(())
    }

    fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for pair in crate::csv::split_all(&self.agent_header) {
            client::parse_header(&pair, &mut headers)?;
        }
        if let Some(command) = self
            .agent_header_command
            .as_deref()
            .filter(|c| !c.is_empty())
        {
            let url = parse_url(self.auth.url().unwrap_or_default())?;
            client::run_header_command(command, &url, &mut headers)?;
        }
        Ok(headers)
    }
}

fn subsystem(name: &str) -> Result<Subsystem> {
    Ok(match name {
        "envbox" => Subsystem::Envbox,
        "envbuilder" => Subsystem::Envbuilder,
        "exectrace" => Subsystem::Exectrace,
        name => {
            bail!("unknown subsystem {name:?}: the known ones are envbox, envbuilder and exectrace")
        }
    })
}

/// The first signal asks for an orderly end, the second ends at once.
fn stop_on_signals(shutdown: CancellationToken) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            if shutdown.is_cancelled() {
                std::process::exit(1);
            }
            tracing::info!("told to stop");
            shutdown.cancel();
        }
    });
    Ok(())
}

/// As the first process of a container: runs the agent as a child and collects
/// orphans. `None` where this is not called for. Must come before any thread.
pub fn run_as_init(arguments: &[OsString]) -> Option<ExitCode> {
    let is_agent = arguments.get(1).is_some_and(|a| a == "agent");
    if !is_agent || !reap::is_init() || arguments.iter().any(|a| a == NO_REAP) {
        return None;
    }
    let mut child = Command::new(std::env::current_exe().ok()?);
    child.args(&arguments[1..]).arg(NO_REAP);
    match reap::run(child) {
        Ok(status) => Some(ExitCode::from(status.code().unwrap_or(255) as u8)),
        Err(error) => {
            eprintln!("the agent could not be run as a child: {error}");
            Some(ExitCode::FAILURE)
        }
    }
}
