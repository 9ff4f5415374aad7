//! Watching things happen: jobs and their logs, agents until they are ready.

mod absence;
pub mod agent;
pub mod interrupts;
pub mod job;
pub mod stages;
