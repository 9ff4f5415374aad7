//! `coder exp chat context`: the places in which a workspace's agent looks for instructions, skills
//! and tools, and having chats told of them anew.

use anyhow::{Context as _, Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use http::{HeaderMap, Method};
use rpc::AgentSocketClient;
use rpc::proto::agentsocket as wire;
use serde::{Deserialize, Serialize};

use super::super::agent_socket::AgentSocket;
use crate::commands::agent::AgentAuth;
use crate::commands::chat::find;
use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};

/// See and change what a workspace tells AI agents: files with instructions, skills, and tools.
#[derive(ClapArgs)]
#[command(
    after_help = "The working directory, ~/.coder and ~/.claude/plugins/cache are always searched. list, show, add and remove, and refresh without a chat, run in the workspace; 'coder chat show' says what a chat was told."
)]
pub struct Args {
    #[command(flatten)]
    socket: AgentSocket,

    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// List the places that were added.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Show what is found in a place that was added.
    Show(ShowArgs),
    /// Have the agent search another directory or file.
    Add(PathArgs),
    /// Take a place away that was added.
    #[command(visible_alias = "rm")]
    Remove(PathArgs),
    /// Tell a chat, or all of this workspace that know something older, what the agent says now.
    Refresh(RefreshArgs),
}

#[derive(ClapArgs)]
struct ListArgs {
    #[command(flatten)]
    listing: Listing<Sources>,
}

#[derive(ClapArgs)]
struct ShowArgs {
    /// A directory or file.
    path: String,

    #[command(flatten)]
    listing: Listing<Resources>,
}

#[derive(ClapArgs)]
struct PathArgs {
    /// A directory or file, below the home or the working directory.
    path: String,
}

#[derive(ClapArgs)]
struct RefreshArgs {
    /// Id of a chat, the beginning of it, its title, or 'last'; from anywhere. Without it, the agent looks around again, and all chats of this
    /// workspace that know something older are told.
    #[arg(value_name = "chat")]
    chat: Option<String>,

    #[command(flatten)]
    auth: AgentAuth,
}

#[derive(Debug, Serialize)]
struct Source {
    path: String,
}

struct Sources;
impl Table for Sources {
    type Row = Source;
    const COLUMNS: &'static [Column<Source>] = &[Column::new("path", |s| s.path.clone())];
    const DEFAULT: &'static [&'static str] = &["path"];
}

#[derive(Debug, Serialize)]
struct Resource {
    id: String,
    kind: String,
    source: String,
    source_path: String,
    content_hash: String,
    size_bytes: u64,
    status: String,
    error: String,
    name: String,
    description: String,
}

impl From<wire::ContextResource> for Resource {
    fn from(found: wire::ContextResource) -> Self {
        Resource {
            id: found.id,
            kind: found.kind,
            source: found.source,
            source_path: found.source_path,
            content_hash: found.content_hash,
            size_bytes: found.size_bytes,
            status: found.status,
            error: found.error,
            name: found.name,
            description: found.description,
        }
    }
}

struct Resources;
impl Table for Resources {
    type Row = Resource;
    const COLUMNS: &'static [Column<Resource>] = &[
        Column::new("kind", |r| r.kind.clone()),
        Column::new("name", |r| r.name.clone()),
        Column::new("source", |r| r.source.clone()),
        Column::new("source path", |r| r.source_path.clone()),
        Column::new("status", |r| r.status.clone()),
        Column::new("size bytes", |r| r.size_bytes.to_string()),
        Column::new("error", |r| r.error.clone()),
    ];
    const DEFAULT: &'static [&'static str] =
        &["kind", "name", "source", "status", "size bytes", "error"];
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::Refresh(RefreshArgs {
            chat: Some(chat), ..
        }) => refresh_one(&chat, session).await,
        Sub::Refresh(refresh) => {
            let way_out = " Or name a chat: that works from anywhere.";
            let agent = args.socket.connect(way_out).await?;
            refresh_all(&agent, &refresh.auth, session).await
        }
        Sub::List(list) => {
            let agent = args.socket.connect("").await?;
            self::list(&list, &agent, session).await
        }
        Sub::Show(show) => {
            let agent = args.socket.connect("").await?;
            self::show(&show, &agent).await
        }
        Sub::Add(add) => {
            let path = absolute(&add.path)?;
            let agent = args.socket.connect("").await?;
            let request = wire::AddContextSourceRequest { path };
            let added = agent.add_context_source(&request).await;
            let added = added.context("add a place to search")?;
            say!(
                "Registered context source {}",
                added.source.unwrap_or_default().path
            )
        }
        Sub::Remove(remove) => {
            let path = absolute(&remove.path)?;
            let agent = args.socket.connect("").await?;
            let request = wire::RemoveContextSourceRequest { path: path.clone() };
            let removed = agent.remove_context_source(&request).await;
            removed.context("take a place away")?;
            say!("Removed context source {path}")
        }
    }
}

