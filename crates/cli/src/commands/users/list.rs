//! `coder users list`.

use anyhow::Result;
use api_types::User;
use clap::Args as ClapArgs;
use client::UserQuery;

use crate::session::Session;
use crate::ui::output::{Column, Listing, Table};
use crate::ui::time;

/// List users.
#[derive(ClapArgs)]
pub struct Args {
    /// Only the user with this id at GitHub.
    #[arg(long, value_name = "id")]
    github_user_id: Option<i64>,

    #[command(flatten)]
    listing: Listing<Users>,
}

/// The table of users.
pub struct Users;

impl Table for Users {
    type Row = User;
    const COLUMNS: &'static [Column<User>] = &[
        Column {
            name: "id",
            cell: |u| u.id.to_string(),
        },
        Column {
            name: "username",
            cell: |u| u.username.clone(),
        },
        Column {
            name: "name",
            cell: |u| u.name.clone(),
        },
        Column {
            name: "email",
            cell: |u| u.email.clone(),
        },
        Column {
            name: "created at",
            cell: |u| time::rfc3339(u.created_at),
        },
        Column {
            name: "updated at",
            cell: |u| time::rfc3339(u.updated_at),
        },
        Column {
            name: "status",
            cell: |u| u.status.to_string(),
        },
    ];
    const DEFAULT: &'static [&'static str] = &["username", "email", "created at", "status"];
}

/// Prints the users.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let q = args
        .github_user_id
        .map(|id| format!("github_com_user_id:{id}"))
        .unwrap_or_default();
    let found = session
        .client()?
        .users(&UserQuery {
            q,
            ..UserQuery::default()
        })
        .await?
        .users;
    args.listing.print(&found, &found)
}
