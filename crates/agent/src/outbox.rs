//! Messages for the control plane that must survive a lost connection: kept in
//! order until they are acknowledged.

use std::collections::VecDeque;
use std::future::Future;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A bounded queue whose front is removed only after it was sent.
#[derive(Debug)]
pub struct Outbox<T> {
    name: &'static str,
    limit: usize,
    queue: Mutex<VecDeque<T>>,
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
    /// first failure. Must not run twice at a time.
    pub async fn deliver<E, F>(&self, send: impl Fn(T) -> F) -> Result<(), E>
    where
        F: Future<Output = Result<(), E>>,
    {
        loop {
            let next = self.queue.lock().front().cloned();
            match next {
                Some(message) => {
                    send(message).await?;
                    let mut queue = self.queue.lock();
                    queue.pop_front();
                    if queue.is_empty() {
                        self.drained.notify_waiters();
                    }
                }
                None => self.changed.notified().await,
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

    #[tokio::test]
    async fn a_message_stays_until_it_was_sent() {
        let outbox = Outbox::new("test", 2);
        (1..=3).for_each(|n| outbox.push(n));
        let failed = outbox
            .deliver(|n| async move { if n == 1 { Ok(()) } else { Err(n) } })
            .await;
        assert_eq!(failed, Err(2));
        assert_eq!(outbox.waiting(), [2], "the third was beyond the limit");
        let seen = Mutex::new(Vec::new());
        tokio::select! {
            _ = outbox.deliver(|n| { seen.lock().push(n); async { Ok::<_, ()>(()) } }) => {}
            () = outbox.drained() => {}
        }
        assert_eq!(*seen.lock(), [2]);
    }
}
