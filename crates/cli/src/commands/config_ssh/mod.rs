//! `coder config-ssh`: lets OpenSSH and everything built on it reach
//! workspaces by name.

mod block;
mod options;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;

use crate::follow::agent::Wait;
use crate::say;
use crate::session::Session;
use crate::text_file;
use crate::ui::prompt::{Question, confirm_default_yes};
use options::Remembered;

/// Let OpenSSH reach workspaces: writes a section of its configuration.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  coder config-ssh --dry-run\n  coder config-ssh -o ForwardAgent=yes\n  ssh dev.coder"
)]
pub struct Args {
    /// OpenSSH configuration to change.
    #[arg(
        long,
        env = "CODER_SSH_CONFIG_FILE",
        value_name = "file",
        default_value = "~/.ssh/config"
    )]
    ssh_config_file: String,

    /// Program that OpenSSH calls; this one when left out.
    #[arg(long, env = "CODER_SSH_CONFIG_BINARY_PATH", value_name = "file")]
    coder_binary_path: Option<PathBuf>,

    /// Option of OpenSSH for every workspace, as name=value; may be repeated.
    #[arg(
        short = 'o',
        long,
        env = "CODER_SSH_CONFIG_OPTS",
        value_name = "name=value"
    )]
    ssh_option: Vec<String>,

    /// Show what would change, and change nothing.
    #[arg(short = 'n', long, env = "CODER_SSH_DRY_RUN")]
    dry_run: bool,

    /// Keep the options of the last run.
    #[arg(long, env = "CODER_SSH_USE_PREVIOUS_OPTIONS")]
    use_previous_options: bool,

    /// Prefix of host names, in place of the deployment's.
    #[arg(long, env = "CODER_CONFIGSSH_SSH_HOST_PREFIX", value_name = "prefix")]
    ssh_host_prefix: Option<String>,

    /// Suffix of host names, in place of the deployment's.
    #[arg(long, env = "CODER_CONFIGSSH_HOSTNAME_SUFFIX", value_name = "suffix")]
    hostname_suffix: Option<String>,

    /// Wait for startup scripts: always, never, or as the template says.
    #[arg(
        long,
        env = "CODER_CONFIGSSH_WAIT",
        value_name = "when",
        default_value = "auto"
    )]
    wait: Wait,

    /// Do not start a workspace that is stopped.
    #[arg(long, env = "CODER_CONFIGSSH_DISABLE_AUTOSTART")]
    disable_autostart: bool,

    /// One host for each workspace instead of a pattern, for programs that list hosts.
    #[arg(long, env = "CODER_CONFIGSSH_NO_WILDCARD")]
    no_wildcard: bool,

    /// Write paths with forward slashes on every system.
    #[arg(long, env = "CODER_CONFIGSSH_UNIX_FILEPATHS")]
    force_unix_filepaths: bool,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Writes the section.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let deployment = match client.ssh_config().await {
        Err(e) if e.is_not_found() => api_types::SshConfigResponse {
            hostname_prefix: "coder.".to_owned(),
            ..Default::default()
        },
        other => other.context("ask for the deployment's SSH settings")?,
    };
    let path = expand_home(&args.ssh_config_file)?;
    let before = text_file::read(&path)?;
    let section =
        block::find(&before).with_context(|| format!("cannot change {}", path.display()))?;
    let asked = Remembered::from_flags(&args, session);
    let options = choose(
        &args,
        session,
        asked,
        section
            .as_ref()
            .map(|s| Remembered::parse(&before[s.clone()])),
    )?;
    // One of them serves as an example; every one is named without wildcard.
    let limit = u32::from(!options.no_wildcard);
    let mine = client.workspaces("owner:me", limit, 0);
    let mine = mine.await.context("list your workspaces")?.workspaces;
    let hosts: Vec<String> = mine.iter().map(|w| w.name.clone()).collect();
    let binary = match args
        .coder_binary_path
        .clone()
        .filter(|p| !p.as_os_str().is_empty())
    {
        Some(path) => path,
        None => std::env::current_exe().context("find this program")?,
    };
    // OpenSSH calls from any directory.
    let config_dir = std::path::absolute(session.config.path()).context("find the settings")?;
    let text = block::render(&block::Section {
        binary: &binary.display().to_string(),
        config_dir: &config_dir.display().to_string(),
        options: &options,
        deployment: &deployment,
        hosts: options.no_wildcard.then_some(hosts.as_slice()),
    })?;
    let after = block::replace(&before, section, &text);
    if after == before {
        return say!("No changes to make.");
    }
    if args.dry_run {
        say!(
            "Dry run, the following changes would be made to your SSH configuration:\n\n  * Update the coder section in {}\n",
            path.display()
        )?;
        return say!("{}", block::changes(&before, &after).trim_end());
    }
    if !args.yes {
        say!(
            "The following changes will be made to your SSH configuration:\n\n  * Update the coder section in {}\n",
            path.display()
        )?;
        confirm_default_yes("Continue?", false)?;
    }
    text_file::replace(&path, &after)?;
    say!("Updated {:?}", path.display().to_string())?;
    let example = mine.first().map_or("<workspace>", |w| w.name.as_str());
    let host = options.example(&deployment, example);
    say!(
        "You should now be able to ssh into your workspace.\nFor example, try running:\n\n\t$ ssh {host}"
    )
}

/// The options to use where the last run had others.
fn choose(
    args: &Args,
    session: &Session,
    asked: Remembered,
    last: Option<Remembered>,
) -> Result<Remembered> {
    let Some(last) = last.filter(|last| *last != asked && *last != Remembered::default()) else {
        return Ok(asked);
    };
    if args.use_previous_options {
        return Ok(last);
    }
    if args.yes || !session.interactive() || asked != Remembered::default() {
        return Ok(asked);
    }
    say!("The last run used other options:\n{}", last.lines())?;
    let question = Question {
        text: "Use them again? (yes/no)",
        default: Some("yes"),
        secret: false,
    };
    let answer = question.ask(|_| Ok(()))?;
    Ok(if matches!(answer.to_lowercase().as_str(), "y" | "yes") {
        last
    } else {
        asked
    })
}

fn expand_home(path: &str) -> Result<PathBuf> {
    match path.strip_prefix("~/") {
        Some(rest) => Ok(crate::home::home_dir()
            .context("cannot tell where your home directory is: set HOME")?
            .join(rest)),
        None => Ok(PathBuf::from(path)),
    }
}
