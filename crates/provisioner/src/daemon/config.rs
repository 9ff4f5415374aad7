//! How a daemon behaves.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::tofu::Limits;

use super::Tools;

/// Settings of one daemon.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name, unique among the daemons of an organization.
    pub name: String,
    /// What it works with, shared by all daemons of a process.
    pub tools: Arc<Tools>,
    /// At least so often a running job is reported as alive, and asked whether it was cancelled.
    pub update_interval: Duration,
    /// A job is given up when nothing could be reported for so long: by then it may have been
    /// given to somebody else.
    pub give_up: Duration,
    /// How long a running job may go on when the daemon is told to stop, before it is interrupted.
    pub drain: Duration,
    /// Interrupts the running job at once; the daemon's own stop does so only after `drain`.
    pub interrupt: CancellationToken,
    /// Bounds of each Terraform run.
    pub limits: Limits,
}

impl Config {
    /// Usual settings for a daemon inside of the server.
    pub fn new(name: impl Into<String>, tools: Arc<Tools>) -> Self {
        Self {
            name: name.into(),
            tools,
            update_interval: Duration::from_secs(1),
            give_up: Duration::from_mins(3),
            drain: Duration::from_secs(5),
            interrupt: CancellationToken::new(),
            limits: Limits::default(),
        }
    }
}
