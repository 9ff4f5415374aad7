//! Transitions within one open transaction.

use api_types::{ChatMessagePart, ChatMessageRole, ChatStatus};
use store::chats::{
    ChatMessageRow, ChatQueueRow, ChatRow, ChatState, MessageRange, NewChatMessage, NewQueued,
    Visibility,
};
use store::{StoreError, Tx};
use uuid::Uuid;

use super::cut::cut_answer;
use super::{
    ACTION_DEADLINE, MAX_FILES, MAX_QUEUED, MachineError, Op, Outcome, STALE_SECONDS, UserMessage,
};
use crate::history;
use crate::live::{Committed, Versions};
use crate::state::{State, Transition, next};

/// Most messages that a viewer gets after an edit.
const MAX_HISTORY: i64 = 100_000;

/// Why answers were made up.
mod why {
    pub(super) const NEW_MESSAGE: &str =
        "The tool call was not completed: the user sent a new message.";
    pub(super) const PROMOTED: &str =
        "The tool call was not completed: a queued message was sent instead.";
    pub(super) const INTERRUPTED: &str = "The tool call was interrupted by the user. It may have \
        had effects already: check before you repeat it.";
    pub(super) const FINISHED: &str = "The tool call was not completed before the turn ended.";
    pub(super) const INVALID: &str =
        "The tool call was lost: the chat was found in an invalid state and repaired.";
}

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

    pub(super) async fn apply(&mut self, op: Op) -> Result<(), MachineError> {
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
                self.go(from, Transition::DeleteQueued)
            }
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
                self.push(&message).await?;
                self.answer_open(why::NEW_MESSAGE, false).await?;
                self.start_head().await?;
            }
            State::Action { .. } => {
                self.push(&message).await?;
                if interrupt {
                    self.answer_open(why::NEW_MESSAGE, true).await?;
                }
            }
            _ => self.push(&message).await?,
        }
        self.go(from, transition)
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
        if matches!(from, State::Error { .. } | State::Action { .. }) {
            self.answer_open(why::PROMOTED, false).await?;
            self.start_head().await?;
        }
        self.go(from, Transition::Promote)
    }

    async fn finish_with_queue(
        &mut self,
        from: State,
        transition: Transition,
    ) -> Result<(), MachineError> {
        self.set_retry(None);
        if self.queued > 0 {
            self.start_head().await?;
        }
        // What is left of the queue decides; that it was not empty is known from `from`.
        self.go(from, transition)
    }

    /// The client's answers: exactly the open calls of its tools.
    async fn complete(&mut self, results: Vec<ChatMessagePart>) -> Result<(), MachineError> {
        let tail = self.tail().await?;
        let open = history::open_dynamic_calls(&tail, &self.chat.dynamic_tools);
        let bad = |text: String| Err(MachineError::ToolResults(text));
        for result in &results {
            if !open
                .iter()
                .any(|call| call.tool_call_id == result.tool_call_id)
            {
                return bad(format!(
                    "No call {:?} waits for a result.",
                    result.tool_call_id
                ));
            }
        }
        let mut ordered = Vec::with_capacity(open.len());
        for call in &open {
            let mut found = results
                .iter()
                .filter(|r| r.tool_call_id == call.tool_call_id);
            match (found.next(), found.next()) {
                (Some(one), None) => {
                    let mut one = one.clone();
                    one.tool_name.clone_from(&call.tool_name);
                    ordered.push(one);
                }
                (None, _) => {
                    return bad(format!(
                        "The result of call {:?} is missing.",
                        call.tool_call_id
                    ));
                }
                _ => {
                    return bad(format!(
                        "Call {:?} was answered more than once.",
                        call.tool_call_id
                    ));
                }
            }
        }
        self.insert(results_message(ordered)).await
    }

    /// Answers open calls, those of the client only or all.
    async fn answer_open(&mut self, why: &str, dynamic_only: bool) -> Result<(), MachineError> {
        let tail = self.tail().await?;
        let dynamic = &self.chat.dynamic_tools;
        let results: Vec<ChatMessagePart> = history::open_calls(&tail)
            .into_iter()
            .filter(|call| !dynamic_only || dynamic.iter().any(|t| t.name == call.tool_name))
            .map(|call| history::synthetic_result(call, why))
            .collect();
        if results.is_empty() {
            return Ok(());
        }
        self.insert(results_message(results)).await
    }

    /// The last assistant message and what follows it.
    async fn tail(&self) -> Result<Vec<ChatMessageRow>, MachineError> {
        // What this step wrote ends with an answer of the model: nothing before it matters.
        if let Some(last) = self
            .inserted
            .iter()
            .rposition(|m| m.role == ChatMessageRole::Assistant && m.visibility.for_model())
        {
            return Ok(self.inserted[last..].to_vec());
        }
        Ok(self.tx.chat_messages_tail(self.chat.id).await?)
    }

    fn last_answer(&self) -> Result<i64, MachineError> {
        let last = self
            .inserted
            .iter()
            .rev()
            .find(|m| m.role == ChatMessageRole::Assistant);
        last.map(|m| m.id).ok_or_else(|| {
            StoreError::Internal("calls without the message that made them".to_owned()).into()
        })
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

    async fn push(&mut self, message: &UserMessage) -> Result<(), MachineError> {
        if self.queued >= MAX_QUEUED {
            return Err(MachineError::QueueFull);
        }
        let row = self
            .tx
            .chat_queue_push(
                self.chat.id,
                &NewQueued {
                    content: &message.content,
                    model_config_id: Some(message.model_config_id),
                    reasoning_effort: message.reasoning_effort.as_deref(),
                    created_by: Some(message.created_by),
                },
            )
            .await?;
        self.link_files(&message.content).await?;
        self.queued += 1;
        self.queue_changed();
        self.pushed = Some(row);
        Ok(())
    }

    async fn start_head(&mut self) -> Result<(), MachineError> {
        let head = self.tx.chat_queue_pop(self.chat.id).await?;
        self.queued -= 1;
        self.queue_changed();
        let message = UserMessage {
            content: head.content,
            model_config_id: head
                .model_config_id
                .unwrap_or(self.state.last_model_config_id),
            reasoning_effort: head.reasoning_effort,
            created_by: head.created_by.unwrap_or(self.chat.owner_id),
        };
        self.insert_user(&message, Some(head.id)).await
    }

    async fn insert_user(
        &mut self,
        message: &UserMessage,
        queued: Option<i64>,
    ) -> Result<(), MachineError> {
        let new = user_message(message, queued);
        self.state.last_model_config_id = message.model_config_id;
        self.state
            .last_reasoning_effort
            .clone_from(&message.reasoning_effort);
        if queued.is_none() {
            self.link_files(&message.content).await?;
        }
        self.insert(vec![new]).await
    }

    async fn link_files(&self, content: &[ChatMessagePart]) -> Result<(), MachineError> {
        let files: Vec<Uuid> = content.iter().filter_map(|part| part.file_id).collect();
        self.tx
            .chat_files_link(self.chat.id, &files, MAX_FILES)
            .await?;
        Ok(())
    }

    async fn insert(&mut self, messages: Vec<NewChatMessage>) -> Result<(), MachineError> {
        if messages.is_empty() {
            return Ok(());
        }
        let rows = self
            .tx
            .chat_messages_insert(self.chat.id, self.state.snapshot_version, &messages)
            .await?;
        if let Some(model) = rows.iter().rev().find_map(|m| m.model_config_id) {
            self.state.last_model_config_id = model;
        }
        // Calls begun were calls of an older message.
        if rows.iter().any(|m| m.role == ChatMessageRole::Tool) {
            self.tx.chat_tool_runs_clear(self.chat.id).await?;
        }
        self.inserted.extend(rows);
        self.history_changed();
        Ok(())
    }

    fn history_changed(&mut self) {
        self.state.history_version = self.state.snapshot_version;
        self.state.generation_attempt = 0;
        self.set_retry(None);
    }

    fn queue_changed(&mut self) {
        self.state.queue_version = self.state.snapshot_version;
        self.queue_changed = true;
    }

    fn set_retry(&mut self, retry: Option<api_types::ChatStreamRetry>) {
        if self.state.retry_state.is_some() || retry.is_some() {
            self.state.retry_state = retry;
            self.state.retry_state_version = self.state.snapshot_version;
        }
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

fn no_queued(error: StoreError) -> MachineError {
    match error {
        StoreError::NotFound => MachineError::NoQueuedMessage,
        other => other.into(),
    }
}

/// What a user says, as a row.
pub(super) fn user_message(message: &UserMessage, queued: Option<i64>) -> NewChatMessage {
    NewChatMessage {
        model_config_id: Some(message.model_config_id),
        created_by: Some(message.created_by),
        queued_message_id: queued,
        visibility: Visibility::Both,
        ..NewChatMessage::new(ChatMessageRole::User, message.content.clone())
    }
}

/// Answers of tools, as a row.
pub(crate) fn results_message(results: Vec<ChatMessagePart>) -> Vec<NewChatMessage> {
    vec![NewChatMessage::new(ChatMessageRole::Tool, results)]
}
