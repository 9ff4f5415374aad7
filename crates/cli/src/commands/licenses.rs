//! `coder licenses`: of deployments that need them. This product does not: all
//! of it is free, and its server keeps none.

use std::path::PathBuf;

use anyhow::{Context, Result};
use api_types::Secret;
use clap::{Args as ClapArgs, Subcommand};
use serde_json::Value;

use crate::failure::Advice;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::prompt::Question;

/// A license is a signed text of a few kilobytes.
const MAX_LICENSE: u64 = 1 << 20;

/// Manage the licenses of a deployment that needs them.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Add a license.
    Add(AddArgs),
    /// List licenses.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Delete a license.
    #[command(visible_aliases = ["del", "rm"])]
    Delete(DeleteArgs),
}

#[derive(ClapArgs)]
struct AddArgs {
    /// File with the license; - is standard input.
    #[arg(short, long, value_name = "file", conflicts_with = "license")]
    file: Option<PathBuf>,

    /// The license itself.
    #[arg(short, long, value_name = "license")]
    license: Option<String>,

    /// Print what the server has read in it.
    #[arg(long)]
    debug: bool,
}

#[derive(ClapArgs)]
struct ListArgs {
    #[command(flatten)]
    listing: Listing<Licenses>,
}

#[derive(ClapArgs)]
struct DeleteArgs {
    /// Number of the license.
    id: i64,
}

struct Licenses;
impl Table for Licenses {
    type Row = Value;
    const COLUMNS: &'static [Column<Value>] = &[
        Column::new("id", |l| text(&l["id"])),
        Column::new("uuid", |l| text(&l["uuid"])),
        Column::new("uploaded at", |l| text(&l["uploaded_at"])),
        Column::new("features", |l| text(&l["claims"]["features"])),
        Column::new("expires at", |l| text(&l["claims"]["license_expires"])),
        Column::new("trial", |l| text(&l["claims"]["trial"])),
    ];
    const DEFAULT: &'static [&'static str] =
        &["id", "uuid", "expires at", "uploaded at", "features"];
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Add(args) => add(args, session).await,
        Sub::List(args) => list(args, session).await,
        Sub::Delete(args) => {
            let deleted = session.client()?.license_delete(args.id).await;
            known(deleted)?;
            say!("License with ID {} deleted", args.id)
        }
    }
}

/// A server without licenses answers that there is no such route.
fn known<T>(answer: Result<T, client::Error>) -> Result<T> {
    answer.map_err(|e| {
        if e.is_not_found() {
            Advice::error(
                "this deployment has no such license",
                "Deployments of this product need none: every feature is on ('coder features list').",
            )
        } else {
            e.into()
        }
    })
}

async fn add(args: AddArgs, session: &Session) -> Result<()> {
    let license = match (&args.file, args.license) {
        (_, Some(license)) => license,
        (Some(path), None) => read(path)?,
        (None, None) => {
            let question = Question {
                text: "The license:",
                default: None,
                secret: true,
            };
            question.ask(|answer| {
                anyhow::ensure!(!answer.is_empty(), "A license is needed.");
                Ok(())
            })?
        }
    };
    let license = Secret::new(license.trim().to_owned());
    let added = known(session.client()?.license_add(&license).await)?;
    say!("License with ID {} added", text(&added["id"]))?;
    if args.debug {
        return crate::ui::output::print_json(&added["claims"]);
    }
    Ok(())
}

fn read(path: &std::path::Path) -> Result<String> {
    use std::io::Read;
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().take(MAX_LICENSE).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|f| f.take(MAX_LICENSE).read_to_string(&mut text))
    }
    .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text)
}

async fn list(args: ListArgs, session: &Session) -> Result<()> {
    let (licenses, hint) = match session.client()?.licenses().await {
        Err(e) if e.is_not_found() => (Vec::new(), "No licenses: this deployment needs none."),
        other => (
            other?,
            "No licenses found. Add one with 'coder licenses add'.",
        ),
    };
    if licenses.is_empty() && args.listing.format() != Format::Json {
        session.note(hint);
        return Ok(());
    }
    args.listing.print(&licenses, &licenses)
}
