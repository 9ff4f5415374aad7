//! One line of the `-json` event stream (terraform "machine-readable UI", version 1).

use chrono::{DateTime, Utc};
use rpc::proto::provisioner::LogLevel;
use serde::Deserialize;

/// One event. Unknown fields and kinds are kept out of the way.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Event {
    /// `info`, `warn`, `error`, `debug` or `trace`.
    #[serde(rename = "@level", default)]
    pub level: String,
    /// The text for people.
    #[serde(rename = "@message", default)]
    pub message: String,
    /// When it was printed.
    #[serde(rename = "@timestamp", default)]
    pub timestamp: Option<DateTime<Utc>>,
    /// Such as `apply_start`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Such as `initializing_modules_message`, of `init` only.
    #[serde(default)]
    pub message_code: String,
    /// About one resource.
    #[serde(default)]
    pub hook: Option<Hook>,
    /// An error or warning.
    #[serde(default)]
    pub diagnostic: Option<Diagnostic>,
    /// A summary.
    #[serde(default)]
    pub changes: Option<Changes>,
}

/// What an event says about one resource.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Hook {
    /// Which one.
    #[serde(default)]
    pub resource: ResourceAddress,
    /// `create`, `read`, `update`, `delete`, …
    #[serde(default)]
    pub action: String,
    /// Such as `local-exec`.
    #[serde(default)]
    pub provisioner: String,
}

/// Names a resource.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ResourceAddress {
    /// The full address.
    #[serde(default)]
    pub addr: String,
    /// The provider's short name.
    #[serde(default)]
    pub implied_provider: String,
}

/// A summary of planned or applied changes.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Changes {
    /// `plan`, `apply` or `destroy`.
    #[serde(default)]
    pub operation: String,
}

/// An error or warning with its place.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Diagnostic {
    /// `error` or `warning`.
    #[serde(default)]
    pub severity: String,
    /// In a few words.
    #[serde(default)]
    pub summary: String,
    /// In full.
    #[serde(default)]
    pub detail: String,
    /// Address of the resource concerned.
    #[serde(default)]
    pub address: String,
    /// Where in the configuration.
    #[serde(default)]
    pub range: Option<Range>,
    /// The text there.
    #[serde(default)]
    pub snippet: Option<Snippet>,
}

/// A place in the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Range {
    /// File, relative to the template.
    #[serde(default)]
    pub filename: String,
    /// Where it begins.
    #[serde(default)]
    pub start: Position,
}

/// A position in a file.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Position {
    /// From 1.
    #[serde(default)]
    pub line: u64,
}

/// The text that a diagnostic is about.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Snippet {
    /// Such as `resource "x" "y"`.
    #[serde(default)]
    pub context: Option<String>,
    /// The lines.
    #[serde(default)]
    pub code: String,
    /// The number of the first one.
    #[serde(default)]
    pub start_line: u64,
    /// Values that took part.
    #[serde(default)]
    pub values: Vec<SnippetValue>,
}

/// A value that took part in an expression.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SnippetValue {
    /// Such as `var.x`.
    #[serde(default)]
    pub traversal: String,
    /// Such as `is "y"`.
    #[serde(default)]
    pub statement: String,
}

impl Event {
    /// Reads one line; `None` if it is not an event.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let event: Self = serde_json::from_slice(line).ok()?;
        (!event.level.is_empty() || !event.kind.is_empty()).then_some(event)
    }

    /// The level of its log line.
    pub fn log_level(&self) -> LogLevel {
        level(&self.level)
    }
}

/// The level of that name.
pub(super) fn level(name: &str) -> LogLevel {
    match name {
        "trace" => LogLevel::Trace,
        "debug" => LogLevel::Debug,
        "warn" | "warning" => LogLevel::Warn,
        "error" => LogLevel::Error,
        _ => LogLevel::Info,
    }
}

impl Diagnostic {
    /// Whether it is the warning about our own provider being used, which we cause ourselves.
    pub fn is_own_override(&self) -> bool {
        self.severity == "warning" && self.summary == "Provider development overrides are in effect"
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// In one line: what and where.
    pub fn in_short(&self) -> String {
        let mut text = self.summary.trim_end_matches('.').to_owned();
        let detail = self.detail.split("\n\n").next().unwrap_or_default();
        let detail = detail.split_whitespace().collect::<Vec<_>>().join(" ");
        if !detail.is_empty() {
            text.push_str(": ");
            text.push_str(&detail);
        }
        if let Some(range) = &self.range {
            text.push_str(&format!(" ({} line {}", range.filename, range.start.line));
            if let Some(context) = self.snippet.as_ref().and_then(|s| s.context.as_deref()) {
                text.push_str(", in ");
                text.push_str(context);
            }
            text.push(')');
        } else if !self.address.is_empty() {
            text.push_str(&format!(" (in {})", self.address));
        }
        text
    }

    /// As log lines: the place, the text there, values, and the detail.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(range) = &self.range {
            let mut place = format!("on {} line {}", range.filename, range.start.line);
            if let Some(snippet) = &self.snippet {
                if let Some(context) = &snippet.context {
                    place.push_str(", in ");
                    place.push_str(context);
                }
                lines.push(place + ":");
                for (n, code) in snippet.code.lines().enumerate() {
                    lines.push(format!("  {}: {code}", snippet.start_line + n as u64));
                }
                let mut values: Vec<_> = snippet.values.iter().collect();
                values.sort_by(|a, b| a.traversal.cmp(&b.traversal));
                if !values.is_empty() {
                    lines.push("    ├────────────────".to_owned());
                }
                for value in values {
                    lines.push(format!("    │ {} {}", value.traversal, value.statement));
                }
            } else {
                lines.push(place + ":");
            }
            lines.push(String::new());
        }
        lines.extend(self.detail.lines().map(str::to_owned));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_diagnostic() {
        let line = br#"{"@level":"error","@message":"Error: Bad","type":"diagnostic","diagnostic":{"severity":"error","summary":"Bad","detail":"It is\nbad.\n\nMore.","range":{"filename":"main.tf","start":{"line":3,"column":1,"byte":5}},"snippet":{"context":"resource \"a\" \"b\"","code":"  x = y","start_line":3,"values":[{"traversal":"y","statement":"is 1"}]}}}"#;
        let event = Event::parse(line).unwrap();
        let diagnostic = event.diagnostic.unwrap();
        assert_eq!(
            diagnostic.in_short(),
            "Bad: It is bad. (main.tf line 3, in resource \"a\" \"b\")"
        );
        let lines = diagnostic.lines();
        assert_eq!(lines[0], "on main.tf line 3, in resource \"a\" \"b\":");
        assert!(lines.contains(&"  3:   x = y".to_owned()));
        assert!(lines.contains(&"    │ y is 1".to_owned()));
    }

    #[test]
    fn other_lines_are_no_events() {
        for line in [&b"hello"[..], b"{}", b"[1]", b"{\"a\":", b"\xff\xfe"] {
            assert!(Event::parse(line).is_none());
        }
    }
}
