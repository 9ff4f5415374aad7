//! A conversation as Chat Completions carries it: the last request, and what was done for it.

use std::collections::HashMap;

use serde_json::Value;

/// The part of a conversation that a play looks at.
pub(super) struct Conversation {
    /// What the user asked last.
    pub request: String,
    /// Tools used since then, with their answers.
    pub steps: Vec<Step>,
}

/// One use of a tool.
pub(super) struct Step {
    /// The tool.
    pub tool: String,
    /// What it answered; text that is no JSON is a string.
    pub answer: Value,
}

impl Step {
    /// Text of a field of the answer.
    pub fn text(&self, field: &str) -> &str {
        self.answer[field].as_str().unwrap_or_default()
    }

    /// Why the tool could not do it, if so.
    pub fn failure(&self) -> Option<&str> {
        match &self.answer {
            Value::String(text) => Some(text),
            Value::Object(fields) => fields.get("error")?.as_str().filter(|e| !e.is_empty()),
            _ => None,
        }
    }
}

impl Conversation {
    /// Reads the messages of a request's body; what is not understood is skipped.
    pub fn read(body: &Value) -> Self {
        let mut request = String::new();
        let mut steps = Vec::new();
        let mut names: HashMap<&str, &str> = HashMap::new();
        for message in body["messages"].as_array().into_iter().flatten() {
            match message["role"].as_str().unwrap_or_default() {
                "user" => {
                    request = text(&message["content"]);
                    steps.clear();
                }
                "assistant" => {
                    for call in message["tool_calls"].as_array().into_iter().flatten() {
                        names.insert(
                            call["id"].as_str().unwrap_or_default(),
                            call["function"]["name"].as_str().unwrap_or_default(),
                        );
                    }
                }
                "tool" => {
                    let said = text(&message["content"]);
                    let id = message["tool_call_id"].as_str().unwrap_or_default();
                    steps.push(Step {
                        tool: names.get(id).copied().unwrap_or_default().to_owned(),
                        answer: serde_json::from_str(&said).unwrap_or(Value::String(said)),
                    });
                }
                _ => {}
            }
        }
        Self { request, steps }
    }

    /// The last use of a tool.
    pub fn last(&self) -> Option<&Step> {
        self.steps.last()
    }

    /// The newest answer of this tool.
    pub fn answer_of(&self, tool: &str) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.tool == tool)
    }
}

/// Text of a message: a string, or the texts of its parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_last_request_counts() {
        let read = Conversation::read(&json!({"messages": [
            {"role": "system", "content": "rules"},
            {"role": "user", "content": "first"},
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "execute"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "{\"output\":\"x\"}"},
            {"role": "user", "content": [{"type": "text", "text": "second"}]},
            {"role": "assistant", "tool_calls": [{"id": "b", "function": {"name": "read_file"}}]},
            {"role": "tool", "tool_call_id": "b", "content": "no such file"},
        ]}));
        assert_eq!(read.request, "second");
        assert_eq!(read.steps.len(), 1);
        assert_eq!(read.steps[0].tool, "read_file");
        assert_eq!(read.steps[0].failure(), Some("no such file"));
    }
}
