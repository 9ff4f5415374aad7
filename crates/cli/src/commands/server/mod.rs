//! `coder server`: the control plane.

mod bundles;
mod create_admin_user;
mod flags;
mod heap;
pub mod local;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args as ClapArgs, Subcommand};
use server::options::{Options, Sources};
use server::{Places, Stop};

use crate::say;
use crate::session::Session;
use crate::ui::output::emit;

/// Options as YAML are one screen of text.
const MAX_CONFIG: u64 = 4 << 20;

/// Run the control plane. Starts with nothing configured; every option also
/// has an environment variable and a place in the file of --config.
#[derive(ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Sub>,

    #[command(flatten)]
    flags: flags::Flags,
}

#[derive(Subcommand)]
enum Sub {
    /// Make another owner, by the database: for when nobody can sign in.
    CreateAdminUser(create_admin_user::Args),
    /// Print how to reach the PostgreSQL of a server that runs with its own.
    PostgresBuiltinUrl(BuiltinUrlArgs),
    /// Run the PostgreSQL that travels in this program alone.
    PostgresBuiltinServe(BuiltinUrlArgs),
}

#[derive(ClapArgs)]
struct BuiltinUrlArgs {
    /// Print the URL alone, not the command that uses it.
    #[arg(long)]
    raw_url: bool,
}

/// Runs until told to stop.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Some(Sub::CreateAdminUser(args)) => return create_admin_user::run(args, session).await,
        Some(Sub::PostgresBuiltinUrl(args)) => return builtin_url(&args, session),
        Some(Sub::PostgresBuiltinServe(args)) => return builtin_serve(&args, session).await,
        None => {}
    }
    let options = resolve(&args.flags)?;
    if options.on("write-config") {
        return emit(&options.to_yaml());
    }
    server::logging(&options, session.globals.verbose, crate::stackdriver::layer)
        .context("set up logging")?;
    let stop = Stop::on_signals().context("listen to signals")?;
    let places = places(session)?;
    let style = session.style;
    heap::give_back();
    server::run(options, bundles::all()?, places, stop, |url| {
        // A closed standard output is no reason to stop serving.
        let _ = say!("\nView the Web UI: {}", style.code(url));
        let _ = say!(
            "Sign in by:      {}\n",
            style.code(&format!("coder login {}", url.trim_end_matches('/')))
        );
    })
    .await?;
    Ok(())
}

fn builtin_url(args: &BuiltinUrlArgs, session: &Session) -> Result<()> {
    let url = store::embedded::url_of(&absolute(session.config.path())?.join("postgres"))
        .context("this server has not been run with its own PostgreSQL")?;
    connect_line(args, &url)
}

fn connect_line(args: &BuiltinUrlArgs, url: &str) -> Result<()> {
    if args.raw_url {
        say!("{url}")
    } else {
        say!("psql {url:?}")
    }
}

async fn builtin_serve(args: &BuiltinUrlArgs, session: &Session) -> Result<()> {
    let stop = Stop::on_signals().context("listen to signals")?;
    let bundles = bundles::all()?;
    server::serve_database(&bundles, &places(session)?, stop, |url| {
        // A closed standard output is no reason to stop.
        let _ = connect_line(args, url);
    })
    .await?;
    Ok(())
}

fn places(session: &Session) -> Result<Places> {
    Ok(Places {
        config: absolute(session.config.path())?,
        cache: absolute(&cache()?)?,
    })
}

/// Reads flags, environment and file.
fn resolve(flags: &flags::Flags) -> Result<Options> {
    let flag = |name: &str| flags.get(name);
    let env = |name: &str| std::env::var(name).ok();
    let path = flag("config")
        .and_then(|mut v| v.pop())
        .or_else(|| env("CODER_CONFIG_PATH"))
        .filter(|p| !p.is_empty());
    let text = path.as_deref().map(read).transpose()?;
    let file = path.as_deref().zip(text.as_deref());
    Ok(Options::resolve(&Sources {
        flag: &flag,
        env: &env,
        file,
    })?)
}

fn read(path: &str) -> Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(MAX_CONFIG).read_to_string(&mut text))
        .with_context(|| format!("cannot read the options in {path}"))?;
    Ok(text)
}

/// Where unpacked programs go when nothing else is said.
fn cache() -> Result<PathBuf> {
    let var = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    if let Some(dir) = var("XDG_CACHE_HOME") {
        return Ok(dir.join("coder"));
    }
    let home = crate::home::home_dir().filter(|h| !h.as_os_str().is_empty());
    Ok(home
        .context("cannot tell where unpacked programs belong: set HOME, or give --cache-dir")?
        .join(".cache/coder"))
}

/// Other processes, with other working directories, get these paths too.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot use {}", path.display()))
}
