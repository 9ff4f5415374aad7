//! `coder whoami`.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args as ClapArgs;
use serde::Serialize;
use uuid::Uuid;

use crate::say;
use crate::session::{Session, stored_form};
use crate::ui::output::{Column, Format, Listing, Table};

/// Show who is signed in, and where.
#[derive(ClapArgs)]
pub struct Args {
    #[command(flatten)]
    listing: Listing<Identity>,
}

/// Who is signed in.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    url: String,
    username: String,
    user_id: Uuid,
    organization_ids: Vec<Uuid>,
    /// Names of roles by organization; `*` is the whole deployment.
    roles: BTreeMap<String, Vec<String>>,
}

/// The table of one row.
pub struct Identity;

impl Table for Identity {
    type Row = Row;
    const COLUMNS: &'static [Column<Row>] = &[
        Column {
            name: "url",
            cell: |r| r.url.clone(),
        },
        Column {
            name: "username",
            cell: |r| r.username.clone(),
        },
        Column {
            name: "id",
            cell: |r| r.user_id.to_string(),
        },
        Column {
            name: "orgs",
            cell: |r| crate::ui::output::join(&r.organization_ids),
        },
        Column {
            name: "roles",
            cell: |r| {
                r.roles
                    .values()
                    .flatten()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", ")
            },
        },
    ];
    const DEFAULT: &'static [&'static str] = &["url", "username", "id"];
    const TEXT: bool = true;
}

/// Asks the server.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let client = session.client()?;
    let me = client.user("me").await?;
    let mut roles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for role in me.roles {
        let place = if role.organization_id.is_empty() {
            "*".to_owned()
        } else {
            role.organization_id
        };
        roles.entry(place).or_default().push(role.display_name);
    }
    let row = Row {
        url: stored_form(client.url()),
        username: me.username,
        user_id: me.id,
        organization_ids: me.organization_ids,
        roles,
    };
    if args.listing.format() == Format::Text {
        let style = session.style;
        return say!(
            "Coder is running at {}, You're authenticated as {} !",
            style.keyword(&row.url),
            style.keyword(&row.username)
        );
    }
    args.listing.print(std::slice::from_ref(&row), &[&row])
}
