//! How long an agent that is not there is waited for, and what the person hears meanwhile.
//!
//! An agent may be late for good reasons: a machine boots, an image is fetched, a server is
//! upgraded. But one that stays away for longer than any of these takes will not come by itself,
//! and a command that waits for it for ever looks as if it worked.

use std::time::Duration;

use api_types::{WorkspaceAgent, WorkspaceAgentStatus};
use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::ui::time::coarse;

/// An agent that was connected once, or should have been by what its template says, is waited for
/// so long: servers are upgraded and machines restarted in less.
pub const PATIENCE: Duration = Duration::from_mins(15);
/// One that is still starting, where the template sets no limit (`connection_timeout = 0`).
const START_PATIENCE: Duration = Duration::from_hours(1);
/// Who waits is told so often what for.
const REMIND: Duration = Duration::from_mins(1);

/// What to do about an absent agent.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Go on waiting.
    Wait,
    /// Go on waiting, and say this.
    Remind(String),
    /// It was waited for long enough; the reason.
    GiveUp(String),
}

/// The absence of one agent, as far as somebody waits for it.
#[derive(Debug, Default)]
pub struct Absence {
    /// In which state it is absent, since when, and when the person heard of it last.
    current: Option<(WorkspaceAgentStatus, Instant, Instant)>,
}

impl Absence {
    /// The agent is seen to be absent, like this.
    pub fn seen(&mut self, agent: &WorkspaceAgent, now: DateTime<Utc>) -> Step {
        let at = Instant::now();
        let (since, told) = match &mut self.current {
            Some((status, since, told)) if *status == agent.status => (*since, told),
            current => {
                *current = Some((agent.status.clone(), at, at));
                return Step::Wait;
            }
        };
        let waited = at - since;
        if patience(agent).is_some_and(|limit| waited >= limit) {
            return Step::GiveUp(format!(
                "{}; this command has waited for {}",
                state(agent, now),
                minutes(waited)
            ));
        }
        if at - *told < REMIND {
            return Step::Wait;
        }
        *told = at;
        Step::Remind(format!("Still waiting: {}.", state(agent, now)))
    }

    /// The agent is there.
    pub fn over(&mut self) {
        self.current = None;
    }
}

/// How long `agent` is waited for in its state; `None`: its state will change by itself.
fn patience(agent: &WorkspaceAgent) -> Option<Duration> {
    match agent.status {
        // The server calls it late after the time that its template grants.
        WorkspaceAgentStatus::Connecting if agent.connection_timeout_seconds > 0 => None,
        WorkspaceAgentStatus::Connecting => Some(START_PATIENCE),
        _ => Some(PATIENCE),
    }
}

/// What is known of an absent agent.
fn state(agent: &WorkspaceAgent, now: DateTime<Utc>) -> String {
    match (&agent.status, agent.disconnected_at) {
        (WorkspaceAgentStatus::Disconnected, Some(at)) => format!(
            "the workspace agent has had no connection to the server for {}",
            coarse(now - at)
        ),
        (WorkspaceAgentStatus::Disconnected, None) => {
            "the workspace agent has lost its connection to the server".to_owned()
        }
        (WorkspaceAgentStatus::Timeout, _) => format!(
            "the workspace agent has not connected to the server since its workspace was built {} ago, \
             though its template grants it {} seconds",
            coarse(now - agent.created_at),
            agent.connection_timeout_seconds
        ),
        _ => format!(
            "the workspace agent has not connected to the server yet; its workspace was built {} ago",
            coarse(now - agent.created_at)
        ),
    }
}

fn minutes(duration: Duration) -> String {
    coarse(chrono::TimeDelta::from_std(duration).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn agent(status: WorkspaceAgentStatus, timeout: i32) -> WorkspaceAgent {
        let built = Utc::now();
        WorkspaceAgent {
            status,
            connection_timeout_seconds: timeout,
            created_at: built,
            disconnected_at: Some(built),
            ..WorkspaceAgent::default()
        }
    }

    /// Sees the agent each second until it is given up or `limit` is over; the reminders, and the
    /// reason and time of the end.
    async fn wait(
        agent: &WorkspaceAgent,
        limit: Duration,
    ) -> (Vec<String>, Option<(Duration, String)>) {
        let (mut absence, begun) = (Absence::default(), Instant::now());
        let mut said = Vec::new();
        while begun.elapsed() <= limit {
            let now = Utc::now() + TimeDelta::from_std(begun.elapsed()).unwrap();
            match absence.seen(agent, now) {
                Step::Wait => {}
                Step::Remind(text) => said.push(text),
                Step::GiveUp(reason) => return (said, Some((begun.elapsed(), reason))),
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        (said, None)
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_stays_away_is_given_up_and_the_reason_told() {
        let lost = agent(WorkspaceAgentStatus::Disconnected, 120);
        let (said, ended) = wait(&lost, PATIENCE * 2).await;
        let (after, reason) = ended.unwrap();
        assert_eq!(after, PATIENCE);
        assert_eq!(said.len(), 14, "each minute: {said:?}");
        assert!(
            said[2].contains("no connection to the server for 3m"),
            "{said:?}"
        );
        assert!(reason.contains("waited for 15m"), "{reason}");

        let late = agent(WorkspaceAgentStatus::Timeout, 120);
        let (_, ended) = wait(&late, PATIENCE * 2).await;
        let (_, reason) = ended.unwrap();
        assert!(reason.contains("grants it 120 seconds"), "{reason}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_starts_has_the_time_of_its_template() {
        let patient = agent(WorkspaceAgentStatus::Connecting, 7200);
        let (said, ended) = wait(&patient, START_PATIENCE * 2).await;
        assert_eq!((said.len(), ended), (120, None));
        let unlimited = agent(WorkspaceAgentStatus::Connecting, 0);
        let (_, ended) = wait(&unlimited, START_PATIENCE * 2).await;
        assert_eq!(ended.unwrap().0, START_PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn each_state_has_its_own_time() {
        let mut absence = Absence::default();
        let late = agent(WorkspaceAgentStatus::Timeout, 1);
        let lost = agent(WorkspaceAgentStatus::Disconnected, 1);
        for seen in [&late, &lost, &late] {
            assert_eq!(absence.seen(seen, Utc::now()), Step::Wait);
            tokio::time::advance(PATIENCE).await;
        }
        absence.over();
        assert_eq!(absence.seen(&late, Utc::now()), Step::Wait);
    }
}
