//! What can be asked of the machine, and in whose name.

use api_types::{ChatError, ChatMessagePart, ChatStreamRetry};
use store::chats::{ChatMessageRow, ChatQueueRow, ChatRow, NewChatMessage, QueuedChange};
use uuid::Uuid;

/// What a user says.
#[derive(Debug, Clone)]
pub struct UserMessage {
    /// What is said.
    pub content: Vec<ChatMessagePart>,
    /// The model that is to answer.
    pub model_config_id: Uuid,
    /// How much it should think.
    pub reasoning_effort: Option<String>,
    /// Who says it.
    pub created_by: Uuid,
}

/// One transition with what it carries.
#[derive(Debug, Clone)]
pub enum Op {
    /// See [`crate::state::Transition::Send`]; the flag makes it `SendInterrupt`.
    Send(UserMessage, bool),
    /// Replaces a message and all after it. Without a model, that of the message stays.
    Edit {
        /// The message.
        message: i64,
        /// What is said instead.
        content: Vec<ChatMessagePart>,
        /// Another model.
        model_config_id: Option<Uuid>,
        /// Another effort.
        reasoning_effort: Option<String>,
        /// Who edits.
        created_by: Uuid,
    },
    /// Stops what runs.
    Interrupt,
    /// Asks for a summary.
    RequestCompaction,
    /// Takes what was said out of the model's sight.
    Clear,
    /// Begins an attempt; with the calls of a message that are about to run.
    RecordAttempt(Option<(i64, Vec<String>)>),
    /// Waits before the next attempt.
    RecordRetry(ChatStreamRetry),
    /// Writes what a step produced.
    CommitStep(Vec<NewChatMessage>),
    /// The request for a summary is settled.
    CompactionDone,
    /// Waits for the client.
    EnterRequiresAction,
    /// The client answered.
    CompleteRequiresAction(Vec<ChatMessagePart>),
    /// The client did not answer, and why that ends now.
    CancelRequiresAction(&'static str),
    /// The turn is over.
    FinishTurn,
    /// The turn failed.
    FinishError(ChatError),
    /// The run was stopped, leaving these.
    FinishInterruption(Vec<NewChatMessage>),
    /// Takes a message out of the queue.
    DeleteQueued(i64),
    /// Makes a message of the queue the next.
    Promote(i64),
    /// Changes a message of the queue.
    EditQueued(i64, QueuedChange),
    /// Makes an invalid chat one that failed.
    ReconcileInvalid,
}

/// In whose run a worker writes: everything else that happened meanwhile makes it fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The replica.
    pub worker: Uuid,
    /// Its run of the chat.
    pub runner: Uuid,
    /// The history that it knows.
    pub history: i64,
    /// The attempt that it makes; not checked if it makes none.
    pub attempt: Option<i64>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The chat afterwards.
    pub chat: ChatRow,
    /// Messages written, in order.
    pub inserted: Vec<ChatMessageRow>,
    /// The message that was put into the queue.
    pub queued: Option<ChatQueueRow>,
    /// Ids of messages that people saw and that are no more.
    pub deleted: Vec<i64>,
}
