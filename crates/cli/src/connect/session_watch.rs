//! While somebody is connected: tell the server of the use, and notice when
//! the workspace stops.

use std::time::Duration;

use api_types::{
    PostWorkspaceUsageRequest, UsageAppName, Workspace, WorkspaceAgentStatus, WorkspaceTransition,
};
use client::Client;
use tokio::time::Instant;
use tunnel::Conn;
use uuid::Uuid;

/// How often use is told.
const USAGE_INTERVAL: Duration = Duration::from_mins(1);
/// Wait before a watch that broke off is opened again.
const RETRY: Duration = Duration::from_secs(5);
/// An agent that the server has lost may be about to connect again, and its machine's network may
/// be away for a moment.
const SILENCE: Duration = Duration::from_secs(30);
/// A server that cannot be reached for so long, while the agent does not answer either, is gone for
/// good. Servers are upgraded and machines restarted in less; and so long a tunnel end remembers its
/// peers.
const SERVER_GONE: Duration = Duration::from_mins(15);
/// Commands shorter than this are over before a watch could matter.
const WATCH_AFTER: Duration = Duration::from_millis(500);

/// Tells the server every minute that the workspace is used; never ends. The
/// kind of use is told only where the server knows it (`app`).
pub async fn report_usage(client: Client, workspace: Uuid, agent: Uuid, app: Option<UsageAppName>) {
    let body = app.map(|app_name| PostWorkspaceUsageRequest {
        agent_id: agent,
        app_name,
    });
    loop {
        // The session matters, not its record.
        if let Err(error) = client.workspace_usage(workspace, body.as_ref()).await {
            tracing::debug!(%error, "use was not told");
        }
        tokio::time::sleep(USAGE_INTERVAL).await;
    }
}

/// Waits until the connection to `agent` of `workspace` makes no more sense; gives the reason.
///
/// Silence alone is no reason: laptops sleep, networks change, servers restart. But an agent that
/// the server has lost and that does not answer through the tunnel either will not come back to
/// this connection. Nor will one whose server is gone: nobody else could lead there. A direct
/// connection does not need the server.
pub async fn until_gone(client: Client, workspace: Workspace, conn: Conn, agent: Uuid) -> String {
    tokio::time::sleep(WATCH_AFTER).await;
    // When the server was heard last. The time of a machine that sleeps does not count.
    let mut heard = Instant::now();
    loop {
        if let Ok(mut watch) = client.workspace_watch(workspace.id).await {
            // What happened before the watch began is seen by asking.
            let mut news = client.workspace(workspace.id).await.ok();
            // Begun when the server has lost the agent, dropped when it has it again.
            let mut silence = None;
            loop {
                if let Some(now) = &news {
                    if let Some(reason) = gone(&workspace, now) {
                        return reason;
                    }
                    if is_lost(now, agent) {
                        silence.get_or_insert_with(|| Box::pin(until_silent(&conn, agent)));
                    } else {
                        silence = None;
                    }
                }
                let silent = async {
                    match &mut silence {
                        Some(silence) => silence.await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    next = watch.next() => match next {
                        Some(Ok(now)) => news = Some(now),
                        _ => break,
                    },
                    () = silent => return format!(
                        "the agent of the workspace has lost the server and does not answer for {} seconds. \
                         It may have crashed, or its machine may be gone; 'coder show' tells its state",
                        SILENCE.as_secs()
                    ),
                }
            }
            heard = Instant::now();
        }
        if heard.elapsed() > SERVER_GONE && conn.await_reachable(agent, SILENCE).await.is_err() {
            return format!(
                "the server {} cannot be reached for {} minutes, and the workspace does not answer \
                 without it",
                client.url(),
                SERVER_GONE.as_secs() / 60
            );
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Waits until the agent has not answered through the tunnel for [`SILENCE`].
async fn until_silent(conn: &Conn, agent: Uuid) {
    while conn.await_reachable(agent, SILENCE).await.is_ok() {
        tokio::time::sleep(SILENCE).await;
    }
}

/// The server has no connection of the agent, and had one.
fn is_lost(workspace: &Workspace, agent: Uuid) -> bool {
    workspace
        .latest_build
        .resources
        .iter()
        .flat_map(|resource| &resource.agents)
        .any(|known| known.id == agent && known.status == WorkspaceAgentStatus::Disconnected)
}

/// Why a session that began with `before` ends with `now`.
fn gone(before: &Workspace, now: &Workspace) -> Option<String> {
    match now.latest_build.transition {
        WorkspaceTransition::Stop => Some("the workspace is being stopped".to_owned()),
        WorkspaceTransition::Delete => Some("the workspace is being deleted".to_owned()),
        _ if now.latest_build.id != before.latest_build.id => {
            Some("the workspace is being started anew".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use api_types::{WorkspaceAgent, WorkspaceResource};

    use super::*;

    fn workspace(build: u128, transition: WorkspaceTransition) -> Workspace {
        let mut workspace = Workspace::default();
        workspace.latest_build.id = Uuid::from_u128(build);
        workspace.latest_build.transition = transition;
        workspace
    }

    #[test]
    fn another_build_ends_the_session() {
        let before = workspace(1, WorkspaceTransition::Start);
        assert_eq!(gone(&before, &before), None);
        assert!(gone(&before, &workspace(2, WorkspaceTransition::Start)).is_some());
        assert!(gone(&before, &workspace(2, WorkspaceTransition::Stop)).is_some());
        assert!(gone(&before, &workspace(2, WorkspaceTransition::Delete)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_gone_for_good_ends_the_session() {
        // A port on which nobody listens any more.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let url: url::Url = format!("http://{address}").parse().unwrap();
        let client = Client::new(url.clone(), "token".to_owned().into()).unwrap();
        let mut config = tunnel::Config::client(url);
        config.block_endpoints = true;
        let (conn, agent) = (Conn::new(config), Uuid::from_u128(1));
        conn.add_destination(agent);
        let begun = Instant::now();
        let reason = until_gone(
            client,
            workspace(1, WorkspaceTransition::Start),
            conn,
            agent,
        )
        .await;
        assert!(reason.contains(&address.to_string()), "{reason}");
        assert!(begun.elapsed() > SERVER_GONE);
    }

    #[test]
    fn only_an_agent_that_was_connected_is_lost() {
        let agent = |id: u128, status| WorkspaceAgent {
            id: Uuid::from_u128(id),
            status,
            ..Default::default()
        };
        let mut workspace = workspace(1, WorkspaceTransition::Start);
        workspace.latest_build.resources = vec![WorkspaceResource {
            agents: vec![
                agent(1, WorkspaceAgentStatus::Disconnected),
                agent(2, WorkspaceAgentStatus::Connected),
                agent(3, WorkspaceAgentStatus::Connecting),
            ],
            ..Default::default()
        }];
        let lost = |id| is_lost(&workspace, Uuid::from_u128(id));
        assert!(lost(1) && !lost(2) && !lost(3) && !lost(4));
    }
}
