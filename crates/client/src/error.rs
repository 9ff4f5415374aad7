//! What can go wrong with a request, in terms a person can act on.

use std::fmt;

use api_types::ValidationError;
use http::StatusCode;

/// An answer of the server that is not a success.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// Method of the request.
    pub method: String,
    /// Address of the request, without credentials.
    pub url: String,
    /// What the server says went wrong.
    pub message: String,
    /// More about it, possibly technical; may be empty.
    pub detail: String,
    /// Fields that were refused.
    pub validations: Vec<ValidationError>,
    /// What to do next, when this client knows.
    pub suggestion: Option<String>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for v in &self.validations {
            write!(f, "; {}: {}", v.field, v.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}

/// Failure of a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server answered with an error.
    #[error("{0}")]
    Api(Box<ApiError>),
    /// No answer: name resolution, connection, TLS, or a broken connection.
    #[error("no answer from {url}: {reason}")]
    Transport {
        /// Address of the request, without query.
        url: String,
        /// The innermost cause.
        reason: String,
    },
    /// The server answered something that is not the expected body.
    #[error("unexpected answer from {url}: {reason}")]
    Decode {
        /// Address of the request, without query.
        url: String,
        /// What was wrong with the body.
        reason: String,
    },
    /// A name cannot stand in an address.
    #[error("{0:?} cannot be used in a request: a name is empty or consists of dots")]
    Path(String),
    /// The address of the deployment cannot be used.
    #[error("invalid address: {0}")]
    Url(#[from] url::ParseError),
    /// TLS files cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsProblem),
    /// Extra headers cannot be used.
    #[error(transparent)]
    Header(#[from] crate::HeaderError),
}

use crate::tls::TlsError as TlsProblem;

impl Error {
    /// The HTTP status, if the server answered.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Api(e) => Some(e.status),
            _ => None,
        }
    }

    /// The server's answer, if it answered with an error.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(e) => Some(e),
            _ => None,
        }
    }

    /// True for 404.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// True where trying again later may help: connection failures, 5xx.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport { .. } => true,
            Self::Api(e) => e.status.is_server_error(),
            _ => false,
        }
    }

    /// The innermost cause of `error`, which is what a person needs to read.
    pub(crate) fn transport(url: &url::Url, error: &dyn std::error::Error) -> Self {
        let mut cause = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        Self::Transport {
            url: address(url),
            reason: cause.to_string(),
        }
    }

    pub(crate) fn decode(url: &url::Url, reason: impl fmt::Display) -> Self {
        Self::Decode {
            url: address(url),
            reason: reason.to_string(),
        }
    }
}

/// `url` without query and user information, which may hold secrets.
pub(crate) fn address(url: &url::Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    // Fails only for addresses without a host, which have no credentials.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}
