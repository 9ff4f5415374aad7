//! One run of a chat: step after step until there is nothing more to do.
//!
//! Each step is decided from the history ([`decide`]), done, and committed together with the
//! beginning of the next, before anything of it counts.

mod answer;
mod ask;
mod checkpoint;
mod commands;
mod compact;
mod decide;
mod place;
mod prepare;
mod retry;
mod run_tools;

pub use answer::{Answer, MAX_ANSWER, TooLarge};
pub(crate) use checkpoint::joined;
pub use decide::{Decision, Facts, MAX_STEPS, decide};
pub use prepare::{PLAN_INSTRUCTIONS, USER_PROMPT, USER_THRESHOLD};
pub use retry::{MAX_ATTEMPTS, chat_error, pause};

use std::sync::Arc;
use std::time::Duration;

use api_types::{ChatError, ChatErrorKind, ChatStatus, DynamicTool};
use authz::Subject;
use client::agent_api::AgentApi;
use store::StoreError;
use store::chats::{ChatMessageRow, NewChatMessage};

use crate::machine::{MachineError, Op, Outcome};
use crate::models::ModelInfo;
use crate::tools::Tool;
use crate::tools::agent::Link;
use crate::worker::{Lease, SideCalls};

/// Pauses between tries while the database is away.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// A run.
pub(crate) struct Runner {
    lease: Lease,
    history: Vec<ChatMessageRow>,
    /// The history version that `history` is of; 0 if it was not read yet.
    history_at: i64,
    /// The attempt of the row is begun and not used yet.
    begun: bool,
    /// Its calls of tools are recorded.
    tools_begun: bool,
    /// Who the owner is, and what it says; read once a turn.
    turn: Option<Turn>,
    /// The provider said that the conversation is too long.
    too_long: bool,
    /// Answers since the last summary of this run; none if there was no summary.
    since_summary: Option<u32>,
}

/// What holds for a turn.
#[derive(Clone)]
struct Turn {
    owner: Subject,
    workspace: Arc<Link<AgentApi>>,
    model: ModelInfo,
    surroundings: crate::prompt::Surroundings,
    /// Tools of MCP servers, beside those that every chat has.
    remote: Vec<Arc<dyn Tool>>,
    threshold: i32,
    /// Of which model, mode, workspace and knowledge of that it was read.
    of: (uuid::Uuid, String, Option<uuid::Uuid>, bool),
}

/// How a step went.
type Step = Result<(), MachineError>;

impl Runner {
    pub(crate) fn new(lease: Lease) -> Self {
        Runner {
            // Whoever took the chat began an attempt with it, if there is one to make.
            begun: lease.chat.status == ChatStatus::Running && lease.chat.generation_attempt > 0,
            lease,
            history: Vec::new(),
            history_at: 0,
            tools_begun: false,
            turn: None,
            too_long: false,
            since_summary: None,
        }
    }

    /// Runs until the chat rests, or belongs to another run.
    pub(crate) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        while self.lease.is_ours() {
            let step = match self.lease.chat.status {
                _ if self.lease.chat.archived => break,
                ChatStatus::Running => self.step().await,
                ChatStatus::Interrupting => self.stop(Vec::new()).await,
                ChatStatus::RequiresAction => self.wait_for_client().await,
                _ => break,
            };
            let error = match step {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    continue;
                }
                Err(error) => error,
            };
            self.begun = false;
            self.tools_begun = false;
            let expected = matches!(error, MachineError::Fenced | MachineError::NotAllowed(_));
            if !expected {
                tracing::warn!(%error, chat = %self.lease.chat.id, "chats: a step failed; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
            self.history_at = 0;
            match self.lease.reload().await {
                Ok(()) => {}
                Err(StoreError::NotFound) => break,
                Err(error) => tracing::warn!(%error, "chats: a row could not be read"),
            }
        }
    }

