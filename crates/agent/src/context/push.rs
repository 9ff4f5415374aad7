//! Telling the server what was found.

use std::time::Duration;

use rpc::AgentClient;

use super::Context;

/// Shortest and longest pause before something that failed is tried again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

impl Context {
    /// Tells the server what was found and what changes, for the life of a connection.
    /// Ends with the connection, or for good with a server that does not want to know.
    pub async fn push(&self, client: &AgentClient) -> Result<(), rpc::drpc::Error> {
        let mut changes = self.latest.subscribe();
        let mut initial = true;
        let mut pause = BACKOFF.0;
        loop {
            let snapshot = changes.borrow_and_update().clone();
            if snapshot.version > 0 {
                match client.push_context_state(&snapshot.to_push(initial)).await {
                    // One that is not accepted is older than what the server knows.
                    Ok(_) => {
                        initial = false;
                        pause = BACKOFF.0;
                        self.pushed.send_replace(snapshot.version);
                    }
                    Err(error) if error.is_unimplemented() => {
                        tracing::debug!("the server does not take context of the workspace");
                        return std::future::pending().await;
                    }
                    Err(error @ rpc::drpc::Error::Refused(_)) => {
                        tracing::debug!(%error, "context of the workspace was refused");
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(BACKOFF.1);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            // The sender lives as long as the context itself.
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}
