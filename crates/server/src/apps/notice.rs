//! What is said to people when an app is not there: the reason, and what helps.

use api_types::{WorkspaceAgentLifecycle, WorkspaceAgentStatus, WorkspaceAppHealth};
use axum::http::StatusCode;
use control::apps::{AppCondition, NotRunning, StoppedWorkspace};

use super::page::Page;

/// There is no such app, for all that this user may know.
pub(super) fn not_found(hint: &str) -> Page {
    Page::new(
        StatusCode::NOT_FOUND,
        "Application not found",
        "There is no such app, or you have no access to it. Apps may need another user's \
         permission, and names may have changed.",
    )
    .hint(hint)
}

/// The template is wrong about the app.
pub(super) fn useless_url(text: &str) -> Page {
    Page::new(
        StatusCode::BAD_REQUEST,
        "This app cannot be opened",
        format!("The template is wrong about this app: {text}."),
    )
}

/// The workspace does not run; `start` is where those who may can start it.
pub(super) fn not_running(workspace: &StoppedWorkspace, start: Option<&str>) -> Page {
    let name = format!("{}/{}", workspace.owner_name, workspace.name);
    let (status, title, text) = match workspace.state {
        NotRunning::Starting => (
            StatusCode::NOT_FOUND,
            "The workspace is starting",
            format!("{name} is being built. This page goes on by itself."),
        ),
        NotRunning::Stopping => (
            StatusCode::BAD_REQUEST,
            "The workspace is stopping",
            format!("{name} is being stopped, and its apps with it."),
        ),
        NotRunning::Stopped => (
            StatusCode::BAD_REQUEST,
            "The workspace is stopped",
            format!("{name} is not running, and neither are its apps."),
        ),
        NotRunning::Failed => (
            StatusCode::BAD_REQUEST,
            "The workspace is not running",
            format!("The last build of {name} did not succeed. Its log says why."),
        ),
    };
    let page = Page::new(status, title, text);
    match (workspace.state, start) {
        (NotRunning::Starting, _) => page.waiting(),
        (_, Some(start)) => page.link(start, "Start the workspace"),
        (_, None) => page,
    }
}

/// The workspace runs, but its agent does not talk to us.
pub(super) fn agent_offline(status: &WorkspaceAgentStatus, url: &str) -> Page {
    let offline = |title, text| Page::new(StatusCode::NOT_FOUND, title, text);
    match status {
        WorkspaceAgentStatus::Connecting => offline(
            "Waiting for the agent",
            "The workspace is started; its agent has not connected yet. This page goes on by \
             itself.",
        )
        .waiting(),
        WorkspaceAgentStatus::Timeout => offline(
            "The agent does not connect",
            "The workspace is started, but its agent has not connected for longer than the \
             template expects. It may not reach this server, or have failed to start: the log of \
             the machine or container says more.",
        )
        .link(url, "Try again"),
        _ => offline(
            "The agent is disconnected",
            "The workspace is started, but its agent has lost its connection to this server. It \
             comes back by itself if the machine and its network do.",
        )
        .link(url, "Try again"),
    }
}

/// Nothing answers at the app's port, for the reason `error`. `url`: where to ask again.
pub(super) fn no_answer(error: &str, condition: Option<&AppCondition>, url: Option<&str>) -> Page {
    let name = condition.map_or("The app", |condition| condition.name.as_str());
    let silent = |title, text: String| {
        let page = Page::new(StatusCode::BAD_GATEWAY, title, text).hint(error);
        match url {
            Some(url) => page.link(url, "Try again"),
            None => page,
        }
    };
    let (health, lifecycle) = match condition {
        Some(condition) => (&condition.health, &condition.lifecycle),
        None => (
            &WorkspaceAppHealth::Disabled,
            &WorkspaceAgentLifecycle::Ready,
        ),
    };
    let starting = matches!(
        lifecycle,
        WorkspaceAgentLifecycle::Created | WorkspaceAgentLifecycle::Starting
    );
    if starting || *health == WorkspaceAppHealth::Initializing {
        let why = if starting {
            "the workspace's startup script is still running"
        } else {
            "its health check has not succeeded so far"
        };
        let page = silent(
            "The app is starting",
            format!("{name} does not answer yet: {why}. This page goes on by itself."),
        );
        return if url.is_some() { page.waiting() } else { page };
    }
    if *health == WorkspaceAppHealth::Unhealthy {
        return silent(
            "The app is unhealthy",
            format!(
                "The workspace is running, but {name} is not: nothing answers at its port, and \
                 its health check fails too. It may have crashed, or never have started."
            ),
        );
    }
    match lifecycle {
        WorkspaceAgentLifecycle::StartError | WorkspaceAgentLifecycle::StartTimeout => silent(
            "The app does not answer",
            format!(
                "The workspace is reachable, but its startup script did not succeed, and nothing \
                 answers at the port of {name}. The log of the script says more."
            ),
        ),
        WorkspaceAgentLifecycle::ShuttingDown
        | WorkspaceAgentLifecycle::ShutdownTimeout
        | WorkspaceAgentLifecycle::ShutdownError
        | WorkspaceAgentLifecycle::Off => silent(
            "The workspace is stopping",
            format!("The workspace is shutting down, and {name} is gone already."),
        ),
        _ => silent(
            "The app does not answer",
            format!(
                "The workspace is reachable, but nothing answers at the port of {name}. It may \
                 still be starting, or have stopped."
            ),
        ),
    }
}
