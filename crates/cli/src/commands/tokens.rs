//! `coder tokens`: keys for programs.

use anyhow::{Context, Result, bail};
use api_types::{ApiAllowListTarget, ApiKeyWithOwner, CreateTokenRequest};
use clap::{Args as ClapArgs, Subcommand};

use crate::csv;
use crate::failure::Advice;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::time;

/// Manage tokens, with which programs sign in.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Create a token and print it.
    Create(CreateArgs),
    /// List tokens.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Show a token.
    View(ViewArgs),
    /// End the life of a token.
    #[command(visible_aliases = ["delete", "rm"])]
    Remove(RemoveArgs),
}

#[derive(ClapArgs)]
struct CreateArgs {
    /// How long the token is good for, such as 8h, 30d, 1y; the longest that is allowed when left out.
    #[arg(long, env = "CODER_TOKEN_LIFETIME", value_name = "duration", value_parser = time::duration_flag)]
    lifetime: Option<std::time::Duration>,

    /// Name of the token.
    #[arg(short, long, env = "CODER_TOKEN_NAME", value_name = "name")]
    name: Option<String>,

    /// Whose token; needs administrator's rights for others.
    #[arg(short, long, env = "CODER_TOKEN_USER", value_name = "user")]
    user: Option<String>,

    /// What the token may do, such as workspace:read; may be repeated. All that the user may when left out.
    #[arg(long, value_name = "scope")]
    scope: Vec<String>,

    /// What the token may touch, as type:id; may be repeated. Everything when left out.
    #[arg(long, value_name = "type:id")]
    allow: Vec<String>,
}

#[derive(ClapArgs)]
struct ListArgs {
    /// Tokens of everybody.
    #[arg(short, long)]
    all: bool,

    /// Tokens whose life has ended too.
    #[arg(long)]
    include_expired: bool,

    #[command(flatten)]
    listing: Listing<Tokens>,
}

#[derive(ClapArgs)]
struct ViewArgs {
    /// Name or id of the token.
    #[arg(value_name = "token")]
    which: String,

    #[command(flatten)]
    listing: Listing<OneToken>,
}

#[derive(ClapArgs)]
struct RemoveArgs {
    /// Name, id, or the token itself.
    #[arg(value_name = "token")]
    which: String,

    /// Delete its record too, instead of keeping it as expired.
    #[arg(long)]
    delete: bool,
}

type Cells = &'static [Column<ApiKeyWithOwner>];
const CELLS: Cells = &[
    Column {
        name: "id",
        cell: |t| t.id.clone(),
    },
    Column {
        name: "name",
        cell: |t| t.token_name.clone(),
    },
    Column {
        name: "scopes",
        cell: |t| {
            if t.scopes.is_empty() {
                t.scope.clone()
            } else {
                t.scopes.join(", ")
            }
        },
    },
    Column {
        name: "allow list",
        cell: |t| {
            t.allow_list
                .iter()
                .map(|a| format!("{}:{}", a.r#type, a.id))
                .collect::<Vec<_>>()
                .join(", ")
        },
    },
    Column {
        name: "last used",
        cell: |t| {
            if time::is_zero(t.last_used) {
                "never".to_owned()
            } else {
                time::rfc3339(t.last_used)
            }
        },
    },
    Column {
        name: "expires at",
        cell: |t| time::rfc3339(t.expires_at),
    },
    Column {
        name: "created at",
        cell: |t| time::rfc3339(t.created_at),
    },
    Column {
        name: "owner",
        cell: |t| t.username.clone(),
    },
];

/// The table of tokens.
struct Tokens;
impl Table for Tokens {
    type Row = ApiKeyWithOwner;
    const COLUMNS: Cells = CELLS;
    const DEFAULT: &'static [&'static str] = &[
        "id",
        "name",
        "scopes",
        "allow list",
        "last used",
        "expires at",
        "created at",
    ];
}

/// The table of one token, which shows its owner too.
struct OneToken;
impl Table for OneToken {
    type Row = ApiKeyWithOwner;
    const COLUMNS: Cells = CELLS;
    const DEFAULT: &'static [&'static str] = &[
        "id",
        "name",
        "scopes",
        "allow list",
        "last used",
        "expires at",
        "created at",
        "owner",
    ];
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Create(args) => create(args, session).await,
        Sub::List(args) => list(args, session).await,
        Sub::View(args) => view(args, session).await,
        Sub::Remove(args) => remove(args, session).await,
    }
}

