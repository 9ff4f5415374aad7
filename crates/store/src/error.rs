//! What can go wrong with a query, told apart by what a caller can do about it.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// A failed query.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such row, or none that the subject may read: not told apart.
    #[error("not found")]
    NotFound,
    /// The subject may read the row, but not do this to it.
    #[error(transparent)]
    Forbidden(#[from] authz::Denied),
    /// A row of this name, or one that refers to another, stands in the way.
    #[error("conflicts with {constraint}")]
    Conflict {
        /// Name of the violated constraint or unique index.
        constraint: String,
    },
    /// A value the database cannot hold: NUL in text, a number out of range,
    /// a failed check.
    #[error("invalid value: {0}")]
    Invalid(String),
    /// Concurrent transactions collided; the whole may be tried again.
    #[error("the transaction collided with another; try again")]
    Retry,
    /// The database cannot be reached, is starting, stopping or overloaded.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A query of ours is wrong, or a row is not as expected: a bug.
    #[error("unexpected database error: {0}")]
    Internal(String),
}

impl StoreError {
    /// Whether it is a conflict with the constraint of this name.
    pub fn is_conflict(&self, name: &str) -> bool {
        matches!(self, StoreError::Conflict { constraint } if constraint == name)
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            // Without an answer of the server it is the connection that failed,
            // unless we could not encode a parameter or decode a column.
            let text = chain(&error);
            let ours =
                text.contains("serializing parameter") || text.contains("deserializing column");
            return if ours {
                StoreError::Internal(text)
            } else {
                StoreError::Unavailable(text)
            };
        };
        let message = || {
            let mut text = db.message().to_owned();
            if let Some(detail) = db.detail() {
                text.push_str(": ");
                text.push_str(detail);
            }
            text
        };
        let constraint = || db.constraint().unwrap_or_default().to_owned();
        match *db.code() {
            SqlState::UNIQUE_VIOLATION
            | SqlState::FOREIGN_KEY_VIOLATION
            | SqlState::EXCLUSION_VIOLATION => StoreError::Conflict {
                constraint: constraint(),
            },
            SqlState::CHECK_VIOLATION
            | SqlState::NUMERIC_VALUE_OUT_OF_RANGE
            | SqlState::CHARACTER_NOT_IN_REPERTOIRE
            | SqlState::UNTRANSLATABLE_CHARACTER
            | SqlState::STRING_DATA_RIGHT_TRUNCATION
            | SqlState::PROGRAM_LIMIT_EXCEEDED
            | SqlState::DATETIME_FIELD_OVERFLOW => StoreError::Invalid(message()),
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
                StoreError::Retry
            }
            // Class 57: operator intervention, 53: resources, 08: connection.
            ref code
                if ["57", "53", "08"]
                    .iter()
                    .any(|class| code.code().starts_with(class)) =>
            {
                StoreError::Unavailable(message())
            }
            ref code => StoreError::Internal(format!("{} (SQLSTATE {})", message(), code.code())),
        }
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => match StoreError::from(error) {
                // Refused at connecting: whatever the reason, there is no database.
                StoreError::Internal(text) => StoreError::Unavailable(text),
                other => other,
            },
            PoolError::Timeout(_) => StoreError::Unavailable(
                "no connection became free in time; raise --postgres-conn-max-open if this \
                 happens often"
                    .to_owned(),
            ),
            other => StoreError::Unavailable(other.to_string()),
        }
    }
}

/// An error with its causes, as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