    async fn step(&mut self) -> Step {
        self.read_history().await?;
        if let Err(error) = self.read_turn().await {
            return self.failed(error, Vec::new()).await;
        }
        let Some(turn) = self.turn.clone() else {
            return Ok(());
        };
        let chat = &self.lease.chat;
        if SideCalls::wants_title(chat, &self.history) && chat.generation_attempt <= 1 {
            let side = self.side(&turn);
            self.lease.shared.beside(side.title());
        }
        match self.decide(&self.history, &turn) {
            Decision::RunTools { message, calls } => self.run_tools(message, calls, &turn).await,
            Decision::RequireAction => {
                let ops = vec![Op::EnterRequiresAction];
                let outcome = self.lease.apply(None, ops).await?;
                self.absorb(outcome);
                Ok(())
            }
            Decision::Finish => {
                let outcome = self.lease.apply(None, vec![Op::FinishTurn]).await?;
                self.absorb(outcome);
                self.label(&turn);
                Ok(())
            }
            Decision::Compact => self.compact(&turn).await,
            Decision::Ask => self.ask(&turn).await,
        }
    }

    /// What comes next after these messages.
    fn decide(&self, messages: &[ChatMessageRow], turn: &Turn) -> Decision {
        let chat = &self.lease.chat;
        let tools = self.tools(turn);
        let facts = Facts {
            compaction_requested: chat.compaction_requested_at.is_some() || self.too_long,
            threshold: turn.threshold,
            context_limit: turn.model.context_limit,
        };
        let ends = |name: &str| {
            tools
                .iter()
                .any(|tool| tool.ends_turn() && tool.spec().name == name)
        };
        decide(messages, &self.dynamic_tools(&tools), ends, facts)
    }

    /// All tools that run here.
    fn tools(&self, turn: &Turn) -> Vec<Arc<dyn Tool>> {
        let mut tools = self.lease.shared.parts.toolbox.tools(&self.lease.chat);
        tools.extend(turn.remote.iter().cloned());
        tools
    }

    /// The tools that the client runs: none while the chat plans, and none that has the name of one
    /// of ours.
    fn dynamic_tools(&self, ours: &[Arc<dyn Tool>]) -> Vec<DynamicTool> {
        let chat = &self.lease.chat;
        if chat.plan_mode == "plan" {
            return Vec::new();
        }
        let is_ours = |name: &str| ours.iter().any(|tool| tool.spec().name == name);
        let all = chat.dynamic_tools.iter();
        all.filter(|tool| !is_ours(&tool.name)).cloned().collect()
    }

    /// Begins the next attempt, unless the last commit did.
    async fn begin(&mut self) -> Step {
        if !std::mem::take(&mut self.begun) {
            let outcome = self
                .lease
                .apply(None, vec![Op::RecordAttempt(None)])
                .await?;
            self.absorb(outcome);
        }
        Ok(())
    }

    /// Commits what a step produced, with the beginning of the next.
    async fn commit(&mut self, messages: Vec<NewChatMessage>, go_on: bool, turn: &Turn) -> Step {
        let attempt = self.lease.chat.generation_attempt;
        let mut after = self.history.clone();
        // As they will be, for deciding what follows them.
        let (chat, now) = (self.lease.chat.id, chrono::Utc::now());
        after.extend(messages.iter().map(|new| new.row(chat, i64::MAX, now, 0)));
        let next = if go_on {
            Decision::Ask
        } else {
            self.decide(&after, turn)
        };
        let mut ops = vec![Op::CommitStep(messages)];
        match &next {
            Decision::RunTools { calls, .. } => {
                let ids = calls.iter().map(|call| call.tool_call_id.clone()).collect();
                ops.push(Op::RecordAttempt(Some((0, ids))));
            }
            Decision::RequireAction => ops.push(Op::EnterRequiresAction),
            Decision::Finish => ops.push(Op::FinishTurn),
            Decision::Compact | Decision::Ask => ops.push(Op::RecordAttempt(None)),
        }
        let outcome = self.lease.apply(Some(attempt), ops).await?;
        self.absorb(outcome);
        match next {
            Decision::RunTools { .. } => {
                self.begun = true;
                self.tools_begun = true;
            }
            Decision::Compact | Decision::Ask => self.begun = true,
            Decision::Finish => self.label(turn),
            Decision::RequireAction => {}
        }
        Ok(())
    }

