//! The shape of build output: one heading per stage, its log lines, how it
//! ended and how long it took.

use api_types::{LogLevel, ProvisionerJobLog};
use chrono::{DateTime, Utc};
use std::fmt::Write as _;

use crate::ui::style::Style;
use crate::ui::time::took;

/// Turns log lines into what is printed.
#[derive(Debug)]
pub struct Stages {
    style: Style,
    debug: bool,
    current: Option<(String, DateTime<Utc>)>,
}

impl Stages {
    /// A printer; `debug` shows lines of the levels debug and trace too.
    pub fn new(style: Style, debug: bool) -> Self {
        Self {
            style,
            debug,
            current: None,
        }
    }

    /// Begins a stage that is not in the log (waiting in a queue, say).
    pub fn begin(&mut self, stage: &str, at: DateTime<Utc>) -> String {
        if self.current.as_ref().is_some_and(|(name, _)| name == stage) {
            return String::new();
        }
        let mut out = self.end(at, true);
        out.push_str(&self.style.bold(&format!("==> ⧗ {stage}")));
        out.push('\n');
        self.current = Some((stage.to_owned(), at));
        out
    }

    /// What to print for `log`.
    pub fn log(&mut self, log: &ProvisionerJobLog) -> String {
        let mut out = String::new();
        if !log.stage.is_empty() {
            out = self.begin(&log.stage, log.created_at);
        }
        let hidden = matches!(log.log_level, LogLevel::Debug | LogLevel::Trace) && !self.debug;
        if log.output.is_empty() || hidden {
            return out;
        }
        let time = self
            .style
            .dim(&log.created_at.format("%Y-%m-%d %H:%M:%S%.3fZ").to_string());
        let text = printable(&log.output);
        let text = match log.log_level {
            LogLevel::Error => self.style.error(&text),
            LogLevel::Warn => self.style.warn(&text),
            LogLevel::Debug | LogLevel::Trace => self.style.dim(&text),
            _ => text,
        };
        let _ = writeln!(out, "{time} {text}");
        out
    }

    /// Ends the current stage.
    pub fn end(&mut self, at: DateTime<Utc>, well: bool) -> String {
        let Some((name, since)) = self.current.take() else {
            return String::new();
        };
        let time = took((at - since).to_std().unwrap_or_default());
        let line = if well {
            self.style.good(&format!("=== ✔ {name} [{time}]"))
        } else {
            self.style.error(&format!("=== ✘ {name} [{time}]"))
        };
        format!("{line}\n")
    }
}

/// Log text comes from programs that may print anything: sequences that move
/// the cursor or retitle the window do not pass, colours do.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t' && c != '\n') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let colour = rest
            .strip_prefix("\x1b[")
            .and_then(|r| {
                r.find(|c: char| !c.is_ascii_digit() && c != ';')
                    .map(|end| (r, end))
            })
            .filter(|(r, end)| r[*end..].starts_with('m'))
            .map(|(_, end)| end + 3);
        match colour {
            Some(length) => {
                out.push_str(&rest[..length]);
                rest = &rest[length..];
            }
            None => {
                rest = rest
                    .get(1..)
                    .unwrap_or_else(|| &rest[rest.chars().next().map_or(0, char::len_utf8)..]);
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(stage: &str, ms: i64, level: LogLevel, output: &str) -> ProvisionerJobLog {
        ProvisionerJobLog {
            stage: stage.into(),
            created_at: DateTime::from_timestamp_millis(1_700_000_000_000 + ms).unwrap(),
            log_level: level,
            output: output.into(),
            ..Default::default()
        }
    }

    #[test]
    fn stages_open_and_close() {
        let mut stages = Stages::new(Style::plain(), false);
        let mut out = stages.log(&log("Plan", 0, LogLevel::Info, "one"));
        out += &stages.log(&log("Plan", 5, LogLevel::Debug, "hidden"));
        out += &stages.log(&log("Apply", 1500, LogLevel::Error, "two"));
        out += &stages.end(
            DateTime::from_timestamp_millis(1_700_000_001_512).unwrap(),
            false,
        );
        assert_eq!(
            out,
            "==> ⧗ Plan\n2023-11-14 22:13:20.000Z one\n=== ✔ Plan [1.500s]\n==> ⧗ Apply\n2023-11-14 22:13:21.500Z two\n=== ✘ Apply [12ms]\n"
        );
        assert_eq!(stages.end(Utc::now(), true), "");
    }

    #[test]
    fn foreign_text_cannot_drive_the_terminal() {
        assert_eq!(printable("a\x1b]0;title\x07b\x1b[2Jc\r"), "a]0;titleb[2Jc");
        assert_eq!(
            printable("\x1b[31mred\x1b[0m\t\u{9b}1m"),
            "\x1b[31mred\x1b[0m\t1m"
        );
        assert_eq!(printable("\x1b["), "[");
    }
}
