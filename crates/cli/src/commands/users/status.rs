//! `coder users activate` and `coder users suspend`.

use anyhow::{Context, Result, bail};
use api_types::UserStatus;
use clap::Args as ClapArgs;

use super::list::Users;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Table, emit};
use crate::ui::prompt::confirm_default_yes;
use crate::ui::table;

/// A user to let in or lock out.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Name or id of the user.
    user: String,

    /// Columns of the table, separated by commas.
    #[arg(short, long, value_name = "columns", value_delimiter = ',', default_values = Users::DEFAULT)]
    column: Vec<String>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Let in.
    Activate,
    /// Lock out.
    Suspend,
}

/// Shows the user, asks, and changes the status.
pub async fn run(args: Args, session: &Session, change: Change) -> Result<()> {
    let client = session.client()?;
    let user = client
        .user(&args.user)
        .await
        .with_context(|| format!("find user {:?}", args.user))?;
    let (wanted, verb, done) = match change {
        Change::Activate => (UserStatus::Active, "activate", "activated"),
        Change::Suspend => (UserStatus::Suspended, "suspend", "suspended"),
    };
    if user.status == wanted {
        bail!("user {:?} is {wanted} already", user.username);
    }
    let columns: Vec<&Column<_>> = args
        .column
        .iter()
        .filter_map(|name| {
            Users::COLUMNS
                .iter()
                .find(|c| c.name.eq_ignore_ascii_case(name))
        })
        .collect();
    let header: Vec<&str> = columns.iter().map(|c| c.name).collect();
    emit(&table::render(
        &header,
        &[columns.iter().map(|c| (c.cell)(&user)).collect()],
    ))?;
    if session.interactive() {
        confirm_default_yes(
            &format!("Are you sure you want to {verb} this user?"),
            false,
        )?;
    }
    let id = user.id.to_string();
    match change {
        Change::Activate => client.user_activate(&id).await?,
        Change::Suspend => client.user_suspend(&id).await?,
    };
    say!(
        "\nUser {} has been {done}!",
        session.style.keyword(&user.username)
    )
}
