//! `coder oauth2-provider`: the deployment as one that others sign in with.

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::say;
use crate::session::Session;

/// Settings of the deployment as an OAuth2 provider.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Whether programs may register themselves (RFC 7591).
    #[command(subcommand)]
    Dcr(Dcr),
}

#[derive(Debug, Subcommand)]
enum Dcr {
    /// Let programs register themselves.
    Enable,
    /// Only administrators register programs.
    Disable,
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let Sub::Dcr(dcr) = args.command;
    let (enabled, said) = match dcr {
        Dcr::Enable => (true, "Dynamic client registration is now enabled."),
        Dcr::Disable => (false, "Dynamic client registration is now disabled."),
    };
    session.client()?.oauth2_registration_set(enabled).await?;
    say!("{said}")
}
