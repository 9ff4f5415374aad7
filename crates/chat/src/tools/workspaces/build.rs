//! Waiting for a build, and what is said of one that failed.

use std::time::Duration;

use api_types::{JobErrorCode, ProvisionerJobStatus as Status, WorkspaceBuild};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Workspaces;
use crate::tools::changes;

/// The longest that a build is waited for.
const PATIENCE: Duration = Duration::from_mins(10);

/// A build that did not succeed.
#[derive(Debug)]
pub(super) struct Broken {
    build: Uuid,
    words: String,
    code: JobErrorCode,
}

impl Broken {
    fn new(build: Uuid, words: impl Into<String>) -> Self {
        Broken {
            build,
            words: words.into(),
            code: JobErrorCode::default(),
        }
    }

    /// What the model is told, without a word on quotas.
    pub(super) fn value(&self, what: &str) -> Value {
        json!({ "error": format!("{what}: {}", self.words), "build_id": self.build })
    }

    /// What the model is told of a build that was to `verb` (create, start) a workspace.
    pub(super) async fn told(&self, house: &dyn Workspaces, verb: &str, what: &str) -> Value {
        let mut value = self.value(what);
        if self.code == JobErrorCode::INSUFFICIENTQUOTA {
            value["error_code"] = json!(self.code);
            value["title"] = Value::from("Workspace quota reached");
            value["message"] = Value::from(format!(
                "It was not possible to {verb} the workspace, because the user's workspaces use \
                 all of their quota. The user can delete or stop a workspace, or ask an \
                 administrator for a larger allowance."
            ));
            if let Some(quota) = house.quota().await {
                value["quota"] = json!(quota);
            }
        }
        value
    }
}

/// Whether a build has not ended yet.
pub(super) fn is_open(build: &WorkspaceBuild) -> bool {
    matches!(
        build.job.status,
        Status::Pending | Status::Running | Status::Canceling
    )
}

/// Waits until a build has succeeded.
pub(super) async fn succeeded(
    house: &dyn Workspaces,
    build: Uuid,
) -> Result<WorkspaceBuild, Broken> {
    let look = async {
        // Listening begins before looking: nothing falls between.
        let mut changes = house.changes().await;
        loop {
            let now = house.build(build).await;
            let now = now.map_err(|words| Broken::new(build, words))?;
            match now.job.status {
                Status::Succeeded => return Ok(now),
                Status::Failed => {
                    return Err(Broken {
                        build,
                        words: match now.job.error.as_str() {
                            "" => "the build failed".to_owned(),
                            error => error.to_owned(),
                        },
                        code: now.job.error_code,
                    });
                }
                Status::Canceled => return Err(Broken::new(build, "the build was canceled")),
                _ => {}
            }
            changes::wait(&mut changes, now.workspace_id).await;
        }
    };
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(ended) => ended,
        Err(_) => Err(Broken::new(
            build,
            format!(
                "the build has not ended after {} minutes; it goes on",
                PATIENCE.as_secs() / 60
            ),
        )),
    }
}
