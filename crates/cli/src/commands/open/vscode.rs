//! `coder open vscode`.

use std::path::{Component, Path, PathBuf};

use anyhow::{Result, bail};
use api_types::{Workspace, WorkspaceAgent};
use clap::Args as ClapArgs;
use url::Url;

use crate::commands::lookup;
use crate::connect::ready::{Patience, make_ready};
use crate::follow::agent::Wait;
use crate::say;
use crate::session::Session;
use crate::ui::browser;
use client::Target;

/// Open a workspace in VS Code Desktop.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The workspace.
    workspace: String,

    /// Directory in the workspace; the agent's own when left out.
    directory: Option<String>,

    /// Put a session token into an address that is printed, so that VS Code needs no sign-in. Whoever sees it can act as you.
    #[arg(long, env = "CODER_OPEN_VSCODE_GENERATE_TOKEN")]
    generate_token: bool,

    /// Print the address instead of opening it.
    #[arg(long = "test.open-error", hide = true)]
    no_editor: bool,
}

/// Opens the workspace, or prints the address to open elsewhere.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    // Programs read the address there.
    session.keep_stdout_clean();
    let client = session.client()?;
    let target = Target::agent(&args.workspace)?;
    let workspace = lookup::of_target(client, &target).await?;
    let inside = super::inside_a_workspace();
    let (workspace, agent) = if inside && is_this(&workspace, target.agent.as_deref()) {
        let agent = lookup::agent(&workspace, target.agent.as_deref())?.clone();
        (workspace, agent)
    } else {
        let patience = Patience {
            autostart: true,
            wait: Wait::No,
        };
        make_ready(session, workspace, &target, patience).await?
    };
    let folder = folder(
        &agent,
        args.directory.as_deref().unwrap_or_default(),
        inside && is_this(&workspace, Some(&agent.name)),
    )?;
    let what = match folder.as_str() {
        "" => format!("{}.{}", workspace.name, agent.name),
        folder => format!("{}.{}:{folder}", workspace.name, agent.name),
    };
    let editor = !inside && !args.no_editor && !session.globals.no_open && browser::is_there();
    // A token is made for the editor's eyes, or when the person asks for it.
    let key = if editor || args.generate_token {
        Some(client.api_key_create("me").await?.key)
    } else {
        None
    };
    let place = |token: Option<&str>| address(client.url(), &workspace, &agent, &folder, token);
    if editor {
        session.note(&format!("Opening {what} in VS Code Desktop"));
        if browser::open_and_wait(&place(key.as_deref())?) {
            return Ok(());
        }
        session.note(&session.style_err.warn("VS Code Desktop did not open."));
        if let (Some(key), false) = (&key, args.generate_token) {
            let id = key.split('-').next().unwrap_or_default();
            // The key ends by itself later if this does not work.
            let _ = client.api_key_delete("me", id).await;
        }
    }
    session.note(&format!(
        "Open this address on {} to reach {what}:\n",
        if inside {
            "your own machine"
        } else {
            "a machine with VS Code Desktop"
        }
    ));
    say!("{}", place(key.as_deref().filter(|_| args.generate_token))?)
}

/// Whether the workspace (and agent) is the one that this program runs in.
fn is_this(workspace: &Workspace, agent: Option<&str>) -> bool {
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    var("CODER_WORKSPACE_NAME") == workspace.name
        && var("CODER_WORKSPACE_OWNER_NAME") == workspace.owner_name
        && agent.is_none_or(|agent| agent == var("CODER_WORKSPACE_AGENT_NAME"))
}

