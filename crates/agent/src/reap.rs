//! The agent as the first process of a container: it must collect every orphan
//! that ends, and no process that does so can also wait for children of its
//! own. So the agent runs as a child, and this process collects.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Whether this is the first process.
pub fn is_init() -> bool {
    nix::unistd::getpid() == Pid::from_raw(1)
}

/// Runs `command`, passes signals on to it, and collects everything that ends,
/// until it ends itself. Must be called before any other thread exists: signals
/// have to come here.
pub fn run(mut command: Command) -> io::Result<ExitStatus> {
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        signals.add(signal);
    }
    signals.thread_block()?;
    #[expect(
        unsafe_code,
        reason = "the child must not inherit that signals are blocked"
    )]
    // SAFETY: pthread_sigmask(3) is async-signal-safe and touches no memory of the parent.
    unsafe {
        command.pre_exec(|| Ok(SigSet::empty().thread_set_mask()?));
    }
    let child = command.spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    loop {
        match signals.wait()? {
            Signal::SIGCHLD => {
                if let Some(status) = collect(pid)? {
                    return Ok(status);
                }
            }
            // A child that is gone is about to be collected.
            signal => {
                kill(pid, signal).or_else(|e| if e == Errno::ESRCH { Ok(()) } else { Err(e) })?;
            }
        }
    }
}

/// Collects all that have ended; answers when `child` is among them.
fn collect(child: Pid) -> nix::Result<Option<ExitStatus>> {
    let mut ended = None;
    loop {
        let status = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, ExitStatus::from_raw(code << 8)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, ExitStatus::from_raw(signal as i32)),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(ended),
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(error) => return Err(error),
        };
        if status.0 == child {
            ended = Some(status.1);
        }
    }
}
