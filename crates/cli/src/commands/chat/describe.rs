//! Tool calls, what they change and what came of them, each in a line or few.

use api_types::ChatMessagePart;
use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::follow::stages::printable;

/// Lines of a result or of a change that are shown.
const LINES: usize = 12;

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// What was there, or was printed.
    Plain,
    /// What is taken away.
    Gone,
    /// What is added.
    New,
    /// What went wrong.
    Bad,
}

/// Lines as they are meant.
pub type Lines = Vec<(Tone, String)>;

/// What the agent does, as a person would say it; no line is wider than `width`.
pub fn call(part: &ChatMessagePart, width: usize) -> String {
    let empty = Value::Null;
    let args = part.args.as_ref().unwrap_or(&empty);
    let text = |key: &str| args.get(key).and_then(Value::as_str).unwrap_or_default();
    let line = match part.tool_name.as_str() {
        "execute" => format!("$ {}", text("command")),
        "process_output" => "look at what the command prints".to_owned(),
        "read_file" => format!("read {}", text("path")),
        "write_file" => {
            let lines = text("content").lines().count();
            let lines = match lines {
                1 => "1 line".to_owned(),
                n => format!("{n} lines"),
            };
            format!("write {lines}: {}", text("path"))
        }
        "edit_files" => format!("edit {}", paths(args)),
        "attach_file" => format!("attach {}", text("path")),
        "create_workspace" => format!("create the workspace {}", text("name")),
        "start_workspace" => "start the workspace".to_owned(),
        "stop_workspace" => "stop the workspace".to_owned(),
        "list_templates" => "look at the templates".to_owned(),
        "read_template" => "read a template".to_owned(),
        "spawn_agent" => format!("start an agent: {}", text("prompt")),
        "wait_agent" => "wait for an agent".to_owned(),
        "propose_plan" => format!("propose a plan: {}", text("path")),
        "ask_user_question" => return printable(&questions(args)),
        "chat_summarized" => "summarized what was said so far".to_owned(),
        "advisor" => format!("ask the advisor: {}", text("question")),
        "message_agent" => format!("tell an agent: {}", text("message")),
        "interrupt_agent" | "close_agent" => "stop an agent".to_owned(),
        "list_agents" => "look at the agents".to_owned(),
        "process_list" => "look at what runs".to_owned(),
        "process_signal" => "stop a command".to_owned(),
        "read_skill" | "read_skill_file" => format!("read the skill {}", text("name")),
        "web_search" => format!("search the web {}", text("query")),
        name if args.is_null() => name.to_owned(),
        name => format!("{name} {args}"),
    };
    let line = printable(&line.split_whitespace().collect::<Vec<_>>().join(" "));
    match part.tool_name.as_str() {
        "read_file" | "write_file" | "edit_files" | "attach_file" | "propose_plan" => {
            shortened_path(&line, width)
        }
        _ => shortened(&line, width),
    }
}

/// What a call changes, if that is worth lines: the edits of files.
pub fn change(part: &ChatMessagePart, width: usize) -> Lines {
    let files = match &part.args {
        Some(args) if part.tool_name == "edit_files" => args.get("files"),
        _ => None,
    };
    let files = files
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut lines = Vec::new();
    for file in files {
        if files.len() > 1 {
            let path = file.get("path").and_then(Value::as_str);
            lines.push((Tone::Plain, path.unwrap_or_default().to_owned()));
        }
        for edit in file
            .get("edits")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let side = |key: &str| -> Vec<&str> {
                let text = edit.get(key).and_then(Value::as_str);
                text.unwrap_or_default().lines().collect()
            };
            let (old, new) = (side("old_text"), side("new_text"));
            // What stays is there to find the place by.
            let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
            let before = old.iter().zip(&new).take_while(same).count();
            let (old, new) = (&old[before..], &new[before..]);
            let after = old
                .iter()
                .rev()
                .zip(new.iter().rev())
                .take_while(same)
                .count();
            let gone = old[..old.len() - after]
                .iter()
                .map(|l| (Tone::Gone, format!("- {l}")));
            lines.extend(gone);
            let come = new[..new.len() - after]
                .iter()
                .map(|l| (Tone::New, format!("+ {l}")));
            lines.extend(come);
        }
    }
    head(lines, width)
}

