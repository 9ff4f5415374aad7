//! Uses of keys, collected and written down in batches, so that no request
//! waits for it.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use store::KeyUse;

use crate::Control;

/// Pause between batches.
const EVERY: Duration = Duration::from_secs(5);
/// Uses held at most; beyond, the oldest batch is late anyway and more are dropped:
/// the next request of the key brings its use again.
const MAX: usize = 10_000;

/// Uses by key, waiting to be written.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<String, KeyUse>>);

impl Uses {
    pub(crate) fn note(&self, used: KeyUse) {
        let mut uses = self.0.lock();
        if uses.len() < MAX || uses.contains_key(&used.key_id) {
            uses.insert(used.key_id.clone(), used);
        }
    }
}

impl Control {
    pub(super) async fn uses_run(&self) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.uses_flush().await;
        }
    }

    /// Writes down all collected uses.
    pub(super) async fn uses_flush(&self) {
        let uses: Vec<KeyUse> = self
            .inner
            .uses
            .0
            .lock()
            .drain()
            .map(|(_, used)| used)
            .collect();
        if uses.is_empty() {
            return;
        }
        match self.store().key_uses_note(&uses).await {
            Ok(()) => {
                for used in &uses {
                    self.sessions_forget(Some(used.user_id));
                }
            }
            Err(error) => tracing::warn!(%error, "uses of keys were not noted"),
        }
    }
}
