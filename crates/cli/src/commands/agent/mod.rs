//! `coder agent`: what runs in a workspace.

mod auth;
mod log;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use ::agent::{Config, Subsystem, reap};
use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use http::HeaderMap;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub use auth::AgentAuth;

use crate::session::{Session, parse_url};
use crate::ui::time::duration_flag;

/// Tells a child that its parent collects orphans.
const NO_REAP: &str = "--no-reap";

/// Run the agent of a workspace.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    auth: AgentAuth,

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

    /// Refuse sftp, scp, rsync and nc.
    #[arg(long, env = "CODER_AGENT_BLOCK_FILE_TRANSFER")]
    block_file_transfer: bool,

    /// Refuse forwarding of ports from the workspace to clients (ssh -R).
    #[arg(long, env = "CODER_AGENT_BLOCK_REVERSE_PORT_FORWARDING")]
    block_reverse_port_forwarding: bool,

    /// Refuse forwarding of ports from clients into the workspace (ssh -L).
    #[arg(long, env = "CODER_AGENT_BLOCK_LOCAL_PORT_FORWARDING")]
    block_local_port_forwarding: bool,

    /// As the first process of a container, do not collect orphans.
    #[arg(long)]
    no_reap: bool,
}

/// Runs the agent until it is told to stop.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    log::init(
        &args.log_human,
        &args.log_json,
        &args.log_dir,
        session.globals.verbose,
    )
    .context("open the agent's logs")?;
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
        config.block_file_transfer = self.block_file_transfer;
        config.block_reverse_port_forwarding = self.block_reverse_port_forwarding;
        config.block_local_port_forwarding = self.block_local_port_forwarding;
        let names = self
            .subsystem
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        config.subsystems = names.map(subsystem).collect::<Result<_>>()?;
        Ok(config)
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
