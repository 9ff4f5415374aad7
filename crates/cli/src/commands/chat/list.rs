//! `coder chat list`.

use anyhow::Result;
use api_types::Chat;
use chrono::Utc;
use clap::Args as ClapArgs;

use super::find::short;
use crate::follow::stages::printable;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::time;

/// List your chats.
#[derive(ClapArgs)]
pub struct Args {
    /// Only chats with these words, or that match this search: 'title:build', 'source:shared_with_me'.
    #[arg(long, default_value = "", value_name = "query")]
    search: String,

    /// Chats in the archive instead.
    #[arg(long)]
    archived: bool,

    /// At most so many.
    #[arg(long, default_value_t = 50, value_name = "number")]
    limit: u32,

    #[command(flatten)]
    listing: Listing<Chats>,
}

struct Chats;

impl Table for Chats {
    type Row = Chat;
    const COLUMNS: &'static [Column<Chat>] = &[
        Column {
            name: "id",
            cell: |c| short(c.id),
        },
        Column {
            name: "title",
            cell: |c| printable(&c.title),
        },
        Column {
            name: "status",
            cell: |c| c.status.to_string(),
        },
        Column {
            name: "last turn",
            cell: |c| printable(c.last_turn_summary.as_deref().unwrap_or_default()),
        },
        Column {
            name: "owner",
            cell: |c| c.owner_username.clone(),
        },
        Column {
            name: "updated",
            cell: |c| time::relative(c.updated_at, Utc::now()),
        },
        Column {
            name: "created at",
            cell: |c| time::rfc3339(c.created_at),
        },
        Column {
            name: "labels",
            cell: |c| {
                let pairs: Vec<String> = c.labels.iter().map(|(k, v)| format!("{k}:{v}")).collect();
                pairs.join(", ")
            },
        },
    ];
    const DEFAULT: &'static [&'static str] = &["id", "title", "status", "last turn", "updated"];
    /// Pinned first, then the latest.
    const SORTED: bool = false;
}

/// Prints the chats.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let mut query = search(&args.search);
    if args.archived {
        query.push_str(" archived:true");
    }
    let found = session.client()?.chats(query.trim(), args.limit, 0).await?;
    if found.is_empty() && args.listing.format() != Format::Json {
        session.note(&format!(
            "No chats found! Begin one:\n\n  {}\n",
            session
                .style_err
                .code("coder chat start \"what is to be done\"")
        ));
        return Ok(());
    }
    args.listing.print(&found, &found)
}

/// Words without a key are looked for in all that was said.
fn search(typed: &str) -> String {
    let typed = typed.trim();
    if typed.is_empty() || typed.contains(':') {
        return typed.to_owned();
    }
    format!("search:\"{}\"", typed.replace('"', " "))
}

#[cfg(test)]
mod tests {
    use super::search;

    #[test]
    fn words_are_searched_for() {
        assert_eq!(search(" title:a  "), "title:a");
        assert_eq!(search("two words"), "search:\"two words\"");
        assert_eq!(search("a \"b\""), "search:\"a  b \"");
        assert_eq!(search(" "), "");
    }
}
