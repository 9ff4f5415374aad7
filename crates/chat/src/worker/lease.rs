//! A run's hold on its chat: what it knows of the row, and whether that still holds.

use std::sync::Arc;
use std::time::Duration;

use api_types::ChatStatus;
use store::StoreError;
use store::chats::ChatRow;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Poke, Shared};
use crate::machine::{Claimed, Fence, MachineError, Op, Outcome};

/// Pause before a row that could not be read is read again.
const RETRY: Duration = Duration::from_millis(500);

/// A run's hold on its chat.
pub(crate) struct Lease {
    pub(crate) shared: Arc<Shared>,
    /// The row as the run knows it.
    pub(crate) chat: ChatRow,
    /// The run.
    pub(crate) runner: Uuid,
    poked: watch::Receiver<Poke>,
    /// Up to which snapshot the row was read.
    seen: i64,
    /// How often it was read after something may have been missed.
    missed: u64,
}

impl Lease {
    pub(crate) fn new(shared: Arc<Shared>, claimed: Claimed, poked: watch::Receiver<Poke>) -> Self {
        Lease {
            shared,
            missed: 0,
            seen: claimed.chat.snapshot_version,
            chat: claimed.chat,
            runner: claimed.runner,
            poked,
        }
    }

    /// Whether the chat is still this run's.
    pub(crate) fn is_ours(&self) -> bool {
        self.chat.runner_id == Some(self.runner)
    }

    /// Applies transitions, if nothing came between.
    pub(crate) async fn apply(
        &mut self,
        attempt: Option<i64>,
        ops: Vec<Op>,
    ) -> Result<Outcome, MachineError> {
        let fence = Fence {
            worker: self.shared.id,
            runner: self.runner,
            history: self.chat.history_version,
            attempt,
        };
        let machine = &self.shared.parts.machine;
        let outcome = machine
            .apply_with(&self.shared.who, self.chat.id, Some(fence), ops)
            .await?;
        self.chat = outcome.chat.clone();
        self.seen = self.chat.snapshot_version;
        Ok(outcome)
    }

    /// Reads the row.
    pub(crate) async fn reload(&mut self) -> Result<(), StoreError> {
        let conn = self.shared.parts.machine.store().conn().await?;
        self.chat = conn.chat_read(&self.shared.who, self.chat.id).await?;
        self.seen = self.chat.snapshot_version;
        Ok(())
    }

    /// Ends when what the run does is not wanted any more: another run has the chat, the user
    /// stopped it, or the history changed. Then the row is read already.
    pub(crate) async fn broken(&mut self) {
        let history = self.chat.history_version;
        let status = self.chat.status.clone();
        loop {
            let said = *self.poked.borrow_and_update();
            let news = said.snapshot > self.seen || said.missed > self.missed;
            if news {
                if !self.reload_quietly(said).await {
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
                let same = self.is_ours()
                    && self.chat.history_version == history
                    && self.chat.status == status;
                if !same {
                    return;
                }
            }
            if self.poked.changed().await.is_err() {
                // The worker replaced this run.
                return;
            }
        }
    }

    /// Reads the row; whether that succeeded. A database that is away breaks nothing by itself.
    async fn reload_quietly(&mut self, said: Poke) -> bool {
        match self.reload().await {
            Ok(()) => {
                self.seen = self.seen.max(said.snapshot);
                self.missed = said.missed;
                true
            }
            Err(StoreError::NotFound) => {
                self.chat.runner_id = None;
                true
            }
            Err(error) => {
                tracing::debug!(%error, chat = %self.chat.id, "chats: a row could not be read");
                false
            }
        }
    }

    /// Whether the user asked this run to stop.
    pub(crate) fn is_to_stop(&self) -> bool {
        self.is_ours() && self.chat.status == ChatStatus::Interrupting
    }
}
