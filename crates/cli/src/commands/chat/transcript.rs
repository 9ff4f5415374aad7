//! A chat as text that grows: each event adds what has not been shown yet.
//!
//! What an agent says comes twice, as parts while it is made and as a message once it is kept.
//! Of the message only the rest is shown; if it says something else than the parts did (the
//! attempt was given up), it is shown whole.

use std::collections::HashSet;

use api_types::{
    ChatMessage, ChatMessagePart, ChatMessagePartType as Kind, ChatMessageRole as Role, ChatStatus,
    ChatStreamEvent, ChatStreamEventType as Event,
};

use super::describe::{self, Tone};
use super::markdown::Markdown;
use crate::follow::stages::printable;
use crate::ui::style::Style;
use crate::ui::terminal;

/// Width of lines that no terminal limits.
const WIDE: usize = 120;
/// Width below which nothing can be told.
const NARROW: usize = 20;

/// What has been shown so far.
pub struct Transcript {
    style: Style,
    /// Show the user's own messages too.
    own: bool,
    /// Messages up to this one have been shown.
    last: i64,
    /// What parts have shown of the message that is being made.
    said: String,
    thought: String,
    /// The preview was given up; said at the next text.
    given_up: bool,
    calls: HashSet<String>,
    results: HashSet<String>,
    /// Calls without a result yet: id and what they do.
    running: Vec<(String, String)>,
    /// The tool whose call is being written.
    preparing: Option<String>,
    markdown: Markdown,
    width: fn() -> usize,
    column: Column,
    status: Option<ChatStatus>,
}

/// Columns of the terminal as it is now: it may change its size.
fn terminal_width() -> usize {
    terminal::size().map_or(WIDE, |(width, _)| usize::from(width).max(NARROW))
}

/// Where the cursor is, and in what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Start,
    Text,
    Thought,
}

impl Transcript {
    /// Begins after message `last`.
    pub fn new(style: Style, own: bool, last: i64) -> Self {
        Self {
            style,
            own,
            last,
            said: String::new(),
            thought: String::new(),
            given_up: false,
            calls: HashSet::new(),
            results: HashSet::new(),
            running: Vec::new(),
            preparing: None,
            markdown: Markdown::new(style),
            width: terminal_width,
            column: Column::Start,
            status: None,
        }
    }

    /// What the agent does now, as far as known.
    pub fn status(&self) -> Option<&ChatStatus> {
        self.status.as_ref()
    }

    /// What is waited for, if a line of its own can say so now.
    pub fn waits_for(&self) -> Option<String> {
        if self.column != Column::Start {
            return None;
        }
        match self.status {
            Some(ChatStatus::Interrupting) => return Some("stopping".to_owned()),
            Some(ChatStatus::Running) => {}
            _ => return None,
        }
        Some(match (&self.preparing, &self.running[..]) {
            (Some(tool), _) => format!("the model prepares {tool}"),
            (None, []) => "waiting for the model".to_owned(),
            (None, [(_, what)]) => format!("running: {what}"),
            (None, several) => format!("running {} tools", several.len()),
        })
    }

    /// The last message that has been shown.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// What this event adds.
    pub fn event(&mut self, event: &ChatStreamEvent) -> String {
        let mut out = String::new();
        match event.kind {
            Event::MessagePart => {
                if let Some(part) = &event.message_part
                    && part.role != Role::User
                {
                    self.part(&part.part, &mut out);
                }
            }
            Event::Message => {
                if let Some(message) = &event.message {
                    self.message(message, &mut out);
                }
            }
            Event::Status => self.status = event.status.as_ref().map(|s| s.status.clone()),
            Event::PreviewReset => {
                self.given_up = !self.said.is_empty();
                self.preparing = None;
            }
            Event::Retry => {
                if let Some(retry) = &event.retry {
                    let why = printable(retry.error.trim_end_matches('.'));
                    let text = format!("{why}; once more in {} s", (retry.delay_ms + 999) / 1000);
                    self.note(&text, &mut out);
                }
            }
            Event::ActionRequired => {
                let names: Vec<String> = event
                    .action_required
                    .iter()
                    .flat_map(|a| &a.tool_calls)
                    .map(|c| printable(&c.tool_name))
                    .collect();
                let text = format!("waits for the program that offers {}", names.join(", "));
                self.note(&text, &mut out);
            }
            _ => {}
        }
        out
    }

