//! Why a call of a model failed, in terms that a program can act on and a person can read.

use std::time::Duration;

/// Longest detail kept of a provider's own words, in characters.
pub const MAX_DETAIL_CHARS: usize = 500;

/// Failure of a call. Neither message nor detail holds credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// HTTP status of the provider; 0 when none was received.
    pub status: u16,
    /// One sentence for a person.
    pub message: String,
    /// What the provider said, at most [`MAX_DETAIL_CHARS`]; possibly empty.
    pub detail: String,
    /// The provider's type (`openai`, `anthropic`, …); empty when none was involved.
    pub provider: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// An error of `kind` with its usual retryability and nothing else known.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: 0,
            message: message.into(),
            detail: String::new(),
            provider: String::new(),
            retryable: kind.usually_retryable(),
            retry_after: None,
        }
    }

    /// The call was given up by its caller.
    pub fn canceled() -> Self {
        Self::new(ErrorKind::Canceled, "The request was canceled.")
    }

    /// Adds what the provider said, cut to [`MAX_DETAIL_CHARS`].
    #[must_use]
    pub fn detail(mut self, detail: &str) -> Self {
        self.detail = detail.trim().chars().take(MAX_DETAIL_CHARS).collect();
        self
    }

    /// Adds the provider.
    #[must_use]
    pub fn provider(mut self, provider: &str) -> Self {
        provider.clone_into(&mut self.provider);
        self
    }

    /// Adds the HTTP status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Given up by the caller. `generic` in the API.
    Canceled,
    /// Nothing more precise.
    Generic,
    /// The provider has too much to do.
    Overloaded,
    /// Too many requests or tokens in a time.
    RateLimit,
    /// No answer in time, or a connection that broke.
    Timeout,
    /// The stream stood still for too long.
    StreamSilence,
    /// The credential was refused.
    Auth,
    /// The request itself is wrong: unknown model, too long, bad parameters.
    Config,
    /// Money or quota is used up, at the provider or by the platform's budget.
    UsageLimit,
    /// No credential is there to try.
    MissingKey,
    /// The provider was switched off.
    ProviderDisabled,
    /// The provider refused the content.
    ContentFilter,
}

impl ErrorKind {
    /// Name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canceled | Self::Generic => "generic",
            Self::Overloaded => "overloaded",
            Self::RateLimit => "rate_limit",
            Self::Timeout => "timeout",
            Self::StreamSilence => "stream_silence_timeout",
            Self::Auth => "auth",
            Self::Config => "config",
            Self::UsageLimit => "usage_limit",
            Self::MissingKey => "missing_key",
            Self::ProviderDisabled => "provider_disabled",
            Self::ContentFilter => "content_filter",
        }
    }

    fn usually_retryable(self) -> bool {
        matches!(
            self,
            Self::Overloaded | Self::RateLimit | Self::Timeout | Self::StreamSilence
        )
    }
}
