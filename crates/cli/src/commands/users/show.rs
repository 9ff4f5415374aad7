//! `coder users show`.

use anyhow::{Context, Result};
use clap::{Args as ClapArgs, ValueEnum};

use crate::say;
use crate::session::Session;
use crate::ui::output::print_json;
use crate::ui::time;

/// Show a user.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Name or id of the user, or me.
    user: String,

    /// Form of the output.
    #[arg(short, long, value_name = "format", default_value = "table")]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Prints the user.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let user = client
        .user(&args.user)
        .await
        .with_context(|| format!("find user {:?}", args.user))?;
    if matches!(args.output, Output::Json) {
        return print_json(&user);
    }
    let id = user.id.to_string();
    let organizations = client
        .user_organizations(&id)
        .await
        .context("read the user's organizations")?;
    let roles: Vec<&str> = user.roles.iter().map(|r| r.display_name.as_str()).collect();
    let names: Vec<&str> = organizations.iter().map(|o| o.name.as_str()).collect();
    say!("ID:            {id}")?;
    say!("Username:      {}", session.style.keyword(&user.username))?;
    say!("Full name:     {}", user.name)?;
    say!("Email:         {}", user.email)?;
    say!("Status:        {}", user.status)?;
    say!("Created At:    {}", time::rfc3339(user.created_at))?;
    say!()?;
    say!(
        "Roles:         {}",
        if roles.is_empty() {
            "(none)".to_owned()
        } else {
            roles.join(", ")
        }
    )?;
    say!("Organizations: {}", names.join(", "))
}
