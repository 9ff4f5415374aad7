//! The state machine on rows: each call is one transaction that locks the chat, applies
//! transitions, counts the snapshot up, announces and commits; only then anyone sees it.

mod create;
mod cut;
#[cfg(debug_assertions)]
mod death;
mod error;
mod family;
mod ops;
mod step;

pub use create::FirstMessage;
pub use error::MachineError;
pub use ops::{Fence, Op, Outcome, UserMessage};

use std::sync::{Arc, OnceLock};

use authz::{Action, Subject};
use store::Store;
use store::chats::{ChatChange, ChatRow};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::live::{Committed, Hub};
use step::Step;

/// Most messages that may wait; more would say that nobody reads the answers.
pub const MAX_QUEUED: i64 = 20;
/// Most files of one chat; older ones give way.
pub const MAX_FILES: i64 = 50;
/// How long a client may take to answer its own tools.
pub const ACTION_DEADLINE: chrono::Duration = chrono::Duration::minutes(5);
/// A replica that was silent for so long is dead: three heartbeats. With the pause between two
/// searches for free chats this stays below ten seconds.
pub const STALE_SECONDS: f64 = 7.5;

/// The machine. Cheap to clone.
#[derive(Clone)]
pub struct Machine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    hub: Hub,
    /// The worker of this process, which takes chats in the transaction that makes them run.
    claim: OnceLock<Claim>,
}

/// A chat that was taken.
#[derive(Debug)]
pub struct Claimed {
    /// The chat as it was committed.
    pub chat: ChatRow,
    /// The run.
    pub runner: Uuid,
}

/// How transactions take chats for the worker of this process.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The replica.
    pub worker: Uuid,
    /// Where chats taken go. Full, chats are left to the search for free ones.
    pub taken: mpsc::Sender<Claimed>,
}

impl Machine {
    /// A machine over a migrated database.
    pub fn new(store: Store, hub: Hub) -> Self {
        Machine {
            inner: Arc::new(Inner {
                store,
                hub,
                claim: OnceLock::new(),
            }),
        }
    }

    /// From now on, chats that begin to run in this process are taken for its worker.
    pub(crate) fn claim_for(&self, claim: Claim) {
        // A second worker of one process, as in tests, finds its chats itself.
        let _ = self.inner.claim.set(claim);
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Where viewers are.
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// Applies transitions in the name of `who`, all or none.
    ///
    /// # Errors
    /// [`MachineError`].
    pub async fn apply(
        &self,
        who: &Subject,
        chat: Uuid,
        ops: Vec<Op>,
    ) -> Result<Outcome, MachineError> {
        self.apply_with(who, chat, None, ops).await
    }

    /// Applies transitions within a worker's run.
    ///
    /// # Errors
    /// [`MachineError::Fenced`] if the run is not the chat's any more.
    pub async fn apply_with(
        &self,
        who: &Subject,
        chat: Uuid,
        fence: Option<Fence>,
        ops: Vec<Op>,
    ) -> Result<Outcome, MachineError> {
        let tx = self.inner.store.begin(who).await?;
        let row = tx.chat_lock(who, Action::Update, chat).await?;
        if let Some(fence) = fence {
            let ours = row.worker_id == Some(fence.worker)
                && row.runner_id == Some(fence.runner)
                && row.history_version == fence.history
                && fence.attempt.is_none_or(|a| row.generation_attempt == a);
            if !ours {
                return Err(MachineError::Fenced);
            }
        }
        let mut step = Step::new(tx, row);
        for op in ops {
            // On the heap: a transition is large, and every caller would carry it.
            Box::pin(step.apply(op)).await?;
        }
        Box::pin(self.finish(step)).await
    }

    /// Takes a free chat for a worker, if it still is free; begins the next attempt with it
    /// if it is to generate.
    ///
    /// # Errors
    /// [`MachineError`].
    pub(crate) async fn acquire(
        &self,
        who: &Subject,
        chat: Uuid,
        worker: Uuid,
        stop_seconds: f64,
    ) -> Result<Option<Claimed>, MachineError> {
        let tx = self.inner.store.begin(who).await?;
        let row = tx.chat_lock(who, Action::Update, chat).await?;
        let state = crate::state::State::of(&row.status, row.archived, row.queued > 0);
        if !state.is_runnable() {
            return Ok(None);
        }
        if let (Some(owner), Some(_)) = (row.worker_id, row.runner_id) {
            let slow_stop = row.status == api_types::ChatStatus::Interrupting
                && tx.now().await? - row.updated_at
                    > chrono::Duration::milliseconds((stop_seconds * 1000.0) as i64);
            if !slow_stop && tx.chat_worker_alive(owner, STALE_SECONDS).await? {
                return Ok(None);
            }
        }
        let mut step = Step::new(tx, row);
        let runner = Uuid::new_v4();
        step.own(worker, runner).await?;
        let outcome = self.finish(step).await?;
        Ok(Some(Claimed {
            chat: outcome.chat,
            runner,
        }))
    }

    /// Commits what a step did and tells of it.
    async fn finish(&self, mut step: Step) -> Result<Outcome, MachineError> {
        let claim = self.claim(&mut step).await?;
        let (committed, outcome, work, kinds, tx) = step.write().await?;
        let change = ChatChange {
            chat: outcome.chat.id,
            owner: outcome.chat.owner_id,
            snapshot: outcome.chat.snapshot_version,
            origin: self.inner.hub.origin(),
            work: work && claim.is_none(),
            kinds,
        };
        tx.chat_announce(&change).await?;
        #[cfg(debug_assertions)]
        death::before_commit();
        tx.commit().await?;
        #[cfg(debug_assertions)]
        death::after_commit();
        self.told(&committed, change);
        if let Some((permit, runner)) = claim {
            permit.send(Claimed {
                chat: outcome.chat.clone(),
                runner,
            });
        }
        Ok(outcome)
    }

    fn told(&self, committed: &Committed, change: ChatChange) {
        self.inner.hub.publish(committed);
        self.inner.hub.announce(change);
    }

    /// Takes a chat that begins to run for the worker of this process, if nobody has it.
    async fn claim(
        &self,
        step: &mut Step,
    ) -> Result<Option<(mpsc::OwnedPermit<Claimed>, Uuid)>, MachineError> {
        let Some(claim) = self.inner.claim.get() else {
            return Ok(None);
        };
        if !step.wants_owner(claim.worker).await? {
            return Ok(None);
        }
        let Ok(permit) = claim.taken.clone().try_reserve_owned() else {
            return Ok(None);
        };
        let runner = Uuid::new_v4();
        step.own(claim.worker, runner).await?;
        Ok(Some((permit, runner)))
    }
}
