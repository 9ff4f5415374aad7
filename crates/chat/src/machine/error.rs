//! Why a transition did not happen.

use store::StoreError;

use crate::state::NotAllowed;

/// Why a transition did not happen; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Not in this state.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// [`super::MAX_QUEUED`] messages wait already.
    #[error("{} messages wait already", super::MAX_QUEUED)]
    QueueFull,
    /// The message is not there (any more).
    #[error("no such message")]
    NoMessage,
    /// Only what a user said can be edited.
    #[error("only messages of users can be edited")]
    NotUserMessage,
    /// The waiting message is not there (any more).
    #[error("no such message in the queue")]
    NoQueuedMessage,
    /// While the chat is paused, only the message that is next can begin to be changed.
    #[error("another message is next")]
    NotNext,
    /// There is nothing that a summary could stand for.
    #[error("nothing to summarize")]
    NothingToCompact,
    /// The results do not answer exactly the open calls.
    #[error("{0}")]
    ToolResults(String),
    /// Another run of the chat, or another history, came between.
    #[error("the chat went on without this worker")]
    Fenced,
}