/// What came of it; nothing if that is not worth a line.
pub fn result(part: &ChatMessagePart, width: usize) -> Lines {
    let Some(value) = part.result.as_ref() else {
        return Vec::new();
    };
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let plain =
        |text: &str| -> Lines { text.lines().map(|l| (Tone::Plain, l.to_owned())).collect() };
    if part.is_error || !text("error").is_empty() {
        let error = match value {
            Value::String(error) => error.as_str(),
            _ => text("error"),
        };
        let lines = error.lines().map(|l| (Tone::Bad, l.to_owned()));
        return head(lines.collect(), width);
    }
    let mut end = None;
    let lines = match part.tool_name.as_str() {
        "execute" | "process_output" => {
            let code = value.get("exit_code").and_then(Value::as_i64).unwrap_or(0);
            end = (code != 0).then(|| (Tone::Bad, format!("exit code {code}")));
            plain(text("output").trim_end())
        }
        "read_file" | "read_skill" | "read_skill_file" | "read_template" | "write_file"
        | "edit_files" | "ask_user_question" | "propose_plan" => Vec::new(),
        "list_templates" => {
            let all = value.get("templates").and_then(Value::as_array);
            let names = all
                .into_iter()
                .flatten()
                .filter_map(|t| t.get("name")?.as_str());
            plain(&names.collect::<Vec<_>>().join(", "))
        }
        "create_workspace" | "start_workspace" | "stop_workspace" => {
            let name = text("workspace_name");
            plain([name, text("message")].join(" ").trim())
        }
        "wait_agent" => plain(text("report")),
        // It is for the model; who wants to read it finds it in the chat.
        "chat_summarized" => Vec::new(),
        "advisor" => plain(text("advice")),
        _ => match value {
            Value::String(text) => plain(text),
            _ => plain(text("output")),
        },
    };
    let mut lines = head(lines, width);
    lines.extend(end);
    lines
}

fn paths(args: &Value) -> String {
    let files = args.get("files").and_then(Value::as_array);
    let names: Vec<&str> = files
        .into_iter()
        .flatten()
        .filter_map(|f| f.get("path")?.as_str())
        .collect();
    names.join(", ")
}

