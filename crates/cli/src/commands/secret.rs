//! `coder secret`: values that a person's workspaces get, and nobody reads
//! back.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use api_types::{
    CreateUserSecretRequest, ImportUserSecretsRequest, Secret, SecretsFileFormat,
    UpdateUserSecretRequest, UserSecret,
};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use crate::failure::Advice;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::prompt::confirm;
use crate::ui::time;

/// The largest file or value that is read; the server's own limits are lower.
const MAX_INPUT: u64 = 8 << 20;

/// Manage secrets that your workspaces get as variables or files.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Create a secret. Its value comes from --value, or better from standard input.
    Create(CreateArgs),
    /// Create a secret for each entry of a file; all of them or none.
    Import(ImportArgs),
    /// List secrets, or show one; never their values.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Change a secret.
    Update(UpdateArgs),
    /// Delete a secret.
    #[command(visible_aliases = ["remove", "rm"])]
    Delete(DeleteArgs),
    /// Give a secret to workspaces.
    Enable(NameArgs),
    /// Keep a secret, but give it to no workspace.
    Disable(NameArgs),
}

#[derive(ClapArgs)]
struct CreateArgs {
    /// Name of the secret.
    name: String,

    /// The value. Others may see it in the list of processes: standard input is safer.
    #[arg(long, value_name = "value")]
    value: Option<String>,

    /// What it is for.
    #[arg(long, value_name = "text")]
    description: Option<String>,

    /// Environment variable that holds it in workspaces.
    #[arg(long, value_name = "name")]
    env: Option<String>,

    /// File that holds it in workspaces; begins with ~/ or /.
    #[arg(long, value_name = "path")]
    file: Option<String>,

    /// Give it to workspaces; needs --env or --file.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    enabled: bool,
}

#[derive(ClapArgs)]
struct ImportArgs {
    /// The file; - is standard input.
    file: PathBuf,

    /// Format of the file; told by its name when left out.
    #[arg(long, value_name = "format")]
    input_format: Option<FileFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FileFormat {
    Env,
    Json,
    Yaml,
}

#[derive(ClapArgs)]
struct ListArgs {
    /// Name of a secret.
    name: Option<String>,

    #[command(flatten)]
    listing: Listing<Secrets>,
}

#[derive(ClapArgs)]
struct UpdateArgs {
    /// Name of the secret.
    name: String,

    /// A new value. Others may see it in the list of processes: standard input is safer.
    #[arg(long, value_name = "value")]
    value: Option<String>,

    /// What it is for; empty clears it.
    #[arg(long, value_name = "text")]
    description: Option<String>,

    /// Environment variable that holds it in workspaces; empty clears it.
    #[arg(long, value_name = "name")]
    env: Option<String>,

    /// File that holds it in workspaces; empty clears it.
    #[arg(long, value_name = "path")]
    file: Option<String>,

    /// Whether workspaces get it.
    #[arg(long, value_name = "bool")]
    enabled: Option<bool>,
}

#[derive(ClapArgs)]
struct DeleteArgs {
    /// Name of the secret.
    name: String,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

#[derive(ClapArgs)]
struct NameArgs {
    /// Name of the secret.
    name: String,
}

struct Secrets;
impl Table for Secrets {
    type Row = UserSecret;
    const COLUMNS: &'static [Column<UserSecret>] = &[
        Column::new("name", |s| s.name.clone()),
        Column::new("created", |s| ago(s.created_at)),
        Column::new("updated", |s| ago(s.updated_at)),
        Column::new("env", |s| s.env_name.clone()),
        Column::new("file", |s| s.file_path.clone()),
        Column::new("enabled", |s| s.enabled.to_string()),
        Column::new("description", |s| s.description.clone()),
    ];
    const DEFAULT: &'static [&'static str] = &[
        "name",
        "created",
        "updated",
        "env",
        "file",
        "enabled",
        "description",
    ];
}

fn ago(at: chrono::DateTime<chrono::Utc>) -> String {
    time::relative(at, chrono::Utc::now())
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Create(args) => create(args, session).await,
        Sub::Import(args) => import(args, session).await,
        Sub::List(args) => list(args, session).await,
        Sub::Update(args) => update(args, session).await,
        Sub::Delete(args) => {
            confirm(&format!("Delete secret {:?}?", args.name), args.yes)?;
            session
                .client()?
                .user_secret_delete("me", &args.name)
                .await?;
            say!("Deleted secret {}.", session.style.keyword(&args.name))
        }
        Sub::Enable(args) => switch(args, session, true).await,
        Sub::Disable(args) => switch(args, session, false).await,
    }
}

