//! `coder server create-admin-user`.

use anyhow::{Result, ensure};
use clap::Args as ClapArgs;

use super::local::DatabaseFlags;
use crate::commands::new_password;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::Question;

/// Make another owner, by the database: for when nobody can sign in. The user
/// belongs to every organization.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    database: DatabaseFlags,

    /// Name of the user.
    #[arg(long, env = "CODER_USERNAME", value_name = "name")]
    username: Option<String>,

    /// E-mail address of the user.
    #[arg(long, env = "CODER_EMAIL", value_name = "address")]
    email: Option<String>,

    /// Password of the user.
    #[arg(
        long,
        env = "CODER_PASSWORD",
        value_name = "password",
        hide_env_values = true
    )]
    password: Option<String>,

    /// Kind of the key that the user's workspaces get for Git.
    #[arg(
        long,
        env = "CODER_SSH_KEYGEN_ALGORITHM",
        value_name = "kind",
        default_value = "ed25519"
    )]
    ssh_keygen_algorithm: String,

    /// Kept for scripts: no connection URL is printed.
    #[arg(long)]
    raw_url: bool,
}

/// Asks for what is not given, and creates.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let ask = |given: Option<String>, text: &str| match given.filter(|g| !g.is_empty()) {
        Some(given) => Ok(given),
        None => Question::new(text).ask(|answer| {
            ensure!(!answer.is_empty(), "An answer is needed.");
            Ok(())
        }),
    };
    let username = ask(args.username, "Username:")?;
    let email = ask(args.email, "Email:")?;
    let password = match args.password.filter(|p| !p.is_empty()) {
        Some(password) => password.into(),
        None => new_password::ask()?,
    };
    let algorithm = args.ssh_keygen_algorithm;
    let more = |name: &str| (name == "ssh-keygen-algorithm").then(|| vec![algorithm.clone()]);
    let admin = args.database.open(session, &more).await?;
    let made = admin
        .owner_create(&username, &email, password.expose())
        .await;
    admin.close().await;
    let made = made?;
    say!("\nUser created successfully.")?;
    say!("ID:       {}", made.id)?;
    say!("Username: {}", made.username)?;
    say!("Email:    {}", made.email)
}
