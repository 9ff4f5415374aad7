//! The worker of chats in this process, and what it takes from the rest of the server: models
//! through the gateway, workspaces through the tunnel.

mod connector;
mod github;
mod mcp;
mod models;
pub(crate) mod peers;
mod workspaces;

use std::sync::Arc;
use std::time::Duration;

use authz::Subject;
use chat::debug::Recorded;
use chat::models::Models;
use chat::tools::advisor::{self, Advisor};
use chat::tools::agent::Connector;
use chat::tools::mcp::RemoteTool;
use chat::tools::workspaces::Workspaces;
use chat::tools::{Tool, Toolbox, standard};
use chat::worker::{Neighbours, Parts};
use client::agent_api::AgentApi;
use control::Control;
use futures::future::BoxFuture;
use gateway::Gateway;
use store::chats::ChatRow;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use connector::AgentConnector;
use models::GatewayModels;
use workspaces::ChatWorkspaces;

use crate::Tailnet;

/// How often it is looked which pull requests are to be looked up.
const PULL_REQUESTS_EVERY: Duration = Duration::from_secs(10);

/// Starts the worker, and what shows viewers the changes of other processes.
pub fn start(
    control: &Control,
    gateway: Gateway,
    tailnet: &Tailnet,
    neighbours: Neighbours,
    tasks: &TaskTracker,
    loops: &CancellationToken,
) {
    let models: Arc<dyn Models> = Arc::new(Recorded::new(
        Arc::new(GatewayModels::new(control.clone(), gateway)),
        control.store().clone(),
        control.settings().chat_debug_logging,
    ));
    control.chat_models_set(models.clone());
    let machine = control.chat_machine().clone();
    machine
        .hub()
        .peers_set(Arc::new(peers::Replicas::new(control.clone())));
    tasks.spawn({
        let (hub, loops) = (machine.hub().clone(), loops.clone());
        async move { hub.run(loops).await }
    });
    let parts = Parts {
        machine,
        models,
        toolbox: Arc::new(ServerTools {
            mcp: mcp::McpServers::new(control.clone()),
            control: control.clone(),
            tailnet: tailnet.clone(),
        }),
        policy: control.settings().policy,
        url: control.settings().replica_url.clone(),
    };
    tasks.spawn(chat::worker::run(parts, neighbours, loops.clone()));
}

/// Looks up the pull requests of chats' branches at a GitHub, from now on.
///
/// # Errors
/// When connections to it cannot be set up.
pub fn watch_pull_requests(
    control: &Control,
    api: Url,
    tls: rustls::ClientConfig,
    tasks: &TaskTracker,
    loops: &CancellationToken,
) -> Result<(), control::GitHostError> {
    control.chat_git_hosts_set(Arc::new(github::GitHub::new(api, tls)?));
    let (control, loops) = (control.clone(), loops.clone());
    tasks.spawn(async move {
        let mut ticks = tokio::time::interval(PULL_REQUESTS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = loops.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = control.chat_diffs_refresh().await {
                tracing::warn!(%error, "chats: pull requests are not looked up");
            }
        }
    });
    Ok(())
}

/// The tools of this server.
struct ServerTools {
    control: Control,
    mcp: mcp::McpServers,
    tailnet: Tailnet,
}

impl Toolbox for ServerTools {
    fn tools(&self, chat: &ChatRow) -> Vec<Arc<dyn Tool>> {
        let mut tools = standard(chat, self.control.settings().chat_virtual_desktop);
        if self.control.settings().chat_advisor && advisor::is_for(chat) {
            tools.push(Arc::new(Advisor));
        }
        tools
    }

    fn remote<'a>(
        &'a self,
        chat: &'a ChatRow,
        owner: &'a Subject,
    ) -> BoxFuture<'a, Vec<RemoteTool>> {
        Box::pin(self.mcp.tools(chat, owner))
    }

    fn connector(&self, chat: &ChatRow, owner: &Subject) -> Arc<dyn Connector<AgentApi>> {
        Arc::new(AgentConnector {
            control: self.control.clone(),
            tailnet: self.tailnet.clone(),
            owner: owner.clone(),
            chat: chat.clone(),
        })
    }

    fn workspaces(&self, chat: &ChatRow) -> Arc<dyn Workspaces> {
        Arc::new(ChatWorkspaces {
            control: self.control.clone(),
            chat: chat.clone(),
        })
    }
}
