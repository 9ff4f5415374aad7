//! How calls fail.

use crate::mux::MuxError;

/// A refusal as it travels: a code and a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// 0 unless the service gives it a meaning.
    pub code: u64,
    /// For people.
    pub message: String,
}

impl Status {
    /// The code by which peers recognise a method that is not there.
    pub const UNIMPLEMENTED: u64 = 12;

    /// A refusal without a code.
    pub fn new(message: impl std::fmt::Display) -> Self {
        Self {
            code: 0,
            message: message.to_string(),
        }
    }

    /// The method is not there.
    pub fn unimplemented() -> Self {
        Self {
            code: Self::UNIMPLEMENTED,
            message: "Unimplemented".to_owned(),
        }
    }
}

/// Why a call failed at the caller's side.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The other side refused.
    #[error(transparent)]
    Refused(#[from] Status),
    /// The connection failed or ended in the middle of the call.
    #[error("the connection failed during a call: {0}")]
    Io(#[from] std::io::Error),
    /// No stream could be opened.
    #[error(transparent)]
    Mux(#[from] MuxError),
    /// The other side broke the protocol.
    #[error("the other side broke the call protocol: {0}")]
    Protocol(String),
    /// A message that is not what the method returns.
    #[error("a message could not be read: {0}")]
    Decode(#[from] prost::DecodeError),
    /// The other side ended the call without the answer.
    #[error("the other side ended the call without an answer")]
    NoAnswer,
}

impl Error {
    /// Whether the other side does not know the method.
    ///
    /// Covers the code meant for it and the text that older servers give.
    pub fn is_unimplemented(&self) -> bool {
        match self {
            Self::Refused(status) => {
                status.code == Status::UNIMPLEMENTED || status.message.contains("unknown rpc")
            }
            _ => false,
        }
    }
}
