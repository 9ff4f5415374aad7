//! Each transition: what it checks, what it writes, and where the chat stands then.

use api_types::ChatMessageRole;
use store::StoreError;
use store::chats::QueuedChange;

use super::Step;
use super::answers::why;
use super::messages::no_queued;
use crate::machine::{ACTION_DEADLINE, MachineError, Op, UserMessage};
use crate::state::{State, Transition};

impl Step {
    pub(in crate::machine) async fn apply(&mut self, op: Op) -> Result<(), MachineError> {
        match op {
            Op::Send(message, interrupt) => self.send(message, interrupt).await,
            Op::Edit {
                message,
                content,
                model_config_id,
                reasoning_effort,
                created_by,
            } => {
                let new = UserMessage {
                    content,
                    model_config_id: model_config_id.unwrap_or_default(),
                    reasoning_effort,
                    created_by,
                };
                self.edit(message, new, model_config_id.is_some()).await
            }
            Op::Interrupt => {
                let from = self.check(Transition::Interrupt)?;
                if matches!(from, State::Action { .. }) {
                    self.answer_open(why::INTERRUPTED, true).await?;
                }
                self.go(from, Transition::Interrupt)
            }
            Op::RequestCompaction => {
                let from = self.check(Transition::RequestCompaction)?;
                self.need_conversation().await?;
                self.go(from, Transition::RequestCompaction)?;
                self.state.compaction_requested_at = Some(self.tx.now().await?);
                self.history_changed();
                Ok(())
            }
            Op::Clear => {
                let from = self.check(Transition::Clear)?;
                self.need_conversation().await?;
                self.answer_open(why::NEW_MESSAGE, false).await?;
                self.insert(crate::compaction::cleared()).await?;
                self.go(from, Transition::Clear)
            }
            Op::RecordAttempt(calls) => {
                self.attempt()?;
                if let Some((message, calls)) = calls {
                    // 0 stands for the answer that this very step wrote.
                    let message = match message {
                        0 => self.last_answer()?,
                        id => id,
                    };
                    let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
                    let runner = self.state.runner_id.unwrap_or_default();
                    self.tx
                        .chat_tool_runs_begin(self.chat.id, message, runner, &calls)
                        .await?;
                }
                Ok(())
            }
            Op::RecordRetry(retry) => {
                let from = self.check(Transition::RecordRetry)?;
                self.set_retry(Some(retry));
                self.go(from, Transition::RecordRetry)
            }
            Op::CommitStep(messages) => {
                let from = self.check(Transition::CommitStep)?;
                self.insert(messages).await?;
                self.go(from, Transition::CommitStep)
            }
            Op::CompactionDone => {
                self.state.compaction_requested_at = None;
                Ok(())
            }
            Op::EnterRequiresAction => {
                let from = self.check(Transition::EnterRequiresAction)?;
                self.go(from, Transition::EnterRequiresAction)?;
                self.state.requires_action_deadline_at =
                    Some(self.tx.now().await? + ACTION_DEADLINE);
                self.kinds.push("action_required");
                Ok(())
            }
            Op::CompleteRequiresAction(results) => {
                let from = self.check(Transition::CompleteRequiresAction)?;
                self.complete(results).await?;
                self.go(from, Transition::CompleteRequiresAction)
            }
            Op::CancelRequiresAction(why) => {
                let from = self.check(Transition::CancelRequiresAction)?;
                self.answer_open(why, true).await?;
                self.go(from, Transition::CancelRequiresAction)
            }
            Op::FinishTurn => {
                let from = self.check(Transition::FinishTurn)?;
                self.answer_open(why::FINISHED, false).await?;
                self.finish_with_queue(from, Transition::FinishTurn).await
            }
            Op::FinishError(error) => {
                let from = self.check(Transition::FinishError)?;
                self.set_retry(None);
                self.state.compaction_requested_at = None;
                self.go(from, Transition::FinishError)?;
                self.state.last_error = Some(error);
                Ok(())
            }
            Op::FinishInterruption(partial) => {
                let from = self.check(Transition::FinishInterruption)?;
                self.insert(partial).await?;
                self.answer_open(why::INTERRUPTED, false).await?;
                self.state.compaction_requested_at = None;
                self.finish_with_queue(from, Transition::FinishInterruption)
                    .await
            }
            Op::DeleteQueued(id) => {
                let from = self.check(Transition::DeleteQueued)?;
                self.tx
                    .chat_queue_remove(self.chat.id, id)
                    .await
                    .map_err(no_queued)?;
                self.queued -= 1;
                self.queue_changed();
                self.go(from, Transition::DeleteQueued)?;
                self.resume_if_free().await
            }
            Op::EditQueued(id, change) => self.edit_queued(id, change).await,
            Op::Promote(id) => self.promote(id).await,
            Op::ReconcileInvalid => {
                let from = self.check(Transition::ReconcileInvalid)?;
                self.answer_open(why::INVALID, false).await?;
                self.state.archived = false;
                self.go(from, Transition::ReconcileInvalid)?;
                self.state.last_error = Some(api_types::ChatError {
                    message: "The chat was in an invalid state and has been repaired. Send a \
                              message to go on."
                        .to_owned(),
                    kind: api_types::ChatErrorKind::Generic,
                    ..Default::default()
                });
                Ok(())
            }
        }
    }

