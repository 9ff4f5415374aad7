//! `coder logout`.

use anyhow::Result;
use clap::Args as ClapArgs;

use crate::failure::Advice;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::confirm_default_yes;

/// Sign out and forget the session.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

/// Ends the session at the server and removes it here, even if the server
/// cannot be reached.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    if session.url()?.is_none() || session.token()?.is_none() {
        return Err(Advice::error(
            "you are not signed in",
            "There is nothing to do.",
        ));
    }
    confirm_default_yes("Are you sure you want to log out?", args.yes)?;
    let ended = session.client()?.logout().await;
    session.config.remove("session")?;
    session.config.remove("url")?;
    session.config.remove("organization")?;
    match ended {
        Err(e) if e.status() != Some(http::StatusCode::UNAUTHORIZED) => {
            session.note(&format!(
                "The session is forgotten here, but the server could not end it: {e}"
            ));
        }
        _ => {}
    }
    say!("You are no longer logged in. You can log in using 'coder login <url>'.")
}
