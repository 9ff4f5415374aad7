//! Tool calls and their results, each in a line or few.

use api_types::ChatMessagePart;
use serde_json::Value;

use crate::follow::stages::printable;

/// Longest line that a call takes.
const LINE: usize = 110;
/// Lines of a result that are shown.
const LINES: usize = 8;

/// What the agent does, as a person would say it.
pub fn call(part: &ChatMessagePart) -> String {
    let empty = Value::Null;
    let args = part.args.as_ref().unwrap_or(&empty);
    let text = |key: &str| args.get(key).and_then(Value::as_str).unwrap_or_default();
    let line = match part.tool_name.as_str() {
        "execute" => format!("$ {}", text("command")),
        "read_file" => format!("read {}", text("path")),
        "write_file" => format!("write {}", text("path")),
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
        "ask_user_question" => questions(args),
        "web_search" => format!("search the web {}", text("query")),
        name if args.is_null() => name.to_owned(),
        name => format!("{name} {args}"),
    };
    if part.tool_name == "ask_user_question" {
        return printable(&line);
    }
    one_line(&line)
}

/// What came of it; `None` if there is nothing worth a line.
pub fn result(part: &ChatMessagePart) -> Option<String> {
    let value = part.result.as_ref()?;
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    if part.is_error || !text("error").is_empty() {
        let error = match value {
            Value::String(error) => error.as_str(),
            _ => text("error"),
        };
        return Some(head(error));
    }
    let output = match part.tool_name.as_str() {
        "execute" | "process_output" => {
            let code = value.get("exit_code").and_then(Value::as_i64).unwrap_or(0);
            let mut output = text("output").trim_end().to_owned();
            if code != 0 {
                output.push_str(&format!("\n(exit code {code})"));
            }
            output
        }
        "read_file" | "read_skill" | "read_skill_file" | "read_template" | "list_templates"
        | "write_file" | "edit_files" | "ask_user_question" | "propose_plan" => String::new(),
        "create_workspace" | "start_workspace" | "stop_workspace" => {
            let name = text("workspace_name");
            [name, text("message")].join(" ").trim().to_owned()
        }
        "wait_agent" => text("report").to_owned(),
        _ => match value {
            Value::String(text) => text.clone(),
            Value::Object(map) => map
                .get("output")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            _ => String::new(),
        },
    };
    let shown = head(&output);
    (!shown.trim().is_empty()).then_some(shown)
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

fn one_line(text: &str) -> String {
    let text = printable(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    shortened(&text, LINE)
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    short.push('…');
    short
}

/// The first lines of a text, and how many there are more.
fn head(text: &str) -> String {
    let text = printable(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut shown: Vec<String> = lines
        .iter()
        .take(LINES)
        .map(|l| shortened(l, LINE))
        .collect();
    if lines.len() > LINES {
        shown.push(format!("… {} more lines", lines.len() - LINES));
    }
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_read_like_what_is_done() {
        let run = ChatMessagePart::tool_call("1", "execute", json!({"command": "cargo\n  test"}));
        assert_eq!(call(&run), "$ cargo test");
        let edit = ChatMessagePart::tool_call(
            "2",
            "edit_files",
            json!({"files": [{"path": "a.rs"}, {"path": "b.rs"}]}),
        );
        assert_eq!(call(&edit), "edit a.rs, b.rs");
        let long = ChatMessagePart::tool_call("3", "x__y", json!({"q": "é".repeat(500)}));
        assert_eq!(call(&long).chars().count(), LINE);
        let ask = ChatMessagePart::tool_call(
            "4",
            "ask_user_question",
            json!({"questions": [{"question": "Which?", "options": [{"label": "A", "description": "first"}]}]}),
        );
        assert_eq!(call(&ask), "asks:\n  Which?\n    1. A: first");
    }

    #[test]
    fn results_are_short_and_harmless() {
        let result_of = |name: &str, value, error| {
            result(&ChatMessagePart::tool_result("1", name, value, error))
        };
        let many: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let shown = result_of("execute", json!({"output": many, "exit_code": 2}), false).unwrap();
        assert!(
            shown.starts_with("line 0\n") && shown.ends_with("93 more lines"),
            "{shown}"
        );
        assert_eq!(
            result_of(
                "execute",
                json!({"output": "\x1b]0;title\x07", "exit_code": 0}),
                false
            ),
            Some("]0;title".into())
        );
        assert_eq!(
            result_of("x", json!({"error": "no such file"}), true).as_deref(),
            Some("no such file")
        );
        assert_eq!(
            result_of("read_file", json!({"content": "secret"}), false),
            None
        );
    }
}
