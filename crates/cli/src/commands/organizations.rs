//! `coder organizations`: reading them and their members.

use anyhow::{Context, Result};
use api_types::{CreateOrganizationRequest, Organization, OrganizationMemberWithUserData};
use clap::{Args as ClapArgs, Subcommand};

use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::prompt::confirm_default_yes;
use crate::ui::time;

/// Show organizations and their members.
#[derive(ClapArgs)]
pub struct Args {
    /// Organization to use.
    #[arg(
        short = 'O',
        long = "org",
        global = true,
        env = "CODER_ORGANIZATION",
        value_name = "name"
    )]
    organization: Option<String>,

    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Show an organization.
    Show(ShowArgs),
    /// List organizations that you belong to.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Create an organization.
    Create(NameArgs),
    /// Delete an organization.
    #[command(visible_alias = "rm")]
    Delete(NameArgs),
    /// Show members.
    #[command(visible_alias = "member")]
    Members(MembersArgs),
}

#[derive(ClapArgs)]
struct ShowArgs {
    /// Which: selected, me for all of yours, a name or an id.
    #[arg(default_value = "selected")]
    which: String,

    /// Print the id alone.
    #[arg(long)]
    only_id: bool,

    #[command(flatten)]
    listing: Listing<Shown>,
}

#[derive(ClapArgs)]
struct ListArgs {
    #[command(flatten)]
    listing: Listing<Listed>,
}

#[derive(ClapArgs)]
struct NameArgs {
    /// Name of the organization.
    name: String,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

#[derive(ClapArgs)]
struct MembersArgs {
    #[command(subcommand)]
    command: MembersSub,
}

#[derive(Subcommand)]
enum MembersSub {
    /// List members.
    #[command(visible_alias = "ls")]
    List(MemberListArgs),
}

#[derive(ClapArgs)]
struct MemberListArgs {
    #[command(flatten)]
    listing: Listing<Members>,
}

const CELLS: &[Column<Organization>] = &[
    Column {
        name: "id",
        cell: |o| o.id.to_string(),
    },
    Column {
        name: "name",
        cell: |o| o.name.clone(),
    },
    Column {
        name: "display name",
        cell: |o| o.display_name.clone(),
    },
    Column {
        name: "icon",
        cell: |o| o.icon.clone(),
    },
    Column {
        name: "description",
        cell: |o| o.description.clone(),
    },
    Column {
        name: "created at",
        cell: |o| time::rfc3339(o.created_at),
    },
    Column {
        name: "updated at",
        cell: |o| time::rfc3339(o.updated_at),
    },
    Column {
        name: "default",
        cell: |o| o.is_default.to_string(),
    },
    Column {
        name: "default org member roles",
        cell: |o| o.default_org_member_roles.join(", "),
    },
];

struct Shown;
impl Table for Shown {
    type Row = Organization;
    const COLUMNS: &'static [Column<Organization>] = CELLS;
    const DEFAULT: &'static [&'static str] = &["id", "name", "default"];
    const TEXT: bool = true;
}

struct Listed;
impl Table for Listed {
    type Row = Organization;
    const COLUMNS: &'static [Column<Organization>] = CELLS;
    const DEFAULT: &'static [&'static str] = &["name", "display name", "id", "default"];
}

struct Members;
impl Table for Members {
    type Row = OrganizationMemberWithUserData;
    const COLUMNS: &'static [Column<Self::Row>] = &[
        Column {
            name: "username",
            cell: |m| m.username.clone(),
        },
        Column {
            name: "name",
            cell: |m| m.name.clone(),
        },
        Column {
            name: "last seen at",
            cell: |m| m.last_seen_at.map(time::rfc3339).unwrap_or_default(),
        },
        Column {
            name: "user created at",
            cell: |m| time::rfc3339(m.user_created_at),
        },
        Column {
            name: "user updated at",
            cell: |m| time::rfc3339(m.user_updated_at),
        },
        Column {
            name: "user id",
            cell: |m| m.user_id.to_string(),
        },
        Column {
            name: "organization id",
            cell: |m| m.organization_id.to_string(),
        },
        Column {
            name: "created at",
            cell: |m| time::rfc3339(m.created_at),
        },
        Column {
            name: "updated at",
            cell: |m| time::rfc3339(m.updated_at),
        },
        Column {
            name: "organization roles",
            cell: |m| {
                m.roles
                    .iter()
                    .map(|r| r.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            },
        },
    ];
    const DEFAULT: &'static [&'static str] = &["username", "organization roles"];
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let asked = args.organization.as_deref();
    match args.command {
        Sub::Show(args) => show(args, session, asked).await,
        Sub::List(args) => {
            let mine = session.client()?.user_organizations("me").await?;
            args.listing.print(&mine, &mine)
        }
        Sub::Create(args) => create(args, session).await,
        Sub::Delete(args) => delete(args, session).await,
        Sub::Members(MembersArgs {
            command: MembersSub::List(args),
        }) => {
            let organization = session.organization(asked).await?;
            let members = session
                .client()?
                .organization_members(&organization.id.to_string())
                .await?;
            args.listing.print(&members, &members)
        }
    }
}

async fn show(args: ShowArgs, session: &Session, asked: Option<&str>) -> Result<()> {
    let client = session.client()?;
    let (found, what) = match args.which.as_str() {
        "selected" => (
            vec![session.organization(asked).await?],
            "Current CLI Organization",
        ),
        "me" => (client.user_organizations("me").await?, "Organizations"),
        name => {
            let found = client
                .organization(name)
                .await
                .with_context(|| format!("find organization {name:?}"))?;
            (vec![found], "Organization")
        }
    };
    if args.only_id {
        for organization in &found {
            say!("{}", organization.id)?;
        }
        return Ok(());
    }
    if args.listing.format() == Format::Text {
        let shown: Vec<String> = found
            .iter()
            .map(|o| format!("{} ({})", session.style.keyword(&o.name), o.id))
            .collect();
        return say!("{what}: {}", shown.join(", "));
    }
    args.listing.print(&found, &found)
}

async fn create(args: NameArgs, session: &Session) -> Result<()> {
    confirm_default_yes(&format!("Create organization {:?}?", args.name), args.yes)?;
    let request = CreateOrganizationRequest {
        name: args.name,
        ..CreateOrganizationRequest::default()
    };
    let made = session.client()?.organization_create(&request).await?;
    say!(
        "Organization {} ({}) created.",
        session.style.keyword(&made.name),
        made.id
    )
}

async fn delete(args: NameArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let found = client
        .organization(&args.name)
        .await
        .with_context(|| format!("find organization {:?}", args.name))?;
    confirm_default_yes(
        &format!("Delete organization {:?} and everything in it?", found.name),
        args.yes,
    )?;
    client.organization_delete(&found.id.to_string()).await?;
    say!(
        "Organization {} ({}) deleted.",
        session.style.keyword(&found.name),
        found.id
    )
}