    /// A message of the history.
    pub fn message(&mut self, message: &ChatMessage, out: &mut String) {
        if message.id <= self.last {
            return;
        }
        self.last = message.id;
        match message.role {
            Role::User => {
                if self.own {
                    self.own_message(message, out);
                }
            }
            Role::Assistant => self.answer(message, out),
            _ => {
                for part in &message.content {
                    self.part(part, out);
                }
            }
        }
        if message.role == Role::Assistant {
            self.said.clear();
            self.thought.clear();
            self.given_up = false;
        }
        self.end_line(out);
    }

    fn own_message(&mut self, message: &ChatMessage, out: &mut String) {
        self.end_line(out);
        for part in &message.content {
            let text = match part.kind {
                Kind::Text => printable(part.text.as_deref().unwrap_or_default()),
                Kind::File => format!("[{}]", printable(&part.name)),
                Kind::FileReference => {
                    format!(
                        "[{}]",
                        printable(part.file_name.as_deref().unwrap_or_default())
                    )
                }
                _ => continue,
            };
            for line in text.lines() {
                out.push_str(&self.style.bold(&format!("> {line}")));
                out.push('\n');
            }
        }
    }

    fn answer(&mut self, message: &ChatMessage, out: &mut String) {
        let whole: String = message
            .content
            .iter()
            .filter(|p| p.kind == Kind::Text)
            .filter_map(|p| p.text.as_deref())
            .collect();
        // Parts have shown a beginning of it: the rest follows. Else it is another answer.
        let shown = if whole.starts_with(&self.said) {
            self.said.len()
        } else {
            self.note("the answer began anew", out);
            0
        };
        self.given_up = false;
        let mut at = 0;
        for part in &message.content {
            if part.kind == Kind::Text {
                let text = part.text.as_deref().unwrap_or_default();
                let skip = shown.saturating_sub(at).min(text.len());
                at += text.len();
                if let Some(rest) = text.get(skip..) {
                    self.text(rest, Column::Text, out);
                }
            } else if part.kind != Kind::Reasoning {
                self.part(part, out);
            }
        }
    }

