//! When the process ends: the host says goodbye, or is gone.

use std::time::Duration;

use tokio::sync::watch;

/// How long the host may take for its first connection. It normally takes milliseconds.
const FIRST_CONNECTION: Duration = Duration::from_mins(1);
/// How long the process outlives its last connection: a host that was killed does not come back.
const ABANDONED: Duration = Duration::from_secs(10);
/// How long the end waits for the host to close its connections.
const FAREWELL: Duration = Duration::from_millis(500);

/// Knows whether the process should end, and how many connections there are.
pub(super) struct Lifetime {
    ended: watch::Sender<bool>,
    connections: watch::Sender<usize>,
}

/// A connection, for as long as it lives.
pub(super) struct Connection(watch::Sender<usize>);

impl Lifetime {
    /// A life that begins now. With `patient` it also outlasts hosts that never come or go.
    pub(super) fn new(patient: bool) -> Self {
        let lifetime = Self {
            ended: watch::channel(false).0,
            connections: watch::channel(0).0,
        };
        if !patient {
            tokio::spawn(end_when_abandoned(
                lifetime.connections.subscribe(),
                lifetime.ended.clone(),
            ));
        }
        lifetime
    }

    /// Ends it.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Waits for the end.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut ended = self.ended.subscribe();
        async move {
            // An error means that everything that could end it is gone: that is an end, too.
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }

    /// Waits until the end is past by more than it may take.
    pub(super) async fn overdue(&self) {
        self.ended().await;
        tokio::time::sleep(FAREWELL).await;
    }

    /// Counts a connection.
    pub(super) fn connection(&self) -> Connection {
        self.connections.send_modify(|count| *count += 1);
        Connection(self.connections.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

async fn end_when_abandoned(mut connections: watch::Receiver<usize>, ended: watch::Sender<bool>) {
    let mut patience = FIRST_CONNECTION;
    loop {
        let arrival = tokio::time::timeout(patience, connections.wait_for(|count| *count > 0));
        let connected = matches!(arrival.await, Ok(Ok(_)));
        if !connected {
            ended.send_replace(true);
            return;
        }
        patience = ABANDONED;
        if connections.wait_for(|count| *count == 0).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ABANDONED, FIRST_CONNECTION, Lifetime};
    use std::time::Duration;

    fn on_virtual_clock(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(test);
    }

    async fn ends_within(lifetime: &Lifetime, limit: Duration) -> bool {
        tokio::time::timeout(limit, lifetime.ended()).await.is_ok()
    }

    #[test]
    fn it_ends_when_nobody_comes() {
        on_virtual_clock(async {
            let lifetime = Lifetime::new(false);
            assert!(!ends_within(&lifetime, FIRST_CONNECTION / 2).await);
            assert!(ends_within(&lifetime, FIRST_CONNECTION).await);
        });
    }

    #[test]
    fn it_ends_when_everybody_has_left_for_good() {
        on_virtual_clock(async {
            let lifetime = Lifetime::new(false);
            let connection = lifetime.connection();
            assert!(!ends_within(&lifetime, FIRST_CONNECTION * 10).await);
            drop(connection);
            assert!(!ends_within(&lifetime, ABANDONED / 2).await);
            let connection = lifetime.connection();
            assert!(!ends_within(&lifetime, ABANDONED * 2).await);
            drop(connection);
            assert!(ends_within(&lifetime, ABANDONED * 2).await);
        });
    }

    #[test]
    fn a_patient_one_waits() {
        on_virtual_clock(async {
            let lifetime = Lifetime::new(true);
            drop(lifetime.connection());
            assert!(!ends_within(&lifetime, FIRST_CONNECTION * 10).await);
            lifetime.end();
            assert!(ends_within(&lifetime, Duration::from_secs(1)).await);
        });
    }
}
