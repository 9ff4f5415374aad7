//! `coder exp mcp server`: tools on standard input and output.

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use mcp::serve::Service as _;
use tokio::io::{stdin, stdout};
use toolbox::{Deps, Tools, Toolset};

use super::super::agent_socket::AgentSocket;
use super::links::Links;
use super::report::{self, Reporter};
use super::served::Served;
use crate::session::Session;

/// Serve tools for workspaces, templates and chats on standard input and output.
#[derive(ClapArgs)]
pub struct Args {
    /// Instructions for whoever uses the tools.
    #[arg(
        long,
        env = "CODER_MCP_INSTRUCTIONS",
        value_name = "text",
        default_value = ""
    )]
    instructions: String,

    /// The only tools to serve; all when none is named.
    #[arg(
        long,
        env = "CODER_MCP_ALLOWED_TOOLS",
        value_name = "tools",
        value_delimiter = ','
    )]
    allowed_tools: Vec<String>,

    /// The app under which tasks are reported.
    #[arg(long, env = "CODER_MCP_APP_STATUS_SLUG", value_name = "slug")]
    app_status_slug: Option<String>,

    /// Address of an AgentAPI that tells when the AI works.
    #[arg(long, env = "CODER_MCP_AI_AGENTAPI_URL", value_name = "url")]
    ai_agentapi_url: Option<String>,

    #[command(flatten)]
    socket: AgentSocket,
}

/// Serves until standard input ends.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    session.keep_stdout_clean();
    let tools = match session.client() {
        Ok(client) => {
            let user = client.user("me").await.context("sign in")?;
            session.note(&format!("User           : {}", user.username));
            let relays_only = session.globals.disable_direct_connections;
            let links = Links::new(client.clone(), relays_only);
            let deps = Deps::new(
                client.clone(),
                Box::new(links),
                session.config.organization()?,
            );
            let allowed = &args.allowed_tools;
            Some(Tools::new(deps, Toolset::All, allowed, String::new()))
        }
        Err(_) => {
            session.note("User           : none; tools that need one are not served");
            None
        }
    };
    let watches = args.ai_agentapi_url.filter(|url| !url.is_empty());
    let slug = args.app_status_slug.filter(|slug| !slug.is_empty());
    let reporter = match slug {
        Some(slug) => match args.socket.connect("").await {
            Ok(client) => {
                session.note("Task reporter  : enabled");
                Some(Reporter::new(client, slug, watches.is_some()))
            }
            Err(error) => {
                session.note(&format!("Task reporter  : disabled: {error:#}"));
                None
            }
        },
        None => {
            session.note("Task reporter  : disabled: CODER_MCP_APP_STATUS_SLUG is not set");
            None
        }
    };
    let is_allowed =
        |name: &str| args.allowed_tools.is_empty() || args.allowed_tools.iter().any(|a| a == name);
    let served = Served {
        tools,
        reporter: reporter.filter(|_| is_allowed(report::NAME)),
        instructions: args.instructions,
    };
    let there = served.tools();
    for name in &args.allowed_tools {
        if there.iter().all(|tool| tool.name != *name) {
            session.note(&format!("There is no tool {name:?} here; it is left out."));
        }
    }
    let serving = mcp::serve::serve(&served, stdin(), stdout());
    match (&watches, &served.reporter) {
        (Some(url), Some(reporter)) => {
            tokio::select! {
                served = serving => served?,
                () = reporter.watch(url) => {}
            }
        }
        _ => serving.await?,
    }
    Ok(())
}
