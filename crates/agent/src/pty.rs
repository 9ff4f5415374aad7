//! Pseudo-terminals: opening them, starting processes on them, and their
//! controlling end as an asynchronous stream.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use nix::sys::termios::{self, SetArg, Termios};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, Command};

use crate::process;

/// Size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters per line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

impl Size {
    /// From numbers of the wire; absurd ones are clamped, zero means 80×24.
    pub fn new(columns: u32, rows: u32) -> Self {
        let clamp = |n: u32, default| {
            if n == 0 {
                default
            } else {
                n.min(u32::from(u16::MAX)) as u16
            }
        };
        Self {
            columns: clamp(columns, 80),
            rows: clamp(rows, 24),
        }
    }
}

/// A terminal that no process uses yet.
#[derive(Debug)]
pub struct Pty {
    master: OwnedFd,
    slave: OwnedFd,
    path: PathBuf,
}

impl Pty {
    /// Opens a terminal of this size.
    pub fn open(size: Size) -> io::Result<Self> {
        // Close-on-exec from the start: another session may start a process at any time.
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = PathBuf::from(ptsname_r(&master)?);
        let slave = open(&path, flags, Mode::empty())?;
        let master = OwnedFd::from(master);
        resize(&master, size)?;
        Ok(Self {
            master,
            slave,
            path,
        })
    }

    /// Path of the terminal's device.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Lets `change` alter the settings of the terminal.
    pub fn configure(&self, change: impl FnOnce(&mut Termios)) -> io::Result<()> {
        let mut settings = termios::tcgetattr(&self.slave)?;
        change(&mut settings);
        Ok(termios::tcsetattr(&self.slave, SetArg::TCSANOW, &settings)?)
    }

    /// Starts `command` as the leader of a session with this terminal.
    pub fn spawn(self, mut command: std::process::Command) -> io::Result<(Child, Controller)> {
        command.stdin(self.slave.try_clone()?);
        command.stdout(self.slave.try_clone()?);
        command.stderr(self.slave);
        #[expect(
            unsafe_code,
            reason = "a controlling terminal is set between fork and exec"
        )]
        // SAFETY: system calls only, which are async-signal-safe and touch no memory of the parent.
        unsafe {
            command.pre_exec(|| {
                process::renew()?;
                if libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = Command::from(command).spawn()?;
        let flags = OFlag::from_bits_retain(fcntl(&self.master, FcntlArg::F_GETFL)?);
        fcntl(&self.master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        #[expect(
            unsafe_code,
            reason = "registering a descriptor promises that it stays the same"
        )]
        // SAFETY: the owned descriptor is neither replaced nor closed while it is registered.
        let master = unsafe { AsyncFd::register(self.master)? };
        Ok((child, Controller(Arc::new(master))))
    }
}

fn resize(master: &OwnedFd, size: Size) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    #[expect(
        unsafe_code,
        reason = "there is no safe call for the size of a terminal"
    )]
    // SAFETY: the descriptor is open and the size outlives the call.
    let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// The controlling end of a terminal. Dropping the last clone hangs up the
/// processes on it.
#[derive(Debug, Clone)]
pub struct Controller(Arc<AsyncFd<OwnedFd>>);

impl Controller {
    /// Changes the size; the foreground processes learn of it.
    pub fn resize(&self, size: Size) {
        // A terminal whose processes are gone needs no size.
        let _ = resize(self.0.get_ref(), size);
    }

    /// Sends a break condition.
    pub fn send_break(&self) {
        // As above.
        let _ = termios::tcsendbreak(self.0.get_ref(), 0);
    }
}

impl AsyncRead for Controller {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            let read =
                ready.try_io(|fd| Ok(nix::unistd::read(fd.get_ref(), buf.initialize_unfilled())?));
            match read {
                Ok(Ok(n)) => {
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
                // The last process has closed the terminal: this is its end of file.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EIO) => {
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Controller {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(cx))?;
            match ready.try_io(|fd| Ok(nix::unistd::write(fd.get_ref(), buf)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn run(script: &str, input: &[u8]) -> String {
        let pty = Pty::open(Size::new(91, 17)).unwrap();
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", script]);
        let (mut child, mut controller) = pty.spawn(command).unwrap();
        controller.write_all(input).await.unwrap();
        let mut out = Vec::new();
        controller.read_to_end(&mut out).await.unwrap();
        child.wait().await.unwrap();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn processes_see_a_terminal_of_the_given_size() {
        assert_eq!(
            run("stty size; test -t 1 && echo tty", b"").await,
            "17 91\r\ntty\r\n"
        );
    }

    #[tokio::test]
    async fn input_reaches_the_process() {
        assert!(
            run("read line; echo got $line", b"hello\n")
                .await
                .contains("got hello")
        );
    }

    #[test]
    fn sizes_are_sane() {
        assert_eq!(
            Size::new(0, 0),
            Size {
                columns: 80,
                rows: 24
            }
        );
        assert_eq!(Size::new(u32::MAX, 1).columns, u16::MAX);
    }
}
