//! `coder organizations roles`: what roles there are, and those of the
//! organization's own.

use std::io::Read;

use anyhow::{Context, Result, bail, ensure};
use api_types::{AssignableRoles, CustomRoleRequest, Permission, Role};
use clap::{Args as ClapArgs, Subcommand};

use crate::failure::Advice;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table, print_json};
use crate::ui::prompt::{Question, confirm_default_yes};

/// A role is a list of a few hundred permissions at most.
const MAX_ROLE: u64 = 4 << 20;

/// Manage the roles of members.
#[derive(ClapArgs)]
#[command(
    after_help = "Example:\n  coder organizations roles show my-role -o json > role.json\n  coder organizations roles update --stdin < role.json"
)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Show roles.
    Show(ShowArgs),
    /// Create a role of the organization's own.
    Create(CreateArgs),
    /// Replace a role of the organization's own.
    Update(UpdateArgs),
}

#[derive(ClapArgs)]
struct ShowArgs {
    /// Names of roles; all when left out.
    names: Vec<String>,

    #[command(flatten)]
    listing: Listing<Roles>,
}

#[derive(ClapArgs)]
struct CreateArgs {
    #[command(flatten)]
    given: Given,
}

#[derive(ClapArgs)]
struct UpdateArgs {
    #[command(flatten)]
    given: Given,

    #[command(flatten)]
    listing: Listing<Roles>,
}

#[derive(ClapArgs)]
struct Given {
    /// Name of the role.
    #[arg(value_name = "role")]
    name: Option<String>,

    /// Read the role as JSON from standard input.
    #[arg(long)]
    stdin: bool,

    /// Show the role, and store nothing.
    #[arg(long)]
    dry_run: bool,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

struct Roles;
impl Table for Roles {
    type Row = AssignableRoles;
    const COLUMNS: &'static [Column<AssignableRoles>] = &[
        Column::new("name", |r| r.name.clone()),
        Column::new("display name", |r| r.display_name.clone()),
        Column::new("organization id", |r| r.organization_id.clone()),
        Column::new("site permissions", |r| count(&r.site_permissions)),
        Column::new("organization permissions", |r| {
            count(&r.organization_permissions)
        }),
        Column::new("user permissions", |r| count(&r.user_permissions)),
    ];
    const DEFAULT: &'static [&'static str] = &[
        "name",
        "display name",
        "site permissions",
        "organization permissions",
        "user permissions",
    ];
}

fn count(permissions: &[Permission]) -> String {
    match permissions.len() {
        1 => "1 permission".to_owned(),
        n => format!("{n} permissions"),
    }
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session, asked: Option<&str>) -> Result<()> {
    let organization = session.organization(asked).await?.id.to_string();
    let known = session
        .client()?
        .organization_roles(&organization)
        .await
        .context("list the roles")?;
    match args.command {
        Sub::Show(args) => show(&args, known),
        Sub::Create(args) => {
            let role = role(&args.given, None, &known)?;
            if known.iter().any(|r| r.name == role.name) {
                bail!(
                    "there is a role {:?} already: change it by 'roles update'",
                    role.name
                );
            }
            let stored = store(&args.given, session, &organization, &role, true).await?;
            print_json(&stored)
        }
        Sub::Update(args) => {
            let old = args.given.name.as_deref();
            let old = old.and_then(|name| known.iter().find(|r| r.name == name));
            let role = role(&args.given, old, &known)?;
            if !known.iter().any(|r| r.name == role.name) {
                return Err(missing(&role.name, &known));
            }
            let stored = store(&args.given, session, &organization, &role, false).await?;
            args.listing
                .print(std::slice::from_ref(&as_row(&stored)), &stored)
        }
    }
}

fn missing(name: &str, known: &[AssignableRoles]) -> anyhow::Error {
    let names: Vec<&str> = known.iter().map(|r| r.name.as_str()).collect();
    Advice::error(
        format!("there is no role {name:?}"),
        format!("There are: {}.", names.join(", ")),
    )
}

fn show(args: &ShowArgs, mut known: Vec<AssignableRoles>) -> Result<()> {
    for name in &args.names {
        if !known.iter().any(|r| r.name == *name) {
            return Err(missing(name, &known));
        }
    }
    if !args.names.is_empty() {
        known.retain(|r| args.names.contains(&r.name));
    }
    if let (Format::Json, [only]) = (args.listing.format(), known.as_slice())
        && args.names.len() == 1
    {
        return print_json(only);
    }
    args.listing.print(&known, &known)
}

