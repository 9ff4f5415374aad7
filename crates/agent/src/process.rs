//! Child processes of sessions and scripts: each in a session of its own, so
//! that signals reach it and all that it started.

use std::collections::HashSet;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::ExitStatus;
use std::sync::Arc;

use bytes::BytesMut;
use nix::sys::signal::{SigHandler, Signal, killpg};
use nix::unistd::Pid;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Child;

use crate::limits;

/// Bytes that a pump reads at once: what a pipe holds.
const PUMP_BUFFER: usize = 64 * 1024;
/// … at first, and again when little comes: most streams are silent for most of the time.
const PUMP_LEAST: usize = 1024;

/// Code of a process that a signal ended.
pub const KILLED: i32 = 255;

/// Signals that whoever started the agent may have had ignored: a shell does so with what it runs beside
/// itself, `nohup` with the hang-up. Those that the agent does not listen to itself would stay ignored in
/// every session below, and a shell script cannot undo that.
const IGNORED: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
    Signal::SIGTSTP,
];

/// Gives a process that is about to become another program the session, signals and limits of a fresh
/// one. Only system calls: this runs between fork and exec.
pub fn renew() -> io::Result<()> {
    nix::unistd::setsid()?;
    for signal in IGNORED {
        #[expect(unsafe_code, reason = "the only way to set what a signal does")]
        // SAFETY: signal(2) is async-signal-safe, and the default runs no code of ours.
        unsafe {
            nix::sys::signal::signal(signal, SigHandler::SigDfl)?;
        }
    }
    limits::restore()
}

/// Makes `command` the leader of a session of its own when it starts.
pub fn detach(command: &mut std::process::Command) {
    #[expect(
        unsafe_code,
        reason = "the only way to call setsid between fork and exec"
    )]
    // SAFETY: `renew` makes system calls only, which are async-signal-safe, and touches no memory of
    // the parent.
    unsafe {
        command.pre_exec(renew);
    }
}

/// The code of an ended process, 255 after a signal.
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(KILLED)
}

/// The signal that ended a process, by its SSH name, and whether it left a core.
pub fn exit_signal(status: ExitStatus) -> Option<(&'static str, bool)> {
    let signal = Signal::try_from(status.signal()?).ok()?;
    Some((
        signal.as_str().trim_start_matches("SIG"),
        status.core_dumped(),
    ))
}

/// The signal with this SSH name (without `SIG`); unknown ones kill.
pub fn signal_by_name(name: &str) -> Signal {
    format!("SIG{name}").parse().unwrap_or(Signal::SIGKILL)
}

/// Process groups that live, to be hung up when the agent ends.
#[derive(Debug, Default, Clone)]
pub struct Groups(Arc<Mutex<HashSet<i32>>>);

impl Groups {
    /// Notes the group that `child` leads.
    pub fn add(&self, child: &Child) -> Group {
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(leader) = leader {
            self.0.lock().insert(leader);
        }
        Group {
            groups: self.clone(),
            leader,
        }
    }

    /// Sends every group a hang-up.
    pub fn hang_up(&self) {
        for &leader in self.0.lock().iter() {
            // A group that is gone needs no signal.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGHUP);
        }
    }
}

/// One process group; dropping forgets it, and does not end it.
#[derive(Debug)]
pub struct Group {
    groups: Groups,
    leader: Option<i32>,
}

impl Group {
    /// Sends the group a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // A group that is gone needs no signal.
            let _ = killpg(Pid::from_raw(leader), signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            self.groups.0.lock().remove(&leader);
        }
    }
}

/// Moves bytes until the end of `from`. Reading goes on only when `to` has
/// taken what was read before, and then takes all that has come meanwhile.
pub async fn pump(
    mut from: impl AsyncRead + Unpin,
    to: &mut (impl AsyncWrite + Unpin),
) -> std::io::Result<()> {
    let (mut buffer, mut wanted) = (BytesMut::new(), PUMP_LEAST);
    loop {
        buffer.reserve(wanted);
        let read = from.read_buf(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all_buf(&mut buffer).await?;
        to.flush().await?;
        if read >= wanted {
            wanted = PUMP_BUFFER;
        } else if read < PUMP_LEAST && wanted > PUMP_LEAST {
            (buffer, wanted) = (BytesMut::new(), PUMP_LEAST);
        }
    }
}

/// The first `limit` bytes of what a child says; who says more gets a broken pipe.
pub async fn first(from: impl AsyncRead + Unpin, limit: usize) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    from.take(limit as u64).read_to_end(&mut said).await?;
    // The pipe is closed here: one that stays open unread would stop the child for ever.
    Ok(said)
}

/// The first `limit` bytes of what a child says; what more it says is read and forgotten, so that it goes
/// on.
pub async fn first_of_all(mut from: impl AsyncRead + Unpin, limit: usize) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    (&mut from)
        .take(limit as u64)
        .read_to_end(&mut said)
        .await?;
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_both_ways() {
        assert_eq!(signal_by_name("TERM"), Signal::SIGTERM);
        assert_eq!(signal_by_name("USR2"), Signal::SIGUSR2);
        assert_eq!(signal_by_name("nonsense"), Signal::SIGKILL);
        let status = ExitStatus::from_raw(9);
        assert_eq!(exit_code(status), KILLED);
        assert_eq!(exit_signal(status), Some(("KILL", false)));
        assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
    }

    #[test]
    fn what_the_agent_had_to_ignore_ends_what_it_starts() {
        let quit = |handler| {
            #[expect(unsafe_code, reason = "the only way to set what a signal does")]
            // SAFETY: no handler of ours is set, and nothing else here is sent this signal.
            unsafe { nix::sys::signal::signal(Signal::SIGQUIT, handler) }.unwrap()
        };
        let before = quit(SigHandler::SigIgn);
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "ulimit -c 0; kill -QUIT $$; echo lived"]);
        detach(&mut command);
        let output = command.output().unwrap();
        quit(before);
        assert_eq!(exit_signal(output.status), Some(("QUIT", false)));
    }

    #[tokio::test]
    async fn a_pump_loses_nothing() {
        let data: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
        let (mut to, from) = tokio::io::duplex(1000);
        let read = tokio::spawn(async move {
            let mut all = Vec::new();
            let mut from = from;
            from.read_to_end(&mut all).await.unwrap();
            all
        });
        pump(data.as_slice(), &mut to).await.unwrap();
        drop(to);
        assert_eq!(read.await.unwrap(), data);
    }
}
