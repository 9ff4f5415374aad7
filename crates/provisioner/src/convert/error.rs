//! What a template must not do, found when its plan or state is read.

/// Why a plan or state could not be converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// Terraform's output is not what it should be.
    #[error("the {what} cannot be read: {reason}")]
    Malformed {
        /// `plan` or `state`.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The template does what it must not.
    #[error("{0}")]
    Template(String),
}

impl ConvertError {
    pub(super) fn template(text: impl Into<String>) -> Self {
        Self::Template(text.into())
    }
}
