//! The states of an agent's life. They only move forward; every transition is
//! reported in order.

use parking_lot::Mutex;
use rpc::proto::agent::{Lifecycle as Report, lifecycle::State};

use crate::outbox::Outbox;

/// There are nine states, each entered once at most.
const STATES: usize = 9;

/// Where the agent stands, and what the server has yet to hear of it.
#[derive(Debug)]
pub struct Lifecycle {
    current: Mutex<State>,
    reports: Outbox<Report>,
}

impl Lifecycle {
    /// An agent that exists.
    pub fn new() -> Self {
        Self {
            current: Mutex::new(State::Created),
            reports: Outbox::new("lifecycle", STATES),
        }
    }

    /// Moves on. A step back is ignored: a late end of a start script must not
    /// undo a shutdown.
    pub fn set(&self, state: State) {
        let mut current = self.current.lock();
        if i32::from(state) <= i32::from(*current) {
            return;
        }
        *current = state;
        tracing::info!(state = state.as_str_name(), "the agent's state changed");
        let changed_at = Some(std::time::SystemTime::now().into());
        self.reports.push(Report {
            state: state.into(),
            changed_at,
        });
    }

    /// Where the agent stands.
    #[cfg(test)]
    fn current(&self) -> State {
        *self.current.lock()
    }

    /// The transitions that the server has yet to hear of.
    pub fn reports(&self) -> &Outbox<Report> {
        &self.reports
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_only_move_forward() {
        let lifecycle = Lifecycle::new();
        for state in [
            State::Starting,
            State::ShuttingDown,
            State::Ready,
            State::Off,
            State::Off,
        ] {
            lifecycle.set(state);
        }
        assert_eq!(lifecycle.current(), State::Off);
        let reported: Vec<i32> = lifecycle
            .reports
            .waiting()
            .iter()
            .map(|r| r.state)
            .collect();
        assert_eq!(
            reported,
            [State::Starting, State::ShuttingDown, State::Off].map(i32::from)
        );
    }
}
