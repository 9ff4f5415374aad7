//! `coder organizations members`.

use anyhow::{Context, Result};
use api_types::OrganizationMemberWithUserData;
use clap::{Args as ClapArgs, Subcommand};

use crate::csv;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::time;

/// Manage members.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// List members.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Add a user.
    Add(UserArgs),
    /// Take a user out; their workspaces stay.
    #[command(visible_alias = "rm")]
    Remove(UserArgs),
    /// Replace the roles of a member.
    #[command(visible_alias = "edit-role")]
    EditRoles(RolesArgs),
}

#[derive(ClapArgs)]
struct ListArgs {
    #[command(flatten)]
    listing: Listing<Members>,
}

#[derive(ClapArgs)]
struct UserArgs {
    /// Name or id of the user.
    user: String,
}

#[derive(ClapArgs)]
struct RolesArgs {
    /// Name or id of the user.
    user: String,

    /// The roles that the member has from now on; none removes all.
    roles: Vec<String>,
}

struct Members;
impl Table for Members {
    type Row = OrganizationMemberWithUserData;
    const COLUMNS: &'static [Column<Self::Row>] = &[
        Column::new("username", |m| m.username.clone()),
        Column::new("name", |m| m.name.clone()),
        Column::new("last seen at", |m| {
            m.last_seen_at.map(time::rfc3339).unwrap_or_default()
        }),
        Column::new("user created at", |m| time::rfc3339(m.user_created_at)),
        Column::new("user updated at", |m| time::rfc3339(m.user_updated_at)),
        Column::new("user id", |m| m.user_id.to_string()),
        Column::new("organization id", |m| m.organization_id.to_string()),
        Column::new("created at", |m| time::rfc3339(m.created_at)),
        Column::new("updated at", |m| time::rfc3339(m.updated_at)),
        Column::new("organization roles", |m| {
            m.roles
                .iter()
                .map(|r| r.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        }),
    ];
    const DEFAULT: &'static [&'static str] = &["username", "organization roles"];
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session, asked: Option<&str>) -> Result<()> {
    let client = session.client()?;
    let organization = session.organization(asked).await?;
    let id = organization.id.to_string();
    let name = session.style.keyword(&organization.name);
    match args.command {
        Sub::List(args) => {
            let members = client.organization_members(&id).await?;
            if members.is_empty() && args.listing.format() != Format::Json {
                session.note("No members found.");
                return Ok(());
            }
            args.listing.print(&members, &members)
        }
        Sub::Add(args) => {
            client
                .organization_member_add(&id, &args.user)
                .await
                .with_context(|| format!("add {:?}", args.user))?;
            say!("Added {} to organization {name}.", args.user)
        }
        Sub::Remove(args) => {
            client
                .organization_member_remove(&id, &args.user)
                .await
                .with_context(|| format!("remove {:?}", args.user))?;
            say!("Removed {} from organization {name}.", args.user)
        }
        Sub::EditRoles(args) => {
            let changed = client
                .organization_member_roles_update(&id, &args.user, csv::split_all(&args.roles))
                .await
                .with_context(|| format!("change the roles of {:?}", args.user))?;
            let roles: Vec<&str> = changed.roles.iter().map(|r| r.name.as_str()).collect();
            say!("Member roles updated to [{}]", roles.join(", "))
        }
    }
}
