//! What a rule answers when it cannot do what was asked, in words for people.

use api_types::ValidationError;
use store::StoreError;

/// The one text for what is not there and for what may not be seen.
pub const NOT_FOUND: &str = "Resource not found or you do not have access to this resource";

/// The class of an error; each is one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 400: the request is wrong.
    Invalid,
    /// 401: not signed in.
    Unauthorized,
    /// 403: visible, but not allowed.
    Forbidden,
    /// 404: absent or not visible.
    NotFound,
    /// 405: never possible on this thing.
    NotAllowed,
    /// 406: not ready for use yet.
    NotAcceptable,
    /// 409: something stands in the way.
    Conflict,
    /// 410: deleted.
    Gone,
    /// 412: not in the expected state.
    PreconditionFailed,
    /// 413: too large.
    TooLarge,
    /// 417: others depend on it.
    ExpectationFailed,
    /// 425: ask again when the job has ended.
    TooEarly,
    /// 428: a condition is missing.
    PreconditionRequired,
    /// 429: too often.
    TooManyRequests,
    /// 500: a bug.
    Internal,
    /// 501: not offered.
    NotImplemented,
    /// 502: a service behind us failed.
    BadGateway,
    /// 503: overloaded, starting, stopping, or without database.
    Unavailable,
    /// 504: a service behind us did not answer.
    Timeout,
}

impl Kind {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Kind::Invalid => 400,
            Kind::Unauthorized => 401,
            Kind::Forbidden => 403,
            Kind::NotFound => 404,
            Kind::NotAllowed => 405,
            Kind::NotAcceptable => 406,
            Kind::Conflict => 409,
            Kind::Gone => 410,
            Kind::PreconditionFailed => 412,
            Kind::TooLarge => 413,
            Kind::ExpectationFailed => 417,
            Kind::TooEarly => 425,
            Kind::PreconditionRequired => 428,
            Kind::TooManyRequests => 429,
            Kind::Internal => 500,
            Kind::NotImplemented => 501,
            Kind::BadGateway => 502,
            Kind::Unavailable => 503,
            Kind::Timeout => 504,
        }
    }
}

/// An error for the caller.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}{}{detail}", if detail.is_empty() { "" } else { ": " })]
pub struct Error {
    /// Its class.
    pub kind: Kind,
    /// What happened, and what to do.
    pub message: String,
    /// The cause, if it helps.
    pub detail: String,
    /// Wrong fields of the request.
    pub validations: Vec<ValidationError>,
}

impl Error {
    /// An error of this class.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: message.into(),
            detail: String::new(),
            validations: Vec::new(),
        }
    }

    /// 400.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::new(Kind::Invalid, message)
    }

    /// 400 for one field.
    pub fn field(field: &str, detail: impl Into<String>) -> Self {
        Error::new(Kind::Invalid, "Validation failed.").with_field(field, detail)
    }

    /// 400 for a search query with these faults.
    pub fn query(validations: Vec<ValidationError>) -> Self {
        let mut error = Error::new(Kind::Invalid, "Query parameters have invalid values.");
        error.validations = validations;
        error
    }

    /// 403 with words of its own.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Error::new(Kind::Forbidden, message)
    }

    /// 404 with the one text.
    pub fn not_found() -> Self {
        Error::new(Kind::NotFound, NOT_FOUND)
    }

    /// 409.
    pub fn conflict(message: impl Into<String>) -> Self {
        Error::new(Kind::Conflict, message)
    }

    /// 500; the cause goes to the log, not to the caller.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Error::new(
            Kind::Internal,
            "The server met an unexpected error. Its log tells more; please report it.",
        )
    }

    /// With the cause.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// With one more wrong field.
    #[must_use]
    pub fn with_field(mut self, field: &str, detail: impl Into<String>) -> Self {
        self.validations.push(ValidationError {
            field: field.to_owned(),
            detail: detail.into(),
        });
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.kind.status()
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Error::not_found(),
            StoreError::Forbidden(_) => Error::forbidden("Forbidden."),
            StoreError::Conflict { constraint } => {
                Error::conflict("The change conflicts with something that exists already.")
                    .with_detail(constraint)
            }
            StoreError::Invalid(detail) => {
                Error::invalid("A value cannot be stored.").with_detail(detail)
            }
            StoreError::Retry => Error::new(
                Kind::Conflict,
                "Someone else changed the same thing at the same time. Try again.",
            ),
            StoreError::Unavailable(cause) => {
                tracing::warn!(%cause, "database unavailable");
                Error::new(
                    Kind::Unavailable,
                    "The database is not available. Try again shortly.",
                )
            }
            StoreError::Internal(cause) => Error::internal(cause),
        }
    }
}

impl From<authz::Denied> for Error {
    fn from(_: authz::Denied) -> Self {
        Error::forbidden("Forbidden.")
    }
}
