//! `coder start`.

use anyhow::Result;
use api_types::WorkspaceStatus;
use chrono::Utc;
use clap::Args as ClapArgs;

use super::building::{self, BuildFlags, Start};
use super::lookup;
use crate::follow;
use crate::parameters::flags::ParameterFlags;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm;
use crate::ui::time;

/// Start a workspace.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Workspace to start.
    workspace: String,

    /// Do not wait for the build.
    #[arg(long)]
    no_wait: bool,

    #[command(flatten)]
    parameters: ParameterFlags,

    #[command(flatten)]
    build: BuildFlags,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Starts the workspace, or joins a start that is under way.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let given = args.parameters.given()?;
    let mut workspace = lookup::workspace(client, &args.workspace).await?;
    let name = session.style.keyword(&workspace.name);
    let build = match workspace.latest_build.status {
        WorkspaceStatus::Running => return say!("\nThe {name} workspace is already running!"),
        WorkspaceStatus::Starting => {
            say!("\nThe {name} workspace is already starting.")?;
            workspace.latest_build.clone()
        }
        ref status => {
            if *status == WorkspaceStatus::Pending {
                say!("\nThe {name} workspace is waiting to start!")?;
                building::warn_without_provisioner(session, &workspace.latest_build);
                confirm("Enqueue another start?", args.yes)?;
            }
            if building::clean_failed_start(session, &workspace).await? {
                workspace = client.workspace(workspace.id).await?;
            }
            let start = Start {
                given: &given,
                flags: &args.build,
                update: false,
                yes: args.yes,
            };
            building::start(session, &workspace, &start).await?
        }
    };
    building::warn_without_provisioner(session, &build);
    if args.no_wait {
        return say!(
            "The {name} workspace has been started in no-wait mode. It is building in the background."
        );
    }
    follow::job::build(session, &build).await?;
    say!(
        "\nThe {name} workspace has been started at {}!",
        time::stamp(Utc::now())
    )
}