fn questions(args: &Value) -> String {
    let mut out = String::from("asks:");
    let all = args.get("questions").and_then(Value::as_array);
    for question in all.into_iter().flatten() {
        let text = |value: &Value, key: &str| {
            value
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        out.push_str(&format!("\n  {}", text(question, "question")));
        let options = question.get("options").and_then(Value::as_array);
        for (at, option) in options.into_iter().flatten().enumerate() {
            let why = text(option, "description");
            let why = if why.is_empty() {
                why
            } else {
                format!(": {why}")
            };
            out.push_str(&format!("\n    {}. {}{why}", at + 1, text(option, "label")));
        }
    }
    out
}

/// At most so wide on a terminal.
fn shortened(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let mut short = String::new();
    for c in text.chars() {
        let Some(rest) = left.checked_sub(c.width().unwrap_or(0)) else {
            break;
        };
        left = rest;
        short.push(c);
    }
    short.push('…');
    short
}

/// The same for a line whose last word is a path: of it, the beginning is left out.
fn shortened_path(line: &str, most: usize) -> String {
    let Some((before, path)) = line.rsplit_once(' ') else {
        return shortened(line, most);
    };
    let room = most.saturating_sub(before.width() + 2);
    if line.width() <= most || room < path.width() / 8 {
        return shortened(line, most);
    }
    let mut left = room;
    let mut from = path.len();
    for (at, c) in path.char_indices().rev() {
        let Some(rest) = left.checked_sub(c.width().unwrap_or(0)) else {
            break;
        };
        left = rest;
        from = at;
    }
    format!("{before} …{}", &path[from..])
}

/// The first lines, how many there are more, and nothing that a terminal would obey.
fn head(lines: Lines, width: usize) -> Lines {
    let more = lines.len().saturating_sub(LINES);
    let mut shown: Lines = lines
        .into_iter()
        .take(LINES)
        // Terminals and the count of columns disagree on tabs.
        .map(|(tone, line)| {
            (
                tone,
                shortened(&printable(&line).replace('\t', "    "), width),
            )
        })
        .collect();
    if more > 0 {
        let lines = if more == 1 { "line" } else { "lines" };
        shown.push((Tone::Plain, format!("… {more} more {lines}")));
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WIDTH: usize = 60;

    fn texts(lines: &Lines) -> Vec<&str> {
        lines.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn calls_read_like_what_is_done() {
        let told =
            |name: &str, args: Value| call(&ChatMessagePart::tool_call("1", name, args), WIDTH);
        assert_eq!(
            told("execute", json!({"command": "cargo\n  test"})),
            "$ cargo test"
        );
        let summary = json!({"source": "manual", "threshold_percent": 70});
        let line = told("chat_summarized", summary);
        assert_eq!(line, "summarized what was said so far");
        let files = json!({"files": [{"path": "a.rs"}, {"path": "b.rs"}]});
        assert_eq!(told("edit_files", files), "edit a.rs, b.rs");
        let file = json!({"path": "a.txt", "content": "1\n2\n"});
        assert_eq!(told("write_file", file), "write 2 lines: a.txt");
        let deep = json!({"path": format!("/{}/日本/main.rs", "d/".repeat(50))});
        let line = told("read_file", deep);
        assert!(
            line.starts_with("read …") && line.ends_with("/日本/main.rs"),
            "{line}"
        );
        assert!(line.width() <= WIDTH && line.width() >= WIDTH - 1, "{line}");
        for long in ["é", "日"] {
            let line = told("x__y", json!({"q": long.repeat(500)}));
            assert!(line.width() <= WIDTH && line.ends_with('…'), "{line}");
        }
        let ask = json!({"questions": [{"question": "Which?", "options": [{"label": "A", "description": "first"}]}]});
        assert_eq!(
            told("ask_user_question", ask),
            "asks:\n  Which?\n    1. A: first"
        );
    }

    #[test]
    fn edits_show_what_changes() {
        let edit = json!({"files": [{"path": "a", "edits": [
            {"old_text": "fn a() {\n\told\n}", "new_text": "fn a() {\n\tnew\n\tmore\n}"},
        ]}]});
        let lines = change(&ChatMessagePart::tool_call("1", "edit_files", edit), WIDTH);
        assert_eq!(
            lines,
            [
                (Tone::Gone, "-     old".to_owned()),
                (Tone::New, "+     new".to_owned()),
                (Tone::New, "+     more".to_owned()),
            ]
        );
        // Whatever a model makes of the arguments.
        for odd in [
            json!(null),
            json!({"files": 1}),
            json!({"files": [1, {"edits": [2]}]}),
        ] {
            change(&ChatMessagePart::tool_call("1", "edit_files", odd), WIDTH);
        }
    }

    #[test]
    fn results_are_short_and_harmless() {
        let result_of = |name: &str, value, error| {
            result(
                &ChatMessagePart::tool_result("1", name, value, error),
                WIDTH,
            )
        };
        let many: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let shown = result_of("execute", json!({"output": many, "exit_code": 2}), false);
        let shown = texts(&shown);
        assert_eq!(shown.len(), LINES + 2);
        assert_eq!(shown[LINES..], ["… 88 more lines", "exit code 2"]);
        let title = json!({"output": "\x1b]0;title\x07", "exit_code": 0});
        assert_eq!(texts(&result_of("execute", title, false)), ["]0;title"]);
        assert_eq!(
            result_of("x", json!({"error": "no such file"}), true),
            [(Tone::Bad, "no such file".to_owned())]
        );
        assert!(result_of("read_file", json!({"content": "secret"}), false).is_empty());
    }
}