async fn store(
    given: &Given,
    session: &Session,
    organization: &str,
    role: &CustomRoleRequest,
    new: bool,
) -> Result<Role> {
    if given.dry_run {
        return Ok(Role {
            name: role.name.clone(),
            display_name: role.display_name.clone(),
            site_permissions: role.site_permissions.clone(),
            user_permissions: role.user_permissions.clone(),
            organization_permissions: role.organization_permissions.clone(),
            organization_member_permissions: role.organization_member_permissions.clone(),
            ..Role::default()
        });
    }
    let client = session.client()?;
    let what = if new { "Create" } else { "Replace" };
    // Standard input has held the role: nobody is there to be asked.
    confirm_default_yes(
        &format!("{what} role {:?}?", role.name),
        given.yes || given.stdin,
    )?;
    Ok(if new {
        client.organization_role_create(organization, role).await?
    } else {
        client.organization_role_update(organization, role).await?
    })
}

fn as_row(role: &Role) -> AssignableRoles {
    AssignableRoles {
        name: role.name.clone(),
        display_name: role.display_name.clone(),
        organization_id: role.organization_id.clone(),
        site_permissions: role.site_permissions.clone(),
        user_permissions: role.user_permissions.clone(),
        organization_permissions: role.organization_permissions.clone(),
        ..AssignableRoles::default()
    }
}

/// The role that was given as JSON, or put together by questions.
fn role(
    given: &Given,
    old: Option<&AssignableRoles>,
    known: &[AssignableRoles],
) -> Result<CustomRoleRequest> {
    if given.stdin {
        return parse(std::io::stdin());
    }
    let Some(name) = given.name.clone() else {
        return Err(Advice::error(
            "no role was named",
            "Give its name, or the whole role as JSON by --stdin.",
        ));
    };
    if old.is_some_and(|r| r.built_in) {
        bail!("role {name:?} is built in and cannot be changed");
    }
    let display_name = Question {
        text: "Name for people:",
        default: Some(old.map_or("", |r| &r.display_name)),
        secret: false,
    }
    .ask(|_| Ok(()))?;
    let before = old.map_or(&[][..], |r| &r.organization_permissions);
    let before: Vec<String> = before
        .iter()
        .map(|p| format!("{}:{}", p.resource_type, p.action))
        .collect();
    let default = before.join(",");
    let kinds = kinds(known);
    let answer = Question {
        text: "Permissions, as resource:action separated by commas, such as template:read:",
        default: Some(&default),
        secret: false,
    }
    .ask(|answer| permissions(answer, &kinds).map(drop))?;
    Ok(CustomRoleRequest {
        name,
        display_name,
        organization_permissions: permissions(&answer, &kinds)?,
        ..CustomRoleRequest::default()
    })
}

/// Kinds of resources that roles of this server speak of; empty where none can
/// be told.
fn kinds(known: &[AssignableRoles]) -> Vec<String> {
    let mut kinds: Vec<String> = known
        .iter()
        .flat_map(|r| &r.organization_permissions)
        .map(|p| p.resource_type.clone())
        .filter(|kind| kind != "*")
        .collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

fn permissions(text: &str, kinds: &[String]) -> Result<Vec<Permission>> {
    let parts = text.split(',').map(str::trim).filter(|p| !p.is_empty());
    parts
        .map(|part| match part.split_once(':') {
            Some((kind, action)) if !kind.is_empty() && !action.is_empty() => Ok(Permission {
                negate: false,
                resource_type: kind.to_owned(),
                action: action.to_owned(),
            }),
            _ if kinds.is_empty() => bail!("{part:?} is not of the form resource:action"),
            _ => bail!(
                "{part:?} is not of the form resource:action; resources are {}",
                kinds.join(", ")
            ),
        })
        .collect()
}

fn parse(input: impl Read) -> Result<CustomRoleRequest> {
    let mut text = String::new();
    let read = input
        .take(MAX_ROLE)
        .read_to_string(&mut text)
        .context("read standard input")?;
    ensure!((read as u64) < MAX_ROLE, "standard input is too large");
    if text.trim_start().starts_with('[') {
        bail!("standard input is a list: give one role at a time");
    }
    let role: CustomRoleRequest =
        serde_json::from_str(&text).context("standard input is no role in JSON")?;
    ensure!(!role.name.is_empty(), "the role has no name");
    Ok(role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_one_at_a_time() {
        let role = parse(
            &br#"{"name":"r","organization_permissions":[{"resource_type":"template","action":"read"}]}"#[..],
        )
        .unwrap();
        assert_eq!(
            (role.name.as_str(), role.organization_permissions.len()),
            ("r", 1)
        );
        for bad in ["", "[]", "{}", "{\"name\":\"\"}", "nonsense"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn permissions_are_pairs() {
        assert_eq!(
            permissions("template:read, workspace:*", &[])
                .unwrap()
                .len(),
            2
        );
        assert!(permissions("template", &[]).is_err());
        assert!(permissions("", &[]).unwrap().is_empty());
    }
}
