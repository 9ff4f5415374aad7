//! `coder groups`: people of an organization under one name.

use anyhow::{Context, Result};
use api_types::{CreateGroupRequest, Group, PatchGroupRequest};
use clap::{Args as ClapArgs, Subcommand};
use client::{Client, UserQuery};
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use crate::csv;
use crate::failure::Advice;
use crate::organization_flag::OrganizationFlag;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table, join};

/// Requests under way at a time.
const AT_ONCE: usize = 8;

/// Manage groups of people.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Create a group.
    Create(CreateArgs),
    /// List groups.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Change a group and its members.
    Edit(EditArgs),
    /// Delete a group; its members stay.
    #[command(visible_alias = "rm")]
    Delete(DeleteArgs),
}

#[derive(ClapArgs)]
struct CreateArgs {
    /// Name of the group.
    name: String,

    /// Address of its picture.
    #[arg(short = 'u', long, env = "CODER_AVATAR_URL", value_name = "url")]
    avatar_url: Option<String>,

    /// Name for people.
    #[arg(long, env = "CODER_DISPLAY_NAME", value_name = "name")]
    display_name: Option<String>,

    #[command(flatten)]
    organization: OrganizationFlag,
}

#[derive(ClapArgs)]
struct ListArgs {
    #[command(flatten)]
    organization: OrganizationFlag,

    #[command(flatten)]
    listing: Listing<Groups>,
}

#[derive(ClapArgs)]
struct EditArgs {
    /// Name of the group.
    group: String,

    /// Its new name.
    #[arg(short, long, value_name = "name")]
    name: Option<String>,

    /// Address of its picture.
    #[arg(short = 'u', long, value_name = "url")]
    avatar_url: Option<String>,

    /// Name for people.
    #[arg(long, env = "CODER_DISPLAY_NAME", value_name = "name")]
    display_name: Option<String>,

    /// People to add, by name, e-mail address or id; may be repeated.
    #[arg(short, long, value_name = "user")]
    add_users: Vec<String>,

    /// People to take out; may be repeated.
    #[arg(short, long, value_name = "user")]
    rm_users: Vec<String>,

    #[command(flatten)]
    organization: OrganizationFlag,
}

#[derive(ClapArgs)]
struct DeleteArgs {
    /// Name of the group.
    name: String,

    #[command(flatten)]
    organization: OrganizationFlag,
}

struct Groups;
impl Table for Groups {
    type Row = Group;
    const COLUMNS: &'static [Column<Group>] = &[
        Column::new("name", |g| g.name.clone()),
        Column::new("display name", |g| g.display_name.clone()),
        Column::new("organization id", |g| g.organization_id.to_string()),
        Column::new("members", |g| {
            let names: Vec<&str> = g.members.iter().map(|m| m.email.as_str()).collect();
            join(&names)
        }),
        Column::new("avatar url", |g| g.avatar_url.clone()),
    ];
    const DEFAULT: &'static [&'static str] = &[
        "name",
        "display name",
        "organization id",
        "members",
        "avatar url",
    ];
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Create(args) => create(args, session).await,
        Sub::List(args) => list(args, session).await,
        Sub::Edit(args) => edit(args, session).await,
        Sub::Delete(args) => delete(args, session).await,
    }
}

async fn organization(session: &Session, flag: &OrganizationFlag) -> Result<String> {
    Ok(flag.find(session).await?.id.to_string())
}

async fn find(session: &Session, organization: &str, name: &str) -> Result<Group> {
    session
        .client()?
        .group_by_name(organization, name)
        .await
        .with_context(|| format!("find group {name:?}"))
}

async fn create(args: CreateArgs, session: &Session) -> Result<()> {
    let organization = organization(session, &args.organization).await?;
    let request = CreateGroupRequest {
        name: args.name,
        display_name: args.display_name.unwrap_or_default(),
        avatar_url: args.avatar_url.unwrap_or_default(),
        ..CreateGroupRequest::default()
    };
    let made = session
        .client()?
        .group_create(&organization, &request)
        .await?;
    say!(
        "Successfully created group {}!",
        session.style.keyword(&made.name)
    )
}

async fn list(args: ListArgs, session: &Session) -> Result<()> {
    let organization = organization(session, &args.organization).await?;
    let found = with_members(session, &organization).await?;
    if found.is_empty() && args.listing.format() != Format::Json {
        session.note("No groups found. Create one with 'coder groups create <name>'.");
        return Ok(());
    }
    args.listing.print(&found, &found)
}

/// Groups of an organization; servers may leave members out of the list.
async fn with_members(session: &Session, organization: &str) -> Result<Vec<Group>> {
    let client = session.client()?;
    let listed = client.groups(organization).await?;
    let whole = futures::stream::iter(listed).map(|group| async move {
        if group.members.is_empty() && group.total_member_count > 0 {
            client.group_by_name(organization, &group.name).await
        } else {
            Ok(group)
        }
    });
    Ok(whole.buffered(AT_ONCE).try_collect().await?)
}

async fn edit(args: EditArgs, session: &Session) -> Result<()> {
    let organization = organization(session, &args.organization).await?;
    let group = find(session, &organization, &args.group).await?;
    let client = session.client()?;
    let request = PatchGroupRequest {
        name: args.name.unwrap_or_default(),
        display_name: args.display_name,
        avatar_url: args.avatar_url,
        add_users: people(client, &args.add_users).await?,
        remove_users: people(client, &args.rm_users).await?,
        quota_allowance: None,
    };
    let changed = client.group_update(group.id, &request).await?;
    say!(
        "Successfully changed group {}!",
        session.style.keyword(&changed.name)
    )
}

/// Ids of people. The API finds them by name; addresses have to be searched for.
async fn people(client: &Client, named: &[String]) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for name in csv::split_all(named) {
        let id = if let Ok(id) = name.parse::<Uuid>() {
            id
        } else if name.contains('@') {
            by_address(client, &name).await?
        } else {
            client
                .user(&name)
                .await
                .with_context(|| format!("find user {name:?}"))?
                .id
        };
        ids.push(id.to_string());
    }
    Ok(ids)
}

async fn by_address(client: &Client, address: &str) -> Result<Uuid> {
    let query = UserQuery {
        q: address.to_lowercase(),
        ..UserQuery::default()
    };
    let found = client.users(&query).await.context("search for users")?;
    found
        .users
        .iter()
        .find(|u| u.email.eq_ignore_ascii_case(address))
        .map(|u| u.id)
        .ok_or_else(|| {
            Advice::error(
                format!("there is no user with the address {address:?}, or you may not see them"),
                "'coder users list' shows whom you may see.",
            )
        })
}

async fn delete(args: DeleteArgs, session: &Session) -> Result<()> {
    let organization = organization(session, &args.organization).await?;
    let group = find(session, &organization, &args.name).await?;
    session.client()?.group_delete(group.id).await?;
    say!(
        "Successfully deleted group {}!",
        session.style.keyword(&group.name)
    )
}
