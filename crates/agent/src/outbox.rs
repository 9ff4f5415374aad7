//! Messages for the control plane that must survive a lost connection: kept in
//! order until they are acknowledged.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// So often a message may be refused, in case the server only had a bad moment.
const MAX_REFUSALS: u32 = 3;

/// A failure to send.
pub trait Refusal {
    /// The server got the message and did not want it.
    fn is_refusal(&self) -> bool;
}

impl Refusal for rpc::drpc::Error {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// A bounded queue whose front is removed only after it was sent.
#[derive(Debug)]
pub struct Outbox<T> {
    name: &'static str,
    limit: usize,
    queue: Mutex<VecDeque<T>>,
    /// Of the front.
    refusals: AtomicU32,
    changed: Notify,
    drained: Notify,
}

impl<T: Clone> Outbox<T> {
    /// An empty queue of at most `limit` messages; `name` is for the log.
    pub fn new(name: &'static str, limit: usize) -> Self {
        Self {
            name,
            limit,
            queue: Mutex::default(),
            refusals: AtomicU32::new(0),
            changed: Notify::new(),
            drained: Notify::new(),
        }
    }

    /// Adds a message; one beyond the limit is dropped.
    pub fn push(&self, message: T) {
        {
            let mut queue = self.queue.lock();
            if queue.len() >= self.limit {
                tracing::warn!(
                    queue = self.name,
                    "too much waits for the server; a message is dropped"
                );
                return;
            }
            queue.push_back(message);
        }
        self.changed.notify_one();
    }

    /// Sends what is there and what comes, one after the other, until the
    /// first failure. A message that was refused again and again is given up: what is behind it would
    /// wait for ever. Must not run twice at a time.
    pub async fn deliver<E, F>(&self, send: impl Fn(T) -> F) -> Result<(), E>
    where
        F: Future<Output = Result<(), E>>,
        E: Refusal,
    {
        loop {
            let next = self.queue.lock().front().cloned();
            let Some(message) = next else {
                self.changed.notified().await;
                continue;
            };
            let sent = send(message).await;
            if let Err(error) = &sent
                && !(error.is_refusal()
                    && self.refusals.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_REFUSALS)
            {
                return sent;
            }
            if sent.is_err() {
                tracing::warn!(
                    queue = self.name,
                    "the server does not take a message; it is dropped"
                );
            }
            self.refusals.store(0, Ordering::Relaxed);
            let mut queue = self.queue.lock();
            queue.pop_front();
            if queue.is_empty() {
                self.drained.notify_waiters();
            }
        }
    }

    /// Returns when nothing waits.
    pub async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            // Registered before the check, so that no ring is missed.
            drained.as_mut().enable();
            if self.queue.lock().is_empty() {
                return;
            }
            drained.await;
        }
    }

    /// What waits, in order.
    #[cfg(test)]
    pub fn waiting(&self) -> Vec<T> {
        self.queue.lock().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is a refusal.
    #[derive(Debug, PartialEq, Eq)]
    struct Failed(bool);

    impl Refusal for Failed {
        fn is_refusal(&self) -> bool {
            self.0
        }
    }

    #[tokio::test]
    async fn what_is_refused_for_good_is_given_up() {
        let outbox = Outbox::new("test", 8);
        (1..=2).for_each(|n| outbox.push(n));
        let odd = |n: i32| async move { if n == 1 { Err(Failed(true)) } else { Ok(()) } };
        for _ in 1..MAX_REFUSALS {
            assert_eq!(outbox.deliver(odd).await, Err(Failed(true)));
        }
        tokio::select! {
            _ = outbox.deliver(odd) => {}
            () = outbox.drained() => {}
        }
        // A connection that fails says nothing of the message.
        outbox.push(1);
        for _ in 0..2 * MAX_REFUSALS {
            let lost = outbox.deliver(|_| async { Err(Failed(false)) }).await;
            assert_eq!(lost, Err(Failed(false)));
        }
        assert_eq!(outbox.waiting(), [1]);
    }

    #[tokio::test]
    async fn a_message_stays_until_it_was_sent() {
        let outbox = Outbox::new("test", 2);
        (1..=3).for_each(|n| outbox.push(n));
        let failed = outbox
            .deliver(|n| async move { if n == 1 { Ok(()) } else { Err(Failed(false)) } })
            .await;
        assert_eq!(failed, Err(Failed(false)));
        assert_eq!(outbox.waiting(), [2], "the third was beyond the limit");
        let seen = Mutex::new(Vec::new());
        tokio::select! {
            _ = outbox.deliver(|n| { seen.lock().push(n); async { Ok::<_, Failed>(()) } }) => {}
            () = outbox.drained() => {}
        }
        assert_eq!(*seen.lock(), [2]);
    }
}
