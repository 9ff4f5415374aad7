//! `coder users edit-roles`.

use anyhow::{Context, Result};
use clap::Args as ClapArgs;

use crate::csv;
use crate::failure::Advice;
use crate::say;
use crate::session::Session;
use crate::ui::prompt::{Question, confirm_default_yes};

/// Replace the roles of a user.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Name or id of the user.
    user: String,

    /// The roles that the user has from now on, separated by commas; empty removes all.
    #[arg(long, value_name = "roles")]
    roles: Option<Vec<String>>,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// Asks for the roles where they are not given, and stores them.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let (user, known) = tokio::join!(client.user(&args.user), client.site_roles());
    let user = user.with_context(|| format!("find user {:?}", args.user))?;
    let known: Vec<String> = known
        .context("list the roles")?
        .into_iter()
        .map(|r| r.name)
        .collect();
    let old: Vec<&str> = user
        .roles
        .iter()
        .filter(|r| r.organization_id.is_empty())
        .map(|r| r.name.as_str())
        .collect();
    let given = match &args.roles {
        Some(roles) => csv::split_all(roles),
        None => {
            say!("Roles: {}", known.join(", "))?;
            let default = old.join(",");
            let question = Question {
                text: "Roles, separated by commas:",
                default: Some(&default),
                secret: false,
            };
            csv::split(&question.ask(|_| Ok(()))?)
        }
    };
    let roles: Vec<String> = given
        .iter()
        .map(|r| r.trim().to_owned())
        .filter(|r| !r.is_empty())
        .collect();
    if let Some(unknown) = roles.iter().find(|r| !known.contains(r)) {
        return Err(Advice::error(
            format!("there is no role {unknown:?}"),
            format!("Choose among: {}.", known.join(", ")),
        ));
    }
    let shown = if roles.is_empty() {
        "none".to_owned()
    } else {
        roles.join(", ")
    };
    confirm_default_yes(
        &format!("Set the roles of {:?} to: {shown}?", user.username),
        args.yes,
    )?;
    client
        .user_roles_update(&user.id.to_string(), roles)
        .await?;
    say!(
        "Updated roles of {}: {shown}",
        session.style.keyword(&user.username)
    )
}
