//! Which agents are in use, and since when the others are not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use uuid::Uuid;

/// Holds on agents.
#[derive(Default)]
pub(super) struct Tickets {
    agents: Mutex<HashMap<Uuid, Use>>,
}

struct Use {
    tickets: usize,
    idle_since: Instant,
}

/// One hold; dropping it lets the agent become idle.
pub(super) struct Ticket {
    tickets: Arc<Tickets>,
    agent: Uuid,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(agent) = self.tickets.agents.lock().get_mut(&self.agent) {
            agent.tickets = agent.tickets.saturating_sub(1);
            agent.idle_since = Instant::now();
        }
    }
}

impl Tickets {
    /// A hold on `agent`; true if the agent was not known.
    pub(super) fn take(self: &Arc<Self>, agent: Uuid) -> (Arc<Ticket>, bool) {
        let mut agents = self.agents.lock();
        let new = !agents.contains_key(&agent);
        let entry = agents.entry(agent).or_insert(Use {
            tickets: 0,
            idle_since: Instant::now(),
        });
        entry.tickets += 1;
        let tickets = Arc::clone(self);
        (Arc::new(Ticket { tickets, agent }), new)
    }

    /// Forgets agents that were idle for `idle`, telling `release` of each.
    pub(super) fn release_idle(&self, now: Instant, idle: Duration, mut release: impl FnMut(Uuid)) {
        self.agents.lock().retain(|agent, entry| {
            let keep = entry.tickets > 0 || now.saturating_duration_since(entry.idle_since) < idle;
            if !keep {
                release(*agent);
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_let_go_when_their_last_ticket_is_long_gone() {
        let tickets = Arc::new(Tickets::default());
        let (busy, free) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (held, new) = tickets.take(busy);
        assert!(new);
        let (second, new) = tickets.take(busy);
        assert!(!new);
        drop(tickets.take(free));
        drop(second);
        let mut released = Vec::new();
        let idle = Duration::from_mins(1);
        let now = Instant::now();
        tickets.release_idle(now, idle, |agent| released.push(agent));
        assert!(released.is_empty(), "not idle for long enough");
        tickets.release_idle(now + idle * 2, idle, |agent| released.push(agent));
        assert_eq!(released, [free]);
        drop(held);
        tickets.release_idle(Instant::now() + idle * 2, idle, |agent| {
            released.push(agent);
        });
        assert_eq!(released, [free, busy]);
        assert!(tickets.take(busy).1, "forgotten");
    }
}