    async fn send(&mut self, message: UserMessage, interrupt: bool) -> Result<(), MachineError> {
        let transition = if interrupt {
            Transition::SendInterrupt
        } else {
            Transition::Send
        };
        let from = self.check(transition)?;
        match from {
            State::Waiting | State::Error { queued: false } => {
                self.answer_open(why::NEW_MESSAGE, false).await?;
                self.insert_user(&message, None).await?;
            }
            State::Error { queued: true } => {
                self.enqueue(&message, interrupt).await?;
                self.answer_open(why::NEW_MESSAGE, false).await?;
                if self.head_is_edited().await? {
                    return self.go(from, Transition::Pause);
                }
                self.start_head().await?;
            }
            State::Paused if interrupt => {
                self.enqueue(&message, true).await?;
                self.start_head().await?;
            }
            State::Action { .. } => {
                self.enqueue(&message, interrupt).await?;
                if interrupt {
                    self.answer_open(why::NEW_MESSAGE, true).await?;
                }
            }
            _ => self.enqueue(&message, interrupt).await?,
        }
        self.go(from, transition)
    }

    /// Puts a message at the end of the queue; one that is said at once goes before a head that is
    /// being changed, or it would wait for that.
    async fn enqueue(&mut self, message: &UserMessage, at_once: bool) -> Result<(), MachineError> {
        let goes_first = at_once && self.head_is_edited().await?;
        self.push(message).await?;
        if goes_first && let Some(pushed) = &self.pushed {
            self.tx.chat_queue_promote(self.chat.id, pushed.id).await?;
        }
        Ok(())
    }

    async fn edit(
        &mut self,
        id: i64,
        mut new: UserMessage,
        model_given: bool,
    ) -> Result<(), MachineError> {
        let from = self.check(Transition::Edit)?;
        let old =
            self.tx
                .chat_message_read(self.chat.id, id)
                .await
                .map_err(|error| match error {
                    StoreError::NotFound => MachineError::NoMessage,
                    other => other.into(),
                })?;
        if old.role != ChatMessageRole::User || old.compressed {
            return Err(MachineError::NotUserMessage);
        }
        if !model_given {
            new.model_config_id = old
                .model_config_id
                .unwrap_or(self.state.last_model_config_id);
        }
        self.deleted = self
            .tx
            .chat_messages_delete_from(self.chat.id, id, self.state.snapshot_version)
            .await?;
        if self.queued > 0 {
            self.tx.chat_queue_clear(self.chat.id).await?;
            self.queued = 0;
            self.queue_changed();
        }
        self.reset = true;
        self.state.compaction_requested_at = None;
        self.insert_user(&new, None).await?;
        self.go(from, Transition::Edit)
    }

    async fn promote(&mut self, id: i64) -> Result<(), MachineError> {
        let from = self.check(Transition::Promote)?;
        self.tx
            .chat_queue_promote(self.chat.id, id)
            .await
            .map_err(no_queued)?;
        self.queue_changed();
        if matches!(
            from,
            State::Error { .. } | State::Action { .. } | State::Paused
        ) {
            self.answer_open(why::PROMOTED, false).await?;
            self.start_head().await?;
        }
        self.go(from, Transition::Promote)
    }

    async fn edit_queued(&mut self, id: i64, change: QueuedChange) -> Result<(), MachineError> {
        let from = self.check(Transition::EditQueued)?;
        let queue = self.tx.chat_queue(self.chat.id).await?;
        if queue.iter().all(|row| row.id != id) {
            return Err(MachineError::NoQueuedMessage);
        }
        let is_next = queue.first().is_some_and(|row| row.id == id);
        if from == State::Paused && change.editing == Some(true) && !is_next {
            return Err(MachineError::NotNext);
        }
        self.tx
            .chat_queue_update(self.chat.id, id, &change)
            .await
            .map_err(no_queued)?;
        if let Some(content) = &change.content {
            self.link_files(content).await?;
        }
        self.queue_changed();
        self.go(from, Transition::EditQueued)?;
        self.resume_if_free().await
    }

    /// Begins the next turn of a paused chat if nobody changes its head any more.
    async fn resume_if_free(&mut self) -> Result<(), MachineError> {
        if self.state() != State::Paused || self.head_is_edited().await? {
            return Ok(());
        }
        self.start_head().await?;
        self.go(State::Paused, Transition::Resume)
    }

    async fn head_is_edited(&self) -> Result<bool, MachineError> {
        let queue = self.tx.chat_queue(self.chat.id).await?;
        let head = queue.first();
        Ok(head.is_some_and(|row| row.editing_since.is_some()))
    }

    async fn finish_with_queue(
        &mut self,
        from: State,
        transition: Transition,
    ) -> Result<(), MachineError> {
        self.set_retry(None);
        if self.queued > 0 {
            if self.head_is_edited().await? {
                return self.go(from, Transition::Pause);
            }
            self.start_head().await?;
        }
        // What is left of the queue decides; that it was not empty is known from `from`.
        self.go(from, transition)
    }

    async fn need_conversation(&self) -> Result<(), MachineError> {
        let rows = self.tx.chat_messages_for_model(self.chat.id).await?;
        let said = rows.iter().any(|m| {
            !m.compressed && m.role != ChatMessageRole::System && m.visibility.for_model()
        });
        if said {
            Ok(())
        } else {
            Err(MachineError::NothingToCompact)
        }
    }
}
