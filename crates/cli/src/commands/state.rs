//! `coder state`: Terraform state by hand.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use api_types::WorkspaceBuild;
use base64::Engine;
use clap::{Args as ClapArgs, Subcommand};

use super::building::{self, BuildFlags};
use super::lookup;
use crate::follow;
use crate::say;
use crate::session::Session;
use client::Target;

/// The largest state that a server takes.
const MAX_STATE: u64 = 100 << 20;

/// Read and replace the Terraform state of workspaces.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Print the state, or write it to a file.
    Pull(PullArgs),
    /// Replace the state and build with it.
    Push(PushArgs),
}

#[derive(ClapArgs)]
struct PullArgs {
    /// The workspace.
    workspace: String,

    /// File to write; standard output when left out.
    file: Option<PathBuf>,

    /// Build by its number; the latest is 0.
    #[arg(short, long, default_value_t = 0, value_name = "number")]
    build: i32,
}

#[derive(ClapArgs)]
struct PushArgs {
    /// The workspace.
    workspace: String,

    /// File with the state; - is standard input.
    file: PathBuf,

    /// Build by its number, whose version and transition to use; the latest is 0.
    #[arg(short, long, default_value_t = 0, value_name = "number")]
    build: i32,

    /// Store the state without building.
    #[arg(short, long)]
    no_build: bool,
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Pull(args) => pull(args, session).await,
        Sub::Push(args) => push(args, session).await,
    }
}

async fn find(session: &Session, workspace: &str, number: i32) -> Result<WorkspaceBuild> {
    let client = session.client()?;
    if number == 0 {
        return Ok(lookup::workspace(client, workspace).await?.latest_build);
    }
    let target = Target::workspace(workspace)?;
    client
        .build_by_number(&target.owner, &target.workspace, number)
        .await
        .with_context(|| format!("find build {number} of {workspace:?}"))
}

async fn pull(args: PullArgs, session: &Session) -> Result<()> {
    let build = find(session, &args.workspace, args.build).await?;
    let state = session.client()?.build_state(build.id).await?;
    let Some(path) = args.file else {
        return say!("{}", String::from_utf8_lossy(&state));
    };
    // State holds secrets: nobody else may read it.
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &state))
        .with_context(|| format!("cannot write {}", path.display()))
}

async fn push(args: PushArgs, session: &Session) -> Result<()> {
    let mut state = Vec::new();
    let read = if args.file.as_os_str() == "-" {
        std::io::stdin()
            .lock()
            .take(MAX_STATE + 1)
            .read_to_end(&mut state)
    } else {
        std::fs::File::open(&args.file).and_then(|f| f.take(MAX_STATE + 1).read_to_end(&mut state))
    };
    read.with_context(|| format!("cannot read {}", args.file.display()))?;
    ensure!(
        state.len() as u64 <= MAX_STATE,
        "the state is larger than {} MiB",
        MAX_STATE >> 20
    );
    let client = session.client()?;
    let build = find(session, &args.workspace, args.build).await?;
    if args.no_build {
        client.build_state_update(build.id, &state).await?;
        return say!("State updated.");
    }
    let mut request = building::request(build.transition.clone(), &BuildFlags::default());
    request.template_version_id = Some(build.template_version_id);
    request.state = base64::engine::general_purpose::STANDARD.encode(&state);
    let build = client.build_create(build.workspace_id, &request).await?;
    follow::job::build(session, &build).await
}
