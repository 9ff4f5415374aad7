//! `coder users`: who may sign in.

mod create;
mod list;
mod oidc_claims;
mod roles;
mod show;
mod status;

use anyhow::{Context, Result};
use clap::{Args as ClapArgs, Subcommand};

use crate::say;
use crate::session::Session;
use crate::ui::time;

/// Manage users.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Create a user.
    Create(create::Args),
    /// List users.
    #[command(visible_alias = "ls")]
    List(list::Args),
    /// Show a user.
    Show(show::Args),
    /// Let a suspended or dormant user in again.
    #[command(visible_alias = "active")]
    Activate(status::Args),
    /// Lock a user out; nothing of theirs is lost.
    Suspend(status::Args),
    /// Delete a user who has no workspaces.
    #[command(visible_alias = "rm")]
    Delete(DeleteArgs),
    /// Replace the roles of a user.
    EditRoles(roles::Args),
    /// Show what your identity provider says of you.
    OidcClaims(oidc_claims::Args),
}

#[derive(ClapArgs)]
struct DeleteArgs {
    /// Name or id of the user.
    user: String,
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Create(args) => create::run(args, session).await,
        Sub::List(args) => list::run(args, session).await,
        Sub::Show(args) => show::run(args, session).await,
        Sub::Activate(args) => status::run(args, session, status::Change::Activate).await,
        Sub::Suspend(args) => status::run(args, session, status::Change::Suspend).await,
        Sub::Delete(args) => delete(args, session).await,
        Sub::EditRoles(args) => roles::run(args, session).await,
        Sub::OidcClaims(args) => oidc_claims::run(args, session).await,
    }
}

async fn delete(args: DeleteArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let user = client
        .user(&args.user)
        .await
        .with_context(|| format!("find user {:?}", args.user))?;
    client.user_delete(&user.id.to_string()).await?;
    say!(
        "Successfully deleted {} at {}!",
        session.style.keyword(&user.username),
        time::stamp(chrono::Utc::now())
    )
}
