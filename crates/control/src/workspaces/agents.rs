//! What is computed about agents and their apps when they are read: connection
//! status, health, the names that apps have under a wildcard domain.

use std::time::Duration;

use api_types::{
    WorkspaceAgent, WorkspaceAgentHealth, WorkspaceAgentLifecycle as Lifecycle,
    WorkspaceAgentStartupScriptBehavior as Behavior, WorkspaceAgentStatus as Status,
    WorkspaceHealth, WorkspaceResource,
};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Without a sign of life for this long, an agent counts as disconnected: twice the
/// interval of the server's pings.
pub const AGENT_INACTIVE: Duration = Duration::from_secs(30);

/// Sets everything that follows from the stored columns and the time.
pub fn complete_agent(
    agent: &mut WorkspaceAgent,
    workspace: &str,
    owner: &str,
    now: DateTime<Utc>,
) {
    set_status(agent, now);
    agent.health = health(agent);
    agent.startup_script_behavior = if agent.scripts.iter().any(|s| s.start_blocks_login) {
        Behavior::Blocking
    } else {
        Behavior::NonBlocking
    };
    for app in &mut agent.apps {
        if app.subdomain && app.subdomain_name.is_empty() {
            app.subdomain_name = format!("{}--{workspace}--{owner}", app.slug);
        }
    }
}

/// [`complete_agent`] for every agent of these resources; answers the workspace's health.
/// Sub-agents do not count towards it.
pub fn complete_resources(
    resources: &mut [WorkspaceResource],
    workspace: &str,
    owner: &str,
    now: DateTime<Utc>,
) -> WorkspaceHealth {
    let mut failing: Vec<Uuid> = Vec::new();
    for agent in resources.iter_mut().flat_map(|r| &mut r.agents) {
        complete_agent(agent, workspace, owner, now);
        if !agent.health.healthy && agent.parent_id.is_none() {
            failing.push(agent.id);
        }
    }
    WorkspaceHealth {
        healthy: failing.is_empty(),
        failing_agents: failing,
    }
}

fn set_status(agent: &mut WorkspaceAgent, now: DateTime<Utc>) {
    let Some(last) = agent.last_connected_at else {
        let patience = TimeDelta::seconds(agent.connection_timeout_seconds.into());
        let late = patience > TimeDelta::zero() && now - agent.created_at > patience;
        agent.status = if late {
            Status::Timeout
        } else {
            Status::Connecting
        };
        return;
    };
    let silent = (now - last).to_std().is_ok_and(|age| age > AGENT_INACTIVE);
    if agent.disconnected_at.is_some_and(|at| at >= last) {
        agent.status = Status::Disconnected;
    } else if silent {
        agent.status = Status::Disconnected;
        agent.disconnected_at = Some(last);
    } else {
        agent.status = Status::Connected;
        agent.disconnected_at = None;
    }
}

fn health(agent: &WorkspaceAgent) -> WorkspaceAgentHealth {
    let state = &agent.lifecycle_state;
    let reason = if *state == Lifecycle::Off && agent.status != Status::Connected {
        "agent is not running"
    } else if agent.status == Status::Connecting {
        "agent has not yet connected"
    } else if agent.status == Status::Timeout {
        "agent is taking too long to connect"
    } else if agent.status == Status::Disconnected {
        "agent has lost connection"
    } else {
        match state {
            Lifecycle::StartError => "agent startup script exited with an error",
            Lifecycle::ShuttingDown
            | Lifecycle::ShutdownTimeout
            | Lifecycle::ShutdownError
            | Lifecycle::Off => "agent is shutting down",
            _ => "",
        }
    };
    WorkspaceAgentHealth {
        healthy: reason.is_empty(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::WorkspaceApp;

    fn agent(created: i64, last: Option<i64>, gone: Option<i64>) -> WorkspaceAgent {
        let at = |s: i64| DateTime::from_timestamp(s, 0).unwrap();
        WorkspaceAgent {
            created_at: at(created),
            first_connected_at: last.map(at),
            last_connected_at: last.map(at),
            disconnected_at: gone.map(at),
            connection_timeout_seconds: 120,
            lifecycle_state: Lifecycle::Ready,
            ..Default::default()
        }
    }

    fn status_at(mut a: WorkspaceAgent, now: i64) -> (Status, String) {
        complete_agent(
            &mut a,
            "ws",
            "me",
            DateTime::from_timestamp(now, 0).unwrap(),
        );
        (a.status, a.health.reason)
    }

    #[test]
    fn connection_status_follows_the_last_sign_of_life() {
        assert_eq!(status_at(agent(0, None, None), 100).0, Status::Connecting);
        assert_eq!(status_at(agent(0, None, None), 121).0, Status::Timeout);
        assert_eq!(
            status_at(agent(0, Some(200), None), 230).0,
            Status::Connected
        );
        assert_eq!(
            status_at(agent(0, Some(200), None), 231).0,
            Status::Disconnected
        );
        assert_eq!(
            status_at(agent(0, Some(200), Some(200)), 201).0,
            Status::Disconnected
        );
        // Connected again after an earlier disconnection.
        assert_eq!(
            status_at(agent(0, Some(200), Some(150)), 201).0,
            Status::Connected
        );
    }

    #[test]
    fn no_patience_means_no_timeout() {
        let mut a = agent(0, None, None);
        a.connection_timeout_seconds = 0;
        assert_eq!(status_at(a, 1_000_000).0, Status::Connecting);
    }

    #[test]
    fn health_names_the_first_reason() {
        let mut a = agent(0, Some(200), None);
        assert_eq!(status_at(a.clone(), 201).1, "");
        a.lifecycle_state = Lifecycle::StartTimeout;
        assert_eq!(status_at(a.clone(), 201).1, "");
        a.lifecycle_state = Lifecycle::StartError;
        assert_eq!(
            status_at(a.clone(), 201).1,
            "agent startup script exited with an error"
        );
        a.lifecycle_state = Lifecycle::Off;
        assert_eq!(status_at(a.clone(), 201).1, "agent is shutting down");
        assert_eq!(status_at(a, 999).1, "agent is not running");
    }

    #[test]
    fn sub_agents_do_not_make_a_workspace_unhealthy() {
        let mut sub = agent(0, None, None);
        sub.parent_id = Some(Uuid::nil());
        let mut resources = vec![WorkspaceResource {
            agents: vec![sub],
            ..Default::default()
        }];
        let now = DateTime::from_timestamp(1, 0).unwrap();
        assert!(complete_resources(&mut resources, "ws", "me", now).healthy);
        resources[0].agents[0].parent_id = None;
        assert!(!complete_resources(&mut resources, "ws", "me", now).healthy);
    }

    #[test]
    fn only_subdomain_apps_have_a_subdomain_name() {
        let mut a = agent(0, None, None);
        a.apps = vec![
            WorkspaceApp {
                slug: "code".into(),
                subdomain: true,
                ..Default::default()
            },
            WorkspaceApp {
                slug: "term".into(),
                ..Default::default()
            },
        ];
        complete_agent(&mut a, "dev", "ann", Utc::now());
        assert_eq!(a.apps[0].subdomain_name, "code--dev--ann");
        assert_eq!(a.apps[1].subdomain_name, "");
    }
}
