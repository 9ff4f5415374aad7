//! `coder reset-password`.

use anyhow::Result;
use clap::Args as ClapArgs;

use super::new_password;
use super::server::local::DatabaseFlags;
use crate::say;
use crate::session::Session;

/// Set a user's password by the database: for when nobody can sign in.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Name or e-mail address of the user.
    username: String,

    #[command(flatten)]
    database: DatabaseFlags,
}

/// Asks for the password and stores it.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let admin = args.database.open(session, &|_| None).await?;
    let reset = async {
        // Told before anybody thinks of a password.
        let user = admin.user(&args.username).await?;
        let password = new_password::ask()?;
        let id = user.id.to_string();
        anyhow::Ok(admin.password_reset(&id, password.expose()).await?)
    };
    let reset = reset.await;
    admin.close().await;
    let user = reset?;
    say!(
        "\nPassword has been reset for user {}. All sessions of the user have ended.",
        session.style.keyword(&user.username)
    )
}
