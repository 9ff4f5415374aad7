//! `coder templates`: what workspaces are made from.

mod archive;
mod create;
mod delete;
mod edit;
mod import;
mod init;
mod list;
mod presets;
mod pull;
mod push;
mod source;
mod starters;
mod variables;
mod versions;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::session::Session;

/// Manage templates.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Make a template directory from a starter template.
    Init(init::Args),
    /// Create or update a template from a directory.
    Push(push::Args),
    /// Create a template from a directory (former way; use push).
    Create(create::Args),
    /// Download the files of a template.
    Pull(pull::Args),
    /// List templates.
    #[command(visible_alias = "ls")]
    List(list::Args),
    /// Change the settings of a template.
    Edit(edit::Args),
    /// Delete templates.
    #[command(visible_alias = "rm")]
    Delete(delete::Args),
    /// Archive template versions that nothing uses.
    Archive(archive::Args),
    /// Manage versions of templates.
    #[command(visible_alias = "version")]
    Versions(versions::Args),
    /// Show presets of templates.
    #[command(visible_alias = "preset")]
    Presets(presets::Args),
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Init(args) => init::run(&args, session),
        Sub::Push(args) => push::run(args, session).await,
        Sub::Create(args) => create::run(args, session).await,
        Sub::Pull(args) => pull::run(args, session).await,
        Sub::List(args) => list::run(args, session).await,
        Sub::Edit(args) => edit::run(args, session).await,
        Sub::Delete(args) => delete::run(args, session).await,
        Sub::Archive(args) => archive::run(args, session).await,
        Sub::Versions(args) => versions::run(args, session).await,
        Sub::Presets(args) => presets::run(args, session).await,
    }
}