async fn create(args: CreateArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let user = args
        .user
        .as_deref()
        .filter(|u| !u.is_empty())
        .unwrap_or("me");
    let lifetime = match args.lifetime {
        Some(lifetime) => i64::try_from(lifetime.as_nanos()).context("the lifetime is too long")?,
        None => {
            client
                .token_config(user)
                .await
                .context("ask for the longest lifetime")?
                .max_token_lifetime
        }
    };
    let request = CreateTokenRequest {
        lifetime,
        token_name: args.name.unwrap_or_default(),
        scopes: csv::split_all(&args.scope),
        allow_list: csv::split_all(&args.allow)
            .iter()
            .map(|a| allowed(a))
            .collect::<Result<_>>()?,
        ..CreateTokenRequest::default()
    };
    say!("{}", client.token_create(user, &request).await?.key)
}

fn allowed(text: &str) -> Result<ApiAllowListTarget> {
    match text.split_once(':') {
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() => Ok(ApiAllowListTarget {
            r#type: kind.to_owned(),
            id: id.to_owned(),
        }),
        _ => bail!("{text:?} is not of the form type:id, such as workspace:1234… or template:*"),
    }
}

async fn list(args: ListArgs, session: &Session) -> Result<()> {
    let tokens = session
        .client()?
        .tokens("me", args.all, args.include_expired)
        .await?;
    if tokens.is_empty() && args.listing.format() != Format::Json {
        session.note("No tokens found.");
        return Ok(());
    }
    args.listing.print(&tokens, &tokens)
}

/// The token that `text` names: by name, by id, or by its own text.
async fn find(session: &Session, text: &str) -> Result<ApiKeyWithOwner> {
    let client = session.client()?;
    let found = match client.token_by_name("me", text).await {
        Err(e) if e.is_not_found() => {
            let id = text.split_once('-').map_or(text, |(id, _)| id);
            match client.api_key("me", id).await {
                Err(e) if e.is_not_found() => {
                    return Err(Advice::error(
                        format!("there is no token {text:?}"),
                        "'coder tokens list' shows yours.",
                    ));
                }
                found => found?,
            }
        }
        found => found?,
    };
    Ok(ApiKeyWithOwner {
        id: found.id,
        user_id: found.user_id,
        last_used: found.last_used,
        expires_at: found.expires_at,
        created_at: found.created_at,
        updated_at: found.updated_at,
        login_type: found.login_type,
        scope: found.scope,
        scopes: found.scopes,
        token_name: found.token_name,
        lifetime_seconds: found.lifetime_seconds,
        allow_list: found.allow_list,
        username: String::new(),
    })
}

async fn view(args: ViewArgs, session: &Session) -> Result<()> {
    let mut token = find(session, &args.which).await?;
    if let Ok(owner) = session.client()?.user(&token.user_id.to_string()).await {
        token.username = owner.username;
    }
    args.listing.print(std::slice::from_ref(&token), &[&token])
}

async fn remove(args: RemoveArgs, session: &Session) -> Result<()> {
    let token = find(session, &args.which).await?;
    let client = session.client()?;
    let owner = token.user_id.to_string();
    if args.delete {
        client.api_key_delete(&owner, &token.id).await?;
        return say!("Token has been deleted.");
    }
    client.api_key_expire(&owner, &token.id).await?;
    say!("Token has been expired.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allow_list_entries_have_type_and_id() {
        assert_eq!(allowed("template:*").unwrap().id, "*");
        assert!(allowed("workspace").is_err() && allowed(":x").is_err() && allowed("x:").is_err());
    }
}
