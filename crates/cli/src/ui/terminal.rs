//! The controlling terminal: is there one, how large is it, raw input.

use std::io::IsTerminal;

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};

/// Columns and rows.
pub type Size = (u16, u16);

/// Whether a person can answer questions.
pub fn interactive() -> bool {
    std::io::stdin().is_terminal()
}

/// Size of the terminal behind standard output.
pub fn size() -> Option<Size> {
    terminal_size::terminal_size().map(|(w, h)| (w.0, h.0))
}

/// Changes of the terminal's input mode, undone on drop.
pub struct InputMode {
    before: Termios,
}

impl InputMode {
    /// Every key goes to the reader at once and unchanged; nothing is echoed.
    /// `None` if standard input is no terminal.
    pub fn raw() -> Option<Self> {
        Self::change(|t| {
            termios::cfmakeraw(t);
        })
    }

    /// Lines as usual, but not shown while typed.
    pub fn hidden() -> Option<Self> {
        Self::change(|t| {
            t.local_flags.remove(LocalFlags::ECHO);
            t.local_flags.insert(LocalFlags::ECHONL);
        })
    }

    fn change(edit: impl FnOnce(&mut Termios)) -> Option<Self> {
        let before = termios::tcgetattr(std::io::stdin()).ok()?;
        let mut changed = before.clone();
        edit(&mut changed);
        termios::tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &changed).ok()?;
        Some(Self { before })
    }
}

impl Drop for InputMode {
    fn drop(&mut self) {
        // Nothing helps a terminal that refuses its own settings.
        let _ = termios::tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &self.before);
    }
}