/// A path as the agent, which runs elsewhere, understands it; `~` is its own.
fn absolute(path: &str) -> Result<String> {
    let path = path.trim();
    if path.is_empty() {
        bail!("the path is empty");
    }
    if path == "~" || path.starts_with("~/") {
        return Ok(path.to_owned());
    }
    let absolute = std::path::absolute(path).with_context(|| format!("resolve {path:?}"))?;
    // Not by looking at the files: the path may come to be later.
    let mut clean = std::path::PathBuf::new();
    for part in absolute.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    Ok(clean.to_string_lossy().into_owned())
}

async fn list(args: &ListArgs, agent: &AgentSocketClient, session: &Session) -> Result<()> {
    let found = agent.context_sources(&wire::ContextSourcesRequest {}).await;
    let found = found.context("list the places that are searched")?;
    let rows: Vec<Source> = found
        .sources
        .into_iter()
        .map(|source| Source { path: source.path })
        .collect();
    if rows.is_empty() && args.listing.format() != Format::Json {
        session.note("No context sources registered.");
        return Ok(());
    }
    args.listing.print(&rows, &rows)
}

async fn show(args: &ShowArgs, agent: &AgentSocketClient) -> Result<()> {
    let path = absolute(&args.path)?;
    let request = wire::GetContextSourceRequest { path };
    let source = agent.get_context_source(&request).await;
    let source = source.context("find the place")?.source.unwrap_or_default();
    let found = agent
        .get_context_snapshot(&wire::ContextSnapshotRequest {})
        .await
        .context("ask what was found")?;
    let rows: Vec<Resource> = found
        .snapshot
        .unwrap_or_default()
        .resources
        .into_iter()
        .filter(|resource| resource.source_path == source.path)
        .map(Resource::from)
        .collect();
    if args.listing.format() != Format::Json {
        say!("Source: {} ({} resources)", source.path, rows.len())?;
    }
    args.listing.print(&rows, &rows)
}

async fn refresh_one(chat: &str, session: &Session) -> Result<()> {
    let client = session.client()?;
    let id = find::chat(client, chat).await?.id;
    let chat = client.chat_context_refresh(id).await;
    let chat = chat.context("tell the chat anew")?;
    say!("Refreshed context for chat {id}.")?;
    let error = chat.context.unwrap_or_default().error;
    if error.is_empty() {
        return Ok(());
    }
    say!("Snapshot reported an error: {error}")
}

/// How many chats were told.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refreshed {
    refreshed: i64,
}

async fn refresh_all(agent: &AgentSocketClient, auth: &AgentAuth, session: &Session) -> Result<()> {
    let found = agent.resync_context(&wire::ResyncContextRequest {}).await;
    let found = found.context("have the agent look around")?;
    let found = found.snapshot.unwrap_or_default();
    say!(
        "Re-resolved agent context (version {}, {} resources).",
        found.version,
        found.resources.len()
    )?;
    if !found.snapshot_error.is_empty() {
        say!("Snapshot reported an error: {}", found.snapshot_error)?;
    }
    let client = auth.client(session, &HeaderMap::new())?;
    let path = "/api/v2/workspaceagents/me/experimental/chat-context/refresh";
    let told: Refreshed = client
        .call(Method::POST, path)
        .decode()
        .await
        .context("tell the chats anew")?;
    say!("Refreshed {} drifted chat(s).", told.refreshed)
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn paths_are_absolute_or_the_homes() {
        for (given, path) in [
            ("~", "~"),
            (" ~/x ", "~/x"),
            ("/a/../b/./c", "/b/c"),
            ("/../a", "/a"),
        ] {
            assert_eq!(absolute(given).unwrap(), path);
        }
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            absolute("x/../y").unwrap(),
            here.join("y").to_str().unwrap()
        );
        assert!(absolute("  ").is_err());
    }
}
