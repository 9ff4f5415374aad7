//! `coder publickey`.

use anyhow::Result;
use clap::Args as ClapArgs;

use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm;

/// Print the public key with which your workspaces reach Git servers.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Make a new key; the old one stops working everywhere.
    #[arg(long)]
    reset: bool,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Prints the key.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let key = if args.reset {
        confirm(
            "Make a new key? Git servers that know the old one must be told.",
            args.yes,
        )?;
        client.git_ssh_key_regenerate("me").await?
    } else {
        client.git_ssh_key("me").await?
    };
    say!(
        "Your workspaces use this key with {} over SSH:\n",
        session.style.field("git")
    )?;
    say!("{}\n", session.style.code(key.public_key.trim()))?;
    say!("Add it where your repositories are, for example:")?;
    say!("  https://github.com/settings/ssh/new")?;
    say!("  https://gitlab.com/-/profile/keys")
}
