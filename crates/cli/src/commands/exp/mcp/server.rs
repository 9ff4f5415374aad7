//! `coder exp mcp server`: tools on standard input and output.

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use tokio::io::{stdin, stdout};

use super::super::agent_socket::AgentSocket;
use super::tools::{Deps, Reporter, Tools};
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
    let user = match session.client() {
        Ok(client) => {
            let user = client.user("me").await.context("sign in")?;
            session.note(&format!("User           : {}", user.username));
            true
        }
        Err(_) => {
            session.note("User           : none; tools that need one are not served");
            false
        }
    };
    let slug = args.app_status_slug.filter(|slug| !slug.is_empty());
    let reporter = match slug {
        Some(slug) => match args.socket.connect("").await {
            Ok(client) => {
                session.note("Task reporter  : enabled");
                Some(Reporter::new(client, slug))
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
    let watches = args.ai_agentapi_url.filter(|url| !url.is_empty());
    let deps = Deps::new(session, reporter, watches.is_some());
    let tools = Tools::new(&deps, user, &args.allowed_tools, args.instructions);
    let served = mcp::serve::serve(&tools, stdin(), stdout());
    match (&watches, &deps.reporter) {
        (Some(url), Some(reporter)) => {
            tokio::select! {
                served = served => served?,
                () = reporter.watch(url) => {}
            }
        }
        _ => served.await?,
    }
    Ok(())
}
