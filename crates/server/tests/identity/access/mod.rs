//! Who may call what: a line per endpoint, a column per caller, in the text files beside this
//! one. Every route of the API has a line, or stands in [`routes::WITHOUT_CASE`].

mod questions;
pub mod routes;
mod table;

/// The tables, each with a world of its own.
const TABLES: &[&str] = &[
    include_str!("identity.txt"),
    include_str!("organizations.txt"),
    include_str!("templates.txt"),
    include_str!("workspaces.txt"),
    include_str!("chats.txt"),
    include_str!("mcp.txt"),
];

#[tokio::test]
async fn identities_may_be_called_as_the_table_says() {
    table::check(TABLES[0]).await;
}

#[tokio::test]
async fn organizations_may_be_called_as_the_table_says() {
    table::check(TABLES[1]).await;
}

#[tokio::test]
async fn templates_may_be_called_as_the_table_says() {
    table::check(TABLES[2]).await;
}

#[tokio::test]
async fn workspaces_may_be_called_as_the_table_says() {
    table::check(TABLES[3]).await;
}

#[tokio::test]
async fn chats_may_be_called_as_the_table_says() {
    table::check(include_str!("chats.txt")).await;
}

#[tokio::test]
async fn mcp_servers_may_be_called_as_the_table_says() {
    table::check(include_str!("mcp.txt")).await;
}
