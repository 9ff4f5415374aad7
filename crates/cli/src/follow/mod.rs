//! Watching things happen: jobs and their logs, agents until they are ready.

pub mod agent;
pub mod job;
pub mod stages;
