//! Why a server gave no answer.

/// What went wrong. The texts are shown to people and models: they hold no addresses and no secrets
/// of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It could not be reached, or the connection broke.
    #[error("the MCP server could not be reached: {0}")]
    Unreachable(String),
    /// It speaks something else.
    #[error("the MCP server broke the protocol: {0}")]
    Protocol(String),
    /// It refused.
    #[error("the MCP server answered with an error: {0}")]
    Refused(String),
    /// It wants to know who asks.
    #[error("the MCP server wants a sign-in: connect your account, or ask an administrator")]
    Unauthorized,
    /// It does not know our session any more.
    #[error("the MCP server has forgotten the session")]
    SessionLost,
    /// It was too slow.
    #[error("the MCP server did not answer in time")]
    Timeout,
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        // An address may hold a key.
        let error = error.without_url();
        if error.is_timeout() {
            return Error::Timeout;
        }
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            reason = inner.to_string();
            source = inner.source();
        }
        Error::Unreachable(reason)
    }
}
