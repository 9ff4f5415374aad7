//! Why a run did not succeed.

use std::fmt;
use std::io;

use super::Diagnostic;

/// Errors shown in a job's error; all of them stand in its log.
const SHOWN: usize = 3;
/// Characters of a job's error.
const MAX_TEXT: usize = 2000;

/// Why a run did not succeed.
#[derive(Debug)]
pub enum RunError {
    /// It could not be started, or the disk failed.
    Io {
        /// What was being done.
        doing: String,
        /// The system's error.
        source: io::Error,
    },
    /// The job was cancelled, and the program ended after that.
    Cancelled {
        /// Whether it had to be killed because it did not end by itself.
        killed: bool,
    },
    /// It printed more than is sensible and was killed.
    TooMuchOutput {
        /// The command, such as `apply`.
        command: String,
        /// The bound, in bytes.
        limit: u64,
    },
    /// It ran longer than a job may and was killed.
    TooLong {
        /// The command.
        command: String,
        /// The bound, in seconds.
        seconds: u64,
    },
    /// It ended with an error.
    Failed {
        /// The command.
        command: String,
        /// How it ended, such as `exit status 1`.
        status: String,
        /// The errors that it reported, in order.
        errors: Vec<Diagnostic>,
        /// The end of what it printed outside of the event stream.
        stderr: String,
    },
    /// It ended well, but what it produced could not be understood.
    Unexpected(String),
}

impl std::error::Error for RunError {}

impl RunError {
    pub(super) fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io {
            doing: doing.into(),
            source,
        }
    }

    /// Whether it ended because it was told to.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled { .. })
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Cancelled { killed: false } => f.write_str("the run was cancelled"),
            Self::Cancelled { killed: true } => f.write_str(
                "the run was cancelled and killed, because it did not stop when asked; resources may be left behind",
            ),
            Self::TooMuchOutput { command, limit } => write!(
                f,
                "terraform {command} was stopped: it printed more than {limit} bytes"
            ),
            Self::TooLong { command, seconds } => write!(
                f,
                "terraform {command} was stopped: it ran longer than {seconds} seconds"
            ),
            Self::Unexpected(what) => f.write_str(what),
            Self::Failed {
                command,
                status,
                errors,
                stderr,
            } => {
                let mut text = format!("terraform {command}: ");
                if errors.is_empty() {
                    text.push_str(status);
                    let said = plain(stderr);
                    if !said.is_empty() {
                        text.push_str(": ");
                        text.push_str(&said);
                    }
                } else {
                    let shown: Vec<_> = errors.iter().take(SHOWN).map(Diagnostic::in_short).collect();
                    text.push_str(&shown.join("; "));
                    if errors.len() > SHOWN {
                        text.push_str(&format!("; and {} more errors", errors.len() - SHOWN));
                    }
                }
                f.write_str(&clip(&text, MAX_TEXT))
            }
        }
    }
}

/// Text for people without frames and colours, in one line.
pub(super) fn plain(text: &str) -> String {
    let words: Vec<&str> = text
        .split_whitespace()
        .filter(|w| !w.chars().all(|c| matches!(c, '│' | '╷' | '╵' | '─' | '├')))
        .collect();
    let joined = words.join(" ");
    joined.strip_prefix("Error: ").unwrap_or(&joined).to_owned()
}

fn clip(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_cause() {
        let error = RunError::Failed {
            command: "plan".into(),
            status: "exit status 1".into(),
            errors: vec![Diagnostic {
                summary: "Unsupported argument".into(),
                ..Diagnostic::default()
            }],
            stderr: String::new(),
        };
        assert_eq!(error.to_string(), "terraform plan: Unsupported argument");
        let error = RunError::Failed {
            command: "init".into(),
            status: "exit status 1".into(),
            errors: vec![],
            stderr: "╷\n│ Error: Failed to query\n│ \n│ on main.tf line 3\n╵\n".into(),
        };
        assert_eq!(
            error.to_string(),
            "terraform init: exit status 1: Failed to query on main.tf line 3"
        );
    }
}
