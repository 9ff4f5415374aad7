//! The worker: finds chats with something to do, leases them, and runs each in a task.
//!
//! A replica's lease is its heartbeat, one row whatever the number of its chats. A run is
//! fenced by its runner id: every write of it checks that the chat is still its own, so that a
//! replica that was thought dead does no harm. One that died on this machine is known to have
//! died ([`process`]), and its chats are free at once. Word of work comes by notification; a search
//! runs beside it as a net.

mod lease;
mod process;
mod side;

pub(crate) use lease::Lease;
pub(crate) use side::SideCalls;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use api_types::{ChatError, ChatErrorKind, ChatStatus};
use authz::{Policy, Subject, System};
use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::generate::Runner;
use crate::machine::{Claim, Claimed, Machine, MachineError, Op, STALE_SECONDS};
use crate::models::Models;
use crate::tools::Toolbox;

/// How often a replica says that it lives: a third of [`STALE_SECONDS`].
const BEAT: Duration = Duration::from_millis(2500);
/// How often free chats are searched for beside notifications.
const SEARCH: Duration = Duration::from_millis(1500);
/// A chat that is to stop and whose worker did not react is taken over after this.
const STOP_SECONDS: f64 = 1.5;
/// Chats of one search.
const BATCH: i64 = 100;
/// Replicas that were silent for so long are forgotten.
const FORGET_SECONDS: f64 = 3600.0;
/// Chats taken by transactions whose runs have not begun yet.
const TAKEN: usize = 1024;

/// What a worker works with.
#[derive(Clone)]
pub struct Parts {
    /// The machine of chats.
    pub machine: Machine,
    /// Models.
    pub models: Arc<dyn Models>,
    /// Tools.
    pub toolbox: Arc<dyn Toolbox>,
    /// Switches of the access model, for acting as owners.
    pub policy: Policy,
    /// The URL by which other replicas reach this one; empty if they do not.
    pub url: String,
}

/// What all runs of a worker share.
pub(crate) struct Shared {
    pub(crate) parts: Parts,
    /// The replica.
    pub(crate) id: Uuid,
    /// In whose name rows are written.
    pub(crate) who: Subject,
    /// The process that it is.
    process: String,
    runners: Mutex<HashMap<Uuid, Handle>>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

/// What a run was told of its chat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Poke {
    /// The newest snapshot heard of.
    pub(crate) snapshot: i64,
    /// How often something may have been missed.
    pub(crate) missed: u64,
}

struct Handle {
    runner: Uuid,
    poke: watch::Sender<Poke>,
}

/// How a worker begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Neighbours {
    /// Other replicas may share the database.
    #[default]
    Possible,
    /// The database is this process's own: whoever worked before is dead.
    None,
}

/// Works until cancelled. Chats under way are left to other replicas then, at once.
pub async fn run(parts: Parts, neighbours: Neighbours, cancel: CancellationToken) {
    let shared = Arc::new(Shared {
        parts,
        id: Uuid::new_v4(),
        who: Subject::system(System::Chats),
        process: process::own(),
        runners: Mutex::default(),
        tasks: TaskTracker::new(),
        cancel: cancel.clone(),
    });
    shared.parts.machine.hub().worker_began(shared.id);
    if !shared.join(neighbours).await {
        return;
    }
    let (taken, mut claimed) = mpsc::channel(TAKEN);
    let mut changes = shared.parts.machine.hub().changes();
    shared.parts.machine.claim_for(Claim {
        worker: shared.id,
        taken,
    });
    let beat = tokio::spawn(shared.clone().beat());
    let mut search = tokio::time::interval(SEARCH);
    search.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            Some(claimed) = claimed.recv() => shared.start(claimed),
            change = changes.recv() => match change {
                Ok(Some(change)) => {
                    shared.poke(change.chat, change.snapshot);
                    if change.work {
                        let shared = shared.clone();
                        let chat = change.chat;
                        shared.tasks.clone().spawn(async move { shared.acquire(chat).await });
                    }
                }
                Ok(None) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    shared.poke_all();
                    search.reset_immediately();
                }
                Err(broadcast::error::RecvError::Closed) => break,
            },
            _ = search.tick() => {
                let shared = shared.clone();
                // One after the other, and not in the way of chats that wait to be started.
                shared.tasks.clone().spawn(async move { shared.search().await });
            }
        }
    }
    beat.abort();
    shared.leave().await;
}

impl Shared {
    /// Says for the first time that this replica lives; whether it may begin.
    async fn join(&self, neighbours: Neighbours) -> bool {
        loop {
            let joined = async {
                let conn = self.parts.machine.store().conn().await?;
                if neighbours == Neighbours::None {
                    conn.chat_worker_leave(&self.who, None, 0.0).await?;
                }
                for (worker, process) in conn.chat_worker_processes(&self.who).await? {
                    if process::has_ended(&process) {
                        conn.chat_worker_leave(&self.who, Some(worker), FORGET_SECONDS)
                            .await?;
                    }
                }
                conn.chat_worker_beat(&self.who, self.id, &self.parts.url, &self.process)
                    .await
            };
            match joined.await {
                Ok(()) => return true,
                Err(error) => tracing::warn!(%error, "chats: the worker cannot begin yet"),
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                () = self.cancel.cancelled() => return false,
            }
        }
    }