/// The address that the extension of VS Code answers to.
fn address(
    deployment: &Url,
    workspace: &Workspace,
    agent: &WorkspaceAgent,
    folder: &str,
    token: Option<&str>,
) -> Result<String> {
    let mut url = Url::parse("vscode://coder.coder-remote/open")?;
    let mut query = url.query_pairs_mut();
    query
        .append_pair("url", crate::session::stored_form(deployment).as_str())
        .append_pair("owner", &workspace.owner_name)
        .append_pair("workspace", &workspace.name)
        .append_pair("agent", &agent.name);
    if !folder.is_empty() {
        query.append_pair("folder", folder);
    }
    if let Some(token) = token {
        query.append_pair("token", token);
    }
    drop(query);
    Ok(url.into())
}

/// The directory to open: `asked`, seen from the agent's own; `here` where
/// paths of this machine are those of the workspace.
fn folder(agent: &WorkspaceAgent, asked: &str, here: bool) -> Result<String> {
    let own = agent.expanded_directory.as_str();
    if asked.is_empty() {
        return Ok(own.to_owned());
    }
    if asked == "~" || asked.starts_with("~/") {
        bail!(
            "{asked:?} depends on the workspace's home directory, which is not known here: give an absolute path"
        );
    }
    if here {
        return Ok(std::path::absolute(asked)?.display().to_string());
    }
    if agent.operating_system == "windows" {
        return on_windows(own, asked);
    }
    match (asked.starts_with('/'), own) {
        (true, _) => Ok(asked.to_owned()),
        (false, "") => {
            bail!("{asked:?} is relative, and the agent has no directory: give an absolute path")
        }
        (false, own) => Ok(tidy(&Path::new(own).join(asked))),
    }
}

/// Takes `.` and `..` out of a path without looking at files.
fn tidy(path: &Path) -> String {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out.display().to_string()
}

fn on_windows(own: &str, asked: &str) -> Result<String> {
    let asked = asked.replace('/', "\\");
    let mut start = asked.bytes();
    let absolute = start.next().is_some_and(|c| c.is_ascii_alphabetic())
        && start.next() == Some(b':')
        && start.next().is_none_or(|c| c == b'\\');
    match (absolute, own) {
        (true, _) => Ok(asked),
        (false, "") => {
            bail!("{asked:?} is relative, and the agent has no directory: give an absolute path")
        }
        (false, own) => Ok(format!("{}\\{asked}", own.trim_end_matches('\\'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(os: &str, directory: &str) -> WorkspaceAgent {
        WorkspaceAgent {
            name: "main".into(),
            operating_system: os.into(),
            expanded_directory: directory.into(),
            ..WorkspaceAgent::default()
        }
    }

    #[test]
    fn folders_are_seen_from_the_agents_directory() {
        let linux = agent("linux", "/home/dev");
        let of = |asked: &str| folder(&linux, asked, false).unwrap();
        assert_eq!(of(""), "/home/dev");
        assert_eq!(of("/srv"), "/srv");
        assert_eq!(of("src/../web/./x"), "/home/dev/web/x");
        assert!(folder(&linux, "~/x", false).is_err());
        assert!(folder(&agent("linux", ""), "x", false).is_err());
        let windows = agent("windows", "C:\\Users\\dev");
        assert_eq!(
            folder(&windows, "src/x", false).unwrap(),
            "C:\\Users\\dev\\src\\x"
        );
        assert_eq!(folder(&windows, "D:/x", false).unwrap(), "D:\\x");
    }

    #[test]
    fn addresses_carry_a_token_only_when_told() {
        let workspace = Workspace {
            owner_name: "ann".into(),
            name: "dev".into(),
            ..Workspace::default()
        };
        let url = Url::parse("https://coder.test/").unwrap();
        let plain = address(&url, &workspace, &agent("linux", ""), "/a b", None).unwrap();
        assert_eq!(
            plain,
            "vscode://coder.coder-remote/open?url=https%3A%2F%2Fcoder.test&owner=ann&workspace=dev&agent=main&folder=%2Fa+b"
        );
        let with = address(&url, &workspace, &agent("linux", ""), "", Some("t")).unwrap();
        assert!(with.ends_with("&agent=main&token=t"));
    }
}
