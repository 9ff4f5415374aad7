//! While somebody is connected: tell the server of the use, and notice when
//! the workspace stops.

use std::time::Duration;

use api_types::{PostWorkspaceUsageRequest, UsageAppName, Workspace, WorkspaceTransition};
use client::Client;
use uuid::Uuid;

/// How often use is told.
const USAGE_INTERVAL: Duration = Duration::from_mins(1);
/// Wait before a watch that broke off is opened again.
const RETRY: Duration = Duration::from_secs(5);
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

/// Waits until the connection to `workspace` makes no more sense; gives the
/// reason.
pub async fn until_gone(client: Client, workspace: Workspace) -> String {
    tokio::time::sleep(WATCH_AFTER).await;
    loop {
        if let Ok(mut watch) = client.workspace_watch(workspace.id).await {
            // What happened before the watch began is seen by asking.
            if let Ok(now) = client.workspace(workspace.id).await
                && let Some(reason) = gone(&workspace, &now)
            {
                return reason;
            }
            while let Some(Ok(now)) = watch.next().await {
                if let Some(reason) = gone(&workspace, &now) {
                    return reason;
                }
            }
        }
        tokio::time::sleep(RETRY).await;
    }
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
}
