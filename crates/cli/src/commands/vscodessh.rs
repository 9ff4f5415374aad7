//! `coder vscodessh`: the ProxyCommand that older versions of the VS Code
//! extension write. Newer ones call `coder ssh --stdio`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;

use super::ssh;
use crate::failure::Advice;
use crate::follow::agent::Wait;
use crate::session::Session;
use crate::ui::time;

/// An address or a token is one short line.
const MAX_SETTING: u64 = 64 << 10;

/// Carry SSH of VS Code to a workspace.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The host: coder-vscode--<owner>--<workspace>[--<agent>].
    host: String,

    /// Directory to which to write the quality of the connection.
    #[arg(long, value_name = "directory")]
    network_info_dir: PathBuf,

    /// How often to write it.
    #[arg(long, value_name = "duration", default_value = "5s", value_parser = time::duration_flag)]
    network_info_interval: Duration,

    /// Directory for a log of the connection.
    #[arg(long, value_name = "directory")]
    log_dir: Option<PathBuf>,

    /// File that holds the session token.
    #[arg(long, value_name = "file")]
    session_token_file: PathBuf,

    /// File that holds the address of the deployment.
    #[arg(long, value_name = "file")]
    url_file: PathBuf,

    /// Wait for startup scripts: always, never, or as the template says.
    #[arg(long, value_name = "when", default_value = "auto")]
    wait: Wait,
}

/// Connects with the settings that the files hold.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let mut globals = session.globals.clone();
    globals.url = Some(read(&args.url_file)?);
    globals.token = Some(read(&args.session_token_file)?);
    let session = Session::new(globals, session.command.clone())?;
    let connection = ssh::EditorConnection {
        workspace: workspace(&args.host)?,
        wait: args.wait,
        log_dir: args.log_dir,
        network_info_dir: args.network_info_dir,
        network_info_interval: args.network_info_interval,
    };
    ssh::run(connection.into_args(), &session).await
}

/// `owner--workspace[--agent]` of a host name: what stands before the first
/// separator is the editor's own.
fn workspace(host: &str) -> Result<String> {
    match host.split_once("--") {
        Some((_, rest)) if rest.contains("--") => Ok(rest.to_owned()),
        _ => Err(Advice::error(
            format!("{host:?} names no workspace"),
            "It must be coder-vscode--<owner>--<workspace>[--<agent>].",
        )),
    }
}

fn read(path: &Path) -> Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(MAX_SETTING).read_to_string(&mut text))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_the_editors_part() {
        assert_eq!(workspace("coder-vscode--ann--dev").unwrap(), "ann--dev");
        assert_eq!(
            workspace("coder-vscode--ann--dev--main").unwrap(),
            "ann--dev--main"
        );
        for bad in ["", "dev", "coder-vscode--dev"] {
            assert!(workspace(bad).is_err(), "{bad}");
        }
    }
}
