//! One step of a chat within an open transaction: the locked row, what is changed of it, and
//! writing that back. Transitions are in [`apply`].

mod answers;
mod apply;
mod messages;

pub(super) use messages::user_message;

use api_types::ChatStatus;
use store::chats::{ChatMessageRow, ChatQueueRow, ChatRow, ChatState, MessageRange};
use store::{StoreError, Tx};
use uuid::Uuid;

use super::cut::cut_answer;
use super::{MachineError, Outcome, STALE_SECONDS};
use crate::live::{Committed, Versions};
use crate::state::{State, Transition, next};

/// Most messages that a viewer gets after an edit.
const MAX_HISTORY: i64 = 100_000;

/// One step.
pub(super) struct Step {
    tx: Tx,
    chat: ChatRow,
    before: Versions,
    state: ChatState,
    queued: i64,
    inserted: Vec<ChatMessageRow>,
    deleted: Vec<i64>,
    pushed: Option<ChatQueueRow>,
    queue_changed: bool,
    reset: bool,
    kinds: Vec<&'static str>,
}

impl Step {
    /// A step on a locked row.
    pub(super) fn new(tx: Tx, chat: ChatRow) -> Self {
        let mut state = ChatState::of(&chat);
        state.snapshot_version += 1;
        Step {
            before: Versions::of(&chat),
            queued: chat.queued,
            tx,
            chat,
            state,
            inserted: Vec::new(),
            deleted: Vec::new(),
            pushed: None,
            queue_changed: false,
            reset: false,
            kinds: Vec::new(),
        }
    }

    /// A step on a chat that this transaction has made.
    pub(super) fn created(tx: Tx, chat: ChatRow, inserted: Vec<ChatMessageRow>) -> Self {
        let mut step = Step::new(tx, chat);
        step.state.snapshot_version -= 1;
        step.inserted = inserted;
        step.kinds.push("created");
        step
    }

    pub(super) fn state(&self) -> State {
        State::of(&self.state.status, self.state.archived, self.queued > 0)
    }

    /// Checks a transition, and moves to where it leads.
    fn go(&mut self, from: State, transition: Transition) -> Result<(), MachineError> {
        let to = next(from, transition, self.queued > 0)?;
        let Some(status) = to.status() else {
            return Err(StoreError::Internal(format!("{to} has no status")).into());
        };
        let leaves_error = self.state.status == ChatStatus::Error && status != ChatStatus::Error;
        if leaves_error {
            self.state.last_error = None;
        }
        if status != ChatStatus::RequiresAction {
            self.state.requires_action_deadline_at = None;
        }
        self.state.status = status;
        Ok(())
    }

    fn check(&self, transition: Transition) -> Result<State, MachineError> {
        let from = self.state();
        next(from, transition, true)?;
        Ok(from)
    }

    /// Puts the chat away, or takes it out.
    pub(super) fn archive(&mut self, archived: bool) -> Result<(), MachineError> {
        let transition = if archived {
            Transition::Archive
        } else {
            Transition::Unarchive
        };
        let from = self.state();
        next(from, transition, self.queued > 0)?;
        self.state.archived = archived;
        self.state.pin_order = 0;
        self.kinds
            .push(if archived { "deleted" } else { "created" });
        Ok(())
    }

    /// Gives the chat to a run, and begins its first attempt if it is to generate. What another
    /// run left of an answer is kept.
    pub(super) async fn own(&mut self, worker: Uuid, runner: Uuid) -> Result<(), MachineError> {
        if self.state.runner_id.is_some() && self.state.generation_attempt > 0 {
            let attempt = (self.state.history_version, self.state.generation_attempt);
            let pieces = self.tx.chat_partial_take(self.chat.id, attempt).await?;
            let stopped = self.state.status == ChatStatus::Interrupting;
            let model = self.state.last_model_config_id;
            self.insert(cut_answer(pieces, stopped, model)).await?;
        }
        self.state.worker_id = Some(worker);
        self.state.runner_id = Some(runner);
        if matches!(self.state(), State::Running { .. }) {
            self.attempt()?;
        }
        Ok(())
    }

    fn attempt(&mut self) -> Result<(), MachineError> {
        let from = self.check(Transition::RecordAttempt)?;
        self.state.generation_attempt += 1;
        self.set_retry(None);
        self.go(from, Transition::RecordAttempt)
    }

    /// Whether a worker should take the chat in this step: it runs, and nobody alive has it.
    pub(super) async fn wants_owner(&self, worker: Uuid) -> Result<bool, MachineError> {
        if !self.state().is_runnable() {
            return Ok(false);
        }
        match (self.state.worker_id, self.state.runner_id) {
            (Some(owner), Some(_)) if owner == worker => Ok(false),
            (Some(owner), Some(_)) => Ok(!self.tx.chat_worker_alive(owner, STALE_SECONDS).await?),
            _ => Ok(true),
        }
    }

    /// Writes the row; what was done, and the transaction to commit.
    pub(super) async fn write(
        mut self,
    ) -> Result<(Committed, Outcome, bool, Vec<String>, Tx), MachineError> {
        let runnable = self.state().is_runnable();
        if !runnable {
            self.state.worker_id = None;
            self.state.runner_id = None;
        }
        self.tx.chat_state_write(self.chat.id, &self.state).await?;
        let queue = if self.queue_changed {
            Some(self.tx.chat_queue(self.chat.id).await?)
        } else {
            None
        };
        let reset = if self.reset {
            let range = MessageRange {
                ascending: true,
                limit: MAX_HISTORY,
                ..MessageRange::default()
            };
            Some(self.tx.chat_messages(self.chat.id, range).await?)
        } else {
            None
        };
        if self.state.status != self.before.status {
            self.kinds.push("status_change");
        }
        let work = runnable && self.state.runner_id.is_none();
        self.state.into_row(&mut self.chat);
        self.chat.queued = self.queued;
        let committed = Committed {
            chat: self.chat.clone(),
            before: self.before,
            inserted: self.inserted.clone(),
            reset,
            queue,
        };
        let outcome = Outcome {
            chat: self.chat,
            inserted: self.inserted,
            queued: self.pushed,
            deleted: self.deleted,
        };
        let kinds = self.kinds.into_iter().map(str::to_owned).collect();
        Ok((committed, outcome, work, kinds, self.tx))
    }
}
