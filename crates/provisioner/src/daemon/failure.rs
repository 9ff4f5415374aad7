//! Why a job failed, as its owner reads it.

use rpc::proto::provisioner::Timing;

use crate::archive::ArchiveError;
use crate::convert::ConvertError;
use crate::hcl::HclError;
use crate::job::SourceError;
use crate::tofu::{BinaryError, RunError};

/// Codes that clients branch on.
const CODES: [(&str, &str); 2] = [
    ("missing parameter", "MISSING_TEMPLATE_PARAMETER"),
    (REQUIRED_VARIABLES, "REQUIRED_TEMPLATE_VARIABLES"),
];
/// How the error about missing variables begins.
pub(super) const REQUIRED_VARIABLES: &str = "required template variables";
/// The code of a build that costs too much.
pub(super) const INSUFFICIENT_QUOTA: &str = "INSUFFICIENT_QUOTA";

/// Why a job failed.
#[derive(Debug, Default)]
pub(super) struct Failure {
    /// For people. Empty for a job that ended because it was cancelled.
    pub error: String,
    /// For clients; empty if there is none for this case.
    pub code: String,
    /// It is not this daemon's job any more.
    pub gone: bool,
    /// It was interrupted, by its owner or because the daemon stops.
    pub cancelled: bool,
    /// State of a build that got as far as changing something.
    pub state: Vec<u8>,
    /// There is a state, but none that could be read: the job's directory must stay.
    pub state_unread: bool,
    /// Timings of a build until then.
    pub timings: Vec<Timing>,
}

impl Failure {
    pub(super) fn new(error: impl Into<String>) -> Self {
        let error = error.into();
        let lower = error.to_ascii_lowercase();
        let code = CODES
            .iter()
            .find(|(text, _)| lower.contains(text))
            .map(|(_, code)| (*code).to_owned())
            .unwrap_or_default();
        Self {
            error,
            code,
            ..Self::default()
        }
    }

    pub(super) fn with_code(error: impl Into<String>, code: &str) -> Self {
        Self {
            code: code.to_owned(),
            ..Self::new(error)
        }
    }

    pub(super) fn io(doing: &str, error: &std::io::Error) -> Self {
        Self::new(format!("{doing}: {error}"))
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let cancelled = error.is_cancelled();
        let polite = matches!(error, RunError::Cancelled { killed: false });
        Self {
            cancelled,
            ..Self::new(if polite {
                String::new()
            } else {
                error.to_string()
            })
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self {
            gone: matches!(error, SourceError::Gone(_)),
            ..Self::new(error.to_string())
        }
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self::new(format!("the template cannot be unpacked: {error}"))
    }
}

impl From<HclError> for Failure {
    fn from(error: HclError) -> Self {
        Self::new(format!("the template cannot be read: {error}"))
    }
}

impl From<ConvertError> for Failure {
    fn from(error: ConvertError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<BinaryError> for Failure {
    fn from(error: BinaryError) -> Self {
        Self::new(error.to_string())
    }
}