async fn create(args: CreateArgs, session: &Session) -> Result<()> {
    let Some(value) = value(args.value)? else {
        return Err(Advice::error(
            "a secret needs a value",
            format!("Pipe it in: coder secret create {} < file", args.name),
        ));
    };
    let request = CreateUserSecretRequest {
        name: args.name,
        value,
        description: args.description.unwrap_or_default(),
        env_name: args.env.unwrap_or_default(),
        file_path: args.file.unwrap_or_default(),
        enabled: Some(args.enabled),
    };
    let made = session.client()?.user_secret_create("me", &request).await?;
    say!("Created secret {}.", session.style.keyword(&made.name))
}

/// The value: from the flag, or from standard input unless that is a terminal.
fn value(given: Option<String>) -> Result<Option<Secret<String>>> {
    let input = std::io::stdin();
    if let Some(given) = given {
        return Ok(Some(given.into()));
    }
    if input.is_terminal() {
        return Ok(None);
    }
    let text = read(input).context("read the value from standard input")?;
    Ok((!text.is_empty()).then(|| text.into()))
}

fn read(from: impl Read) -> Result<String> {
    let mut text = String::new();
    let read = from.take(MAX_INPUT).read_to_string(&mut text)?;
    ensure!(
        (read as u64) < MAX_INPUT,
        "it is larger than {} MiB",
        MAX_INPUT >> 20
    );
    Ok(text)
}

async fn import(args: ImportArgs, session: &Session) -> Result<()> {
    let name = args.file.extension().and_then(|e| e.to_str());
    let format = match (args.input_format, name) {
        (Some(format), _) => format,
        (None, Some("json")) => FileFormat::Json,
        (None, Some("yaml" | "yml")) => FileFormat::Yaml,
        (None, Some("env")) => FileFormat::Env,
        _ if args.file.file_name().is_some_and(|n| n == ".env") => FileFormat::Env,
        _ => {
            return Err(Advice::error(
                format!("cannot tell the format of {}", args.file.display()),
                "Name it with --input-format: env, json or yaml.",
            ));
        }
    };
    let content = if args.file.as_os_str() == "-" {
        read(std::io::stdin())
    } else {
        std::fs::File::open(&args.file)
            .map_err(Into::into)
            .and_then(read)
    };
    let request = ImportUserSecretsRequest {
        format: match format {
            FileFormat::Env => SecretsFileFormat::Env,
            FileFormat::Json => SecretsFileFormat::Json,
            FileFormat::Yaml => SecretsFileFormat::Yaml,
        },
        content: content
            .with_context(|| format!("cannot read {}", args.file.display()))?
            .into(),
    };
    let made = session
        .client()?
        .user_secrets_import("me", &request)
        .await?;
    for secret in &made {
        say!("Created secret {}.", session.style.keyword(&secret.name))?;
    }
    say!("Imported {} of them.", made.len())
}

async fn list(args: ListArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    if let Some(name) = args.name {
        let found = client
            .user_secret("me", &name)
            .await
            .with_context(|| format!("find secret {name:?}"))?;
        return args.listing.print(std::slice::from_ref(&found), &found);
    }
    let found = client.user_secrets("me").await?;
    if found.is_empty() && args.listing.format() != Format::Json {
        session.note("No secrets found. Create one with 'coder secret create <name>'.");
        return Ok(());
    }
    args.listing.print(&found, &found)
}

async fn update(args: UpdateArgs, session: &Session) -> Result<()> {
    let others = [&args.description, &args.env, &args.file];
    let alone = others.iter().all(|o| o.is_none()) && args.enabled.is_none();
    // Other changes do not wait for an input that may never end.
    let value = if alone || args.value.is_some() {
        value(args.value)?
    } else {
        None
    };
    if alone && value.is_none() {
        return Err(Advice::error(
            "there is nothing to change",
            "Give --value, --description, --env, --file or --enabled, or pipe in a new value.",
        ));
    }
    let request = UpdateUserSecretRequest {
        value,
        description: args.description,
        env_name: args.env,
        file_path: args.file,
        enabled: args.enabled,
    };
    let changed = session
        .client()?
        .user_secret_update("me", &args.name, &request)
        .await?;
    say!("Updated secret {}.", session.style.keyword(&changed.name))
}

async fn switch(args: NameArgs, session: &Session, enabled: bool) -> Result<()> {
    let request = UpdateUserSecretRequest {
        enabled: Some(enabled),
        ..UpdateUserSecretRequest::default()
    };
    let changed = session
        .client()?
        .user_secret_update("me", &args.name, &request)
        .await?;
    let did = if enabled { "Enabled" } else { "Disabled" };
    say!("{did} secret {}.", session.style.keyword(&changed.name))
}