    /// An attempt failed: later again, or never. What was said until then is kept in the end.
    async fn failed(&mut self, error: llm::Error, said: Vec<NewChatMessage>) -> Step {
        if self.lease.chat.generation_attempt == 0 {
            // It failed before it began: that counts too.
            self.begin().await?;
        }
        self.begun = false;
        let n = self.lease.chat.generation_attempt;
        if compact::says_too_long(&error) && !self.too_long && self.may_summarize() {
            self.too_long = true;
            return Ok(());
        }
        let Some(pause) = retry::pause(&error, n) else {
            let mut ops = Vec::new();
            if !said.is_empty() {
                ops.push(Op::CommitStep(said));
            }
            ops.push(Op::FinishError(retry::chat_error(&error)));
            let outcome = self.lease.apply(None, ops).await?;
            self.absorb(outcome);
            return Ok(());
        };
        let state = retry::retry_state(&error, n, pause);
        let outcome = self.lease.apply(None, vec![Op::RecordRetry(state)]).await?;
        self.absorb(outcome);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.lease.broken() => return Ok(()),
        }
        self.begin().await?;
        self.begun = true;
        Ok(())
    }

    /// Fails the turn for a reason of our own.
    async fn give_up(&mut self, kind: ChatErrorKind, message: &str) -> Step {
        let error = ChatError {
            message: message.to_owned(),
            kind,
            ..ChatError::default()
        };
        let outcome = self.lease.apply(None, vec![Op::FinishError(error)]).await?;
        self.absorb(outcome);
        Ok(())
    }

    /// The user stopped it: what was said until then stays.
    async fn stop(&mut self, partial: Vec<NewChatMessage>) -> Step {
        let ops = vec![Op::FinishInterruption(partial)];
        let outcome = self.lease.apply(None, ops).await?;
        self.absorb(outcome);
        Ok(())
    }

    async fn wait_for_client(&mut self) -> Step {
        let why = match self.lease.chat.requires_action_deadline_at {
            Some(deadline) => {
                let left = (deadline - chrono::Utc::now()).to_std().unwrap_or_default();
                tokio::select! {
                    () = tokio::time::sleep(left) => {}
                    () = self.lease.broken() => return Ok(()),
                }
                "The client did not answer the tool call in time."
            }
            None => "The tool call had no deadline and was given up.",
        };
        let ops = vec![Op::CancelRequiresAction(why)];
        let outcome = self.lease.apply(None, ops).await?;
        self.absorb(outcome);
        Ok(())
    }

    /// Keeps the history in step with what was written.
    fn absorb(&mut self, outcome: Outcome) {
        if !outcome.inserted.is_empty() {
            self.history.extend(outcome.inserted);
        }
        self.history_at = self.lease.chat.history_version;
    }

    async fn read_history(&mut self) -> Step {
        if self.history_at == self.lease.chat.history_version {
            return Ok(());
        }
        let conn = self.lease.shared.parts.machine.store().conn().await?;
        self.history = conn.chat_messages_for_model(self.lease.chat.id).await?;
        // What was written since belongs to a newer row: then the first write is fenced.
        self.history_at = self.lease.chat.history_version;
        Ok(())
    }

    fn side(&self, turn: &Turn) -> SideCalls {
        SideCalls {
            shared: self.lease.shared.clone(),
            chat: self.lease.chat.clone(),
            owner: turn.owner.clone(),
            model: turn.model.clone(),
            history: self.history.clone(),
        }
    }

    /// Tells what the turn did, for root chats that rest now.
    fn label(&self, turn: &Turn) {
        let chat = &self.lease.chat;
        let rests = matches!(
            chat.status,
            ChatStatus::Waiting | ChatStatus::Error | ChatStatus::Paused
        );
        if rests && chat.parent_chat_id.is_none() {
            self.lease.shared.beside(self.side(turn).label());
        }
    }
}