    fn part(&mut self, part: &ChatMessagePart, out: &mut String) {
        match part.kind {
            Kind::Text => {
                let text = part.text.as_deref().unwrap_or_default();
                if self.given_up && !text.is_empty() {
                    self.note("the answer began anew", out);
                    self.said.clear();
                    self.given_up = false;
                }
                self.said.push_str(text);
                self.text(text, Column::Text, out);
            }
            Kind::Reasoning => {
                let text = part.text.as_deref().unwrap_or_default();
                self.thought.push_str(text);
                self.text(text, Column::Thought, out);
            }
            // While the arguments stream in there is nothing to show yet.
            Kind::ToolCall
                if part.args.is_none()
                    && !self.calls.contains(&part.tool_call_id)
                    && !part.tool_name.is_empty() =>
            {
                self.end_line(out);
                self.preparing = Some(printable(&part.tool_name));
            }
            Kind::ToolCall
                if part.args.is_some() && self.calls.insert(part.tool_call_id.clone()) =>
            {
                self.preparing = None;
                self.end_line(out);
                let width = (self.width)().saturating_sub(2);
                let line = describe::call(part, width);
                let paint = |line: &str| self.style.keyword(line);
                let painted: Vec<String> = line.split('\n').map(paint).collect();
                out.push_str(&format!("{} {}\n", paint("•"), painted.join("\n")));
                let changed = describe::change(part, width);
                self.lines(&changed, out);
                let what = line.split('\n').next().unwrap_or_default().to_owned();
                self.running.push((part.tool_call_id.clone(), what));
            }
            Kind::ToolResult if part.result.is_some() => {
                self.running.retain(|(id, _)| *id != part.tool_call_id);
                if self.results.insert(part.tool_call_id.clone()) {
                    let lines = describe::result(part, (self.width)().saturating_sub(2));
                    if !lines.is_empty() {
                        self.end_line(out);
                        self.lines(&lines, out);
                    }
                }
            }
            Kind::Source => {
                if let Some(url) = &part.url {
                    self.end_line(out);
                    let line = printable(&format!("  {} {url}", part.title));
                    out.push_str(&self.style.dim(&line));
                    out.push('\n');
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, column: Column, out: &mut String) {
        if text.is_empty() {
            return;
        }
        if self.column != column && self.column != Column::Start {
            self.end_line(out);
        }
        self.preparing = None;
        let shown = printable(text);
        if column == Column::Thought {
            // Colours end at each line, so that a cut leaves the terminal as it was.
            let lines: Vec<String> = shown
                .split('\n')
                .map(|l| {
                    if l.is_empty() {
                        String::new()
                    } else {
                        self.style.dim(l)
                    }
                })
                .collect();
            out.push_str(&lines.join("\n"));
        } else {
            let painted = self.markdown.feed(&shown);
            out.push_str(&painted);
        }
        self.column = if shown.ends_with('\n') {
            Column::Start
        } else {
            column
        };
    }

    fn note(&mut self, text: &str, out: &mut String) {
        self.end_line(out);
        out.push_str(&self.style.warn(&format!("({text})")));
        out.push('\n');
    }

    /// Lines that belong to the call above them.
    fn lines(&self, lines: &describe::Lines, out: &mut String) {
        for (tone, line) in lines {
            let line = format!("  {line}");
            out.push_str(&match tone {
                Tone::Plain => self.style.dim(&line),
                Tone::Gone | Tone::Bad => self.style.error(&line),
                Tone::New => self.style.good(&line),
            });
            out.push('\n');
        }
    }

    /// Ends a line that was begun.
    pub fn end_line(&mut self, out: &mut String) {
        let held = self.markdown.finish();
        out.push_str(&held);
        if self.column != Column::Start {
            out.push('\n');
            self.column = Column::Start;
        }
    }
}

#[cfg(test)]
mod tests {
    use api_types::ChatStreamMessagePart;
    use serde_json::json;

    use super::*;

    fn part(part: ChatMessagePart) -> ChatStreamEvent {
        ChatStreamEvent {
            kind: Event::MessagePart,
            message_part: Some(ChatStreamMessagePart {
                role: Role::Assistant,
                part,
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn message(id: i64, role: Role, content: Vec<ChatMessagePart>) -> ChatStreamEvent {
        ChatStreamEvent {
            kind: Event::Message,
            message: Some(ChatMessage {
                id,
                role,
                content,
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn shown(own: bool, events: &[ChatStreamEvent]) -> String {
        let mut transcript = Transcript::new(Style::plain(), own, 0);
        events.iter().map(|e| transcript.event(e)).collect()
    }

    #[test]
    fn nothing_is_shown_twice() {
        let call = ChatMessagePart::tool_call("c", "execute", json!({"command": "ls"}));
        let result = ChatMessagePart::tool_result("c", "execute", json!({"output": "a b"}), false);
        let text = shown(
            false,
            &[
                message(1, Role::User, vec![ChatMessagePart::text("hello")]),
                part(ChatMessagePart::text("Let me ")),
                part(ChatMessagePart::text("look.")),
                part(call.clone()),
                message(
                    2,
                    Role::Assistant,
                    vec![ChatMessagePart::text("Let me look. Now."), call],
                ),
                part(result.clone()),
                message(3, Role::Tool, vec![result]),
                part(ChatMessagePart::text("Done.")),
                message(4, Role::Assistant, vec![ChatMessagePart::text("Done.")]),
            ],
        );
        assert_eq!(text, "Let me look.\n• $ ls\n Now.\n  a b\nDone.\n");
    }

    #[test]
    fn an_attempt_given_up_is_told() {
        let reset = ChatStreamEvent {
            kind: Event::PreviewReset,
            ..Default::default()
        };
        let text = shown(
            false,
            &[
                part(ChatMessagePart::text("Half an ")),
                reset,
                part(ChatMessagePart::text("All.")),
                message(2, Role::Assistant, vec![ChatMessagePart::text("All.")]),
            ],
        );
        assert_eq!(text, "Half an \n(the answer began anew)\nAll.\n");
    }

    #[test]
    fn history_replayed_is_not_repeated() {
        let one = message(1, Role::User, vec![ChatMessagePart::text("hello\nthere")]);
        let two = message(2, Role::Assistant, vec![ChatMessagePart::text("Hi.")]);
        let reset = ChatStreamEvent {
            kind: Event::HistoryReset,
            ..Default::default()
        };
        let text = shown(true, &[one.clone(), two.clone(), reset, one, two]);
        assert_eq!(text, "> hello\n> there\nHi.\n");
    }
}