    async fn beat(self: Arc<Self>) {
        let mut tick = tokio::time::interval(BEAT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beats = 0_u32;
        loop {
            tick.tick().await;
            let beaten = async {
                let conn = self.parts.machine.store().conn().await?;
                conn.chat_worker_beat(&self.who, self.id, &self.parts.url, &self.process)
                    .await?;
                if beats.is_multiple_of(100) {
                    conn.chat_worker_leave(&self.who, None, FORGET_SECONDS)
                        .await?;
                }
                Ok::<_, store::StoreError>(())
            };
            if let Err(error) = beaten.await {
                tracing::warn!(%error, "chats: no heartbeat; others may take this replica's chats");
            }
            beats = beats.wrapping_add(1);
        }
    }

    /// Takes every free chat.
    async fn search(self: Arc<Self>) {
        loop {
            let found = async {
                let conn = self.parts.machine.store().conn().await?;
                conn.chat_work_candidates(&self.who, STALE_SECONDS, STOP_SECONDS, BATCH)
                    .await
            };
            let found = match found.await {
                Ok(found) => found,
                Err(error) => {
                    tracing::debug!(%error, "chats: no search for work");
                    return;
                }
            };
            let count = found.len() as i64;
            let mut taken = 0;
            for candidate in found {
                if self.cancel.is_cancelled() {
                    return;
                }
                taken += i64::from(self.acquire(candidate.id).await);
            }
            if count < BATCH || taken == 0 {
                return;
            }
        }
    }

    /// Takes one chat, if it is free.
    async fn acquire(self: &Arc<Self>, chat: Uuid) -> bool {
        let machine = &self.parts.machine;
        match machine
            .acquire(&self.who, chat, self.id, STOP_SECONDS)
            .await
        {
            Ok(Some(claimed)) => {
                self.start(claimed);
                true
            }
            Ok(None) | Err(MachineError::Store(store::StoreError::NotFound)) => false,
            Err(error) => {
                tracing::warn!(%error, %chat, "chats: a chat could not be taken");
                false
            }
        }
    }

    fn start(self: &Arc<Self>, claimed: Claimed) {
        if self.cancel.is_cancelled() {
            return;
        }
        let chat = claimed.chat.id;
        let runner = claimed.runner;
        let (poke, poked) = watch::channel(Poke {
            snapshot: claimed.chat.snapshot_version,
            missed: 0,
        });
        // A run before this one finds itself fenced.
        self.runners.lock().insert(chat, Handle { runner, poke });
        let shared = self.clone();
        self.tasks.spawn(async move {
            let lease = Lease::new(shared.clone(), claimed, poked);
            let cancel = shared.cancel.clone();
            let run = AssertUnwindSafe(Box::pin(Runner::new(lease).run())).catch_unwind();
            let panicked = tokio::select! {
                ended = run => ended.is_err(),
                () = cancel.cancelled() => false,
            };
            if panicked {
                shared.broke(chat, runner).await;
            }
            let mut runners = shared.runners.lock();
            if runners.get(&chat).is_some_and(|h| h.runner == runner) {
                runners.remove(&chat);
            }
        });
    }

    /// A run panicked: the user must not wait for it.
    async fn broke(&self, chat: Uuid, runner: Uuid) {
        tracing::error!(%chat, "chats: a run panicked");
        let machine = &self.parts.machine;
        let told = async {
            let row = machine
                .store()
                .conn()
                .await?
                .chat_read(&self.who, chat)
                .await?;
            if row.runner_id != Some(runner) {
                return Ok(());
            }
            let op = match row.status {
                ChatStatus::Interrupting => Op::FinishInterruption(Vec::new()),
                _ => Op::FinishError(ChatError {
                    message: "The server failed while it worked on this chat. This is a bug; its \
                              log tells more. Send a message to try again."
                        .to_owned(),
                    kind: ChatErrorKind::Generic,
                    ..ChatError::default()
                }),
            };
            machine.apply(&self.who, chat, vec![op]).await.map(|_| ())
        };
        if let Err(error) = told.await {
            tracing::error!(%error, %chat, "chats: a run that panicked is left as it is");
        }
    }

    fn poke(&self, chat: Uuid, snapshot: i64) {
        if let Some(handle) = self.runners.lock().get(&chat) {
            handle.poke.send_if_modified(|known| {
                let newer = known.snapshot < snapshot;
                known.snapshot = snapshot.max(known.snapshot);
                newer
            });
        }
    }

    fn poke_all(&self) {
        for handle in self.runners.lock().values() {
            handle.poke.send_modify(|known| known.missed += 1);
        }
    }

    /// Runs something beside the runs, until the worker ends.
    pub(crate) fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = work => {}
                () = cancel.cancelled() => {}
            }
        });
    }

    /// Runs something that the end of the worker waits for; it has to be short.
    pub(crate) fn to_the_end(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    async fn leave(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        let left = async {
            let conn = self.parts.machine.store().conn().await?;
            conn.chat_worker_leave(&self.who, Some(self.id), FORGET_SECONDS)
                .await
        };
        if let Err(error) = left.await {
            tracing::debug!(%error, "chats: others notice the end of this worker by its silence");
        }
    }
}
