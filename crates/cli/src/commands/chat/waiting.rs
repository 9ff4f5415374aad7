//! The line that says what is waited for, on terminals only: below what has been said, gone as
//! soon as there is more.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthChar as _;

use crate::ui::output::emit_err;
use crate::ui::style::Style;
use crate::ui::terminal;

/// Shorter waits are not worth a line.
const DELAY: Duration = Duration::from_millis(400);
/// Between two pictures of the line.
pub const PICTURE: Duration = Duration::from_millis(120);
/// One after the other they look like something that turns.
const PICTURES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// The line.
pub struct Waiting {
    on: bool,
    style: Style,
    drawn: bool,
    since: Instant,
    picture: usize,
}

impl Waiting {
    /// Nothing is waited for yet. `shown`: whether anything is shown at all.
    pub fn new(style: Style, shown: bool) -> Self {
        let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let dumb = std::env::var_os("TERM").is_none_or(|t| t == "dumb");
        Self {
            on: shown && terminal && !dumb,
            style,
            drawn: false,
            since: Instant::now(),
            picture: 0,
        }
    }

    /// Whether there is somebody to see it.
    pub fn on(&self) -> bool {
        self.on
    }

    /// Takes the line away: something happened, and waiting begins anew.
    pub fn clear(&mut self) {
        self.since = Instant::now();
        if std::mem::take(&mut self.drawn) {
            emit_err("\r\x1b[2K");
        }
    }

    /// Draws the next picture of waiting for `what`.
    pub fn draw(&mut self, what: &str) {
        let waited = self.since.elapsed();
        if !self.on || waited < DELAY {
            return;
        }
        self.picture = (self.picture + 1) % PICTURES.len();
        let width = terminal::size().map_or(80, |(width, _)| usize::from(width));
        let text = line(PICTURES[self.picture], what, waited, width);
        emit_err(&format!("\r\x1b[2K{}", self.style.dim(&text)));
        self.drawn = true;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The line, short enough not to be wrapped: what is wrapped cannot be taken away.
fn line(picture: char, what: &str, waited: Duration, width: usize) -> String {
    let text = match waited.as_secs() {
        0 => format!("{picture} {what}"),
        secs => format!("{picture} {what}, {secs} s · ctrl-C stops the agent"),
    };
    let mut left = width.saturating_sub(1);
    text.chars()
        .take_while(|c| match left.checked_sub(c.width().unwrap_or(0)) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_and_tells_the_time() {
        let at = |secs, width| line('⠋', "running 日本 tests", Duration::from_secs(secs), width);
        assert_eq!(at(0, 80), "⠋ running 日本 tests");
        assert_eq!(
            at(75, 80),
            "⠋ running 日本 tests, 75 s · ctrl-C stops the agent"
        );
        assert_eq!(at(5, 13), "⠋ running 日");
        assert_eq!(at(5, 0), "");
    }
}
