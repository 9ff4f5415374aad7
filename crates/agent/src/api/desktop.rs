//! The desktop of a workspace: there is none.

use http::StatusCode;

use super::failure::Failure;

/// The answer to every request about it.
pub async fn absent() -> Failure {
    Failure::new(
        StatusCode::NOT_IMPLEMENTED,
        "Failed to start desktop session.",
    )
    .because("This agent has no virtual desktop. Use processes and files instead.")
}
