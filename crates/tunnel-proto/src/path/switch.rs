//! The change from a loaded relay to a direct path: bulk data waits until the relay is through.
//!
//! A receiver takes a packet that is overtaken by too many others for a replay. What is still on
//! the relay when a direct path appears would be lost so; a ping behind it tells when it is through.

use std::time::{Duration, Instant};

use crate::disco::TransactionId;

/// With more packets than this in a second on the relay, the switch waits.
const BULK: u32 = 256;
/// … but not longer than this: a relay that holds packets for so long is as good as dead.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Packets are counted by the second.
const SECOND: Duration = Duration::from_secs(1);

/// Packets sent by the relay alone in the current second and the one before.
#[derive(Debug, Clone, Copy)]
struct Load {
    since: Instant,
    current: u32,
    before: u32,
}

/// How loaded the relay is, and the change in progress.
#[derive(Debug, Default)]
pub(super) struct Switch {
    load: Option<Load>,
    /// The ping that is waited for, and until when.
    pending: Option<(TransactionId, Instant)>,
}

impl Switch {
    /// `count` packets go by the relay alone.
    pub(super) fn count(&mut self, count: u32, now: Instant) {
        let load = self.load.get_or_insert(Load {
            since: now,
            current: 0,
            before: 0,
        });
        let age = now.saturating_duration_since(load.since);
        if age >= SECOND {
            load.before = if age < SECOND * 2 { load.current } else { 0 };
            load.current = 0;
            load.since = now;
        }
        load.current = load.current.saturating_add(count);
    }

    /// True if so much is on the relay that a change has to wait for it.
    pub(super) fn must_wait(&self, now: Instant) -> bool {
        self.load.is_some_and(|load| {
            now.saturating_duration_since(load.since) < SECOND * 2
                && load.current.max(load.before) > BULK
        })
    }

    /// The change waits for the answer to this ping.
    pub(super) fn begin(&mut self, transaction: TransactionId, now: Instant) {
        self.pending = Some((transaction, now + TIMEOUT));
    }

    /// A ping was answered.
    pub(super) fn answered(&mut self, transaction: &TransactionId) {
        if self
            .pending
            .is_some_and(|(waited, _)| waited == *transaction)
        {
            self.pending = None;
        }
    }

    /// There is no direct path to change to any more.
    pub(super) fn cancel(&mut self) {
        self.pending = None;
    }

    /// Gives up what waited too long.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.pending.is_some_and(|(_, until)| until <= now) {
            self.pending = None;
        }
    }

    /// True while the change waits.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// When [`Switch::expire`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pending.map(|(_, until)| until)
    }
}
