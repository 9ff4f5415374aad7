//! Git repositories in the workspace: which of them a chat works on, and what has
//! changed in them.

pub mod git;
mod paths;
mod scan;
mod watch;

pub use paths::ChatPaths;
pub use watch::Watch;
