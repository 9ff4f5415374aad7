//! Workspaces: one row each, read together with its latest build in one round trip.

mod activity;
mod lifecycle;
mod list;
mod read;
mod write;

pub use activity::BumpFacts;
pub use lifecycle::{DUE_PAGE, LifecycleFacts};
pub use list::{WorkspaceFilter, WorkspacePage};
pub use read::WorkspaceRow;
pub(crate) use read::object;
pub use write::{NewWorkspace, TemplateChange};

/// Channel on which the id of a workspace is announced whenever something that readers
/// see of it changed: a build, an agent's connection or lifecycle, an app's health.
pub const WORKSPACE_CHANGED: &str = "workspace_changed";
