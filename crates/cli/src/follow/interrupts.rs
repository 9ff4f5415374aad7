//! Ctrl-C while something is followed that it stops.

use std::sync::OnceLock;

use anyhow::{Context, Result};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use tokio::signal::unix::{self, SignalKind};

/// Code of a command that ctrl-C ended.
pub const INTERRUPTED: u8 = 130;

/// What the runtime does at a ctrl-C. It takes the signal over once for the whole life of the process.
static HANDLER: OnceLock<SigAction> = OnceLock::new();

/// Hears every ctrl-C as long as it lives. After that ctrl-C ends the program again, also at a prompt,
/// where nothing else could be told of it.
pub struct Interrupts {
    heard: unix::Signal,
}

impl Interrupts {
    /// Hears from now on. Only one may live at a time, and nothing else in the process may wait for
    /// ctrl-C after it.
    pub fn listen() -> Result<Self> {
        let heard = unix::signal(SignalKind::interrupt()).context("listen for ctrl-C")?;
        if let Some(handler) = HANDLER.get() {
            // SAFETY: the runtime's own handler, which stood there before and may be called any time.
            unsafe { sigaction(Signal::SIGINT, handler) }.context("listen for ctrl-C")?;
        }
        Ok(Self { heard })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        // It ends with the runtime only.
        self.heard.recv().await;
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        // SAFETY: the system's default action runs no code of this process.
        if let Ok(handler) = unsafe { sigaction(Signal::SIGINT, &default) } {
            // It is the same each time.
            let _ = HANDLER.set(handler);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    /// Ends the process by a signal: run by the test below, in a process of its own.
    #[tokio::test]
    #[ignore = "ends the process"]
    async fn is_interrupted() {
        for _ in 0..2 {
            let mut interrupts = Interrupts::listen().unwrap();
            for _ in 0..2 {
                nix::sys::signal::raise(Signal::SIGINT).unwrap();
                interrupts.next().await;
            }
        }
        println!("heard all");
        nix::sys::signal::raise(Signal::SIGINT).unwrap();
        unreachable!("ctrl-C ends the program");
    }

    #[test]
    fn ctrl_c_is_heard_each_time_and_ends_the_program_afterwards() {
        let itself = std::env::current_exe().unwrap();
        let name = "follow::interrupts::tests::is_interrupted";
        let out = std::process::Command::new(itself)
            .args([name, "--exact", "--ignored", "--nocapture"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(text.contains("heard all"), "{text}");
        assert_eq!(out.status.signal(), Some(Signal::SIGINT as i32), "{text}");
    }
}
