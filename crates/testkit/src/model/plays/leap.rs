//! *A workspace with a script*: chooses a template, creates the workspace, and works in it.

use serde_json::{Value, json};

use super::Next;
use super::conversation::{Conversation, Step};
use super::tap::Tap;

const PROGRAM: &str = r"# leap YEAR: succeeds if the year is a leap year.
leap() {
  [ $(($1 % 4)) -eq 0 ] && { [ $(($1 % 100)) -ne 0 ] || [ $(($1 % 400)) -eq 0 ]; }
}
";

const TESTS: &str = r#"#!/bin/sh
# Tests of leap.sh; prints TAP.
. ./leap.sh
number=0
failed=0

# is YEAR yes|no
is() {
  number=$((number + 1))
  got=no
  leap "$1" && got=yes
  if [ "$got" = "$2" ]; then
    echo "ok $number - $1: $got"
  else
    echo "not ok $number - $1: got $got, wanted $2"
    failed=$((failed + 1))
  fi
}

echo 1..4
is 2023 no
is 2024 yes
is 1900 no
is 2000 yes
[ "$failed" -eq 0 ]
"#;

pub(super) fn next(talk: &Conversation) -> Next {
    if let Some(error) = talk.last().and_then(Step::failure) {
        return Next::Done(format!("I cannot go on: {error}"));
    }
    let name = talk
        .answer_of("create_workspace")
        .map_or("", |step| step.text("workspace_name"))
        .to_owned();
    let folder = talk
        .answer_of("execute")
        .map_or("", |step| step.text("output"))
        .trim()
        .to_owned();
    let plain = |text: &str, tool: &'static str, arguments: Value| {
        Next::Use(text.to_owned(), tool, arguments)
    };
    match talk.steps.len() {
        0 => plain(
            "I look which templates there are.",
            "list_templates",
            json!({}),
        ),
        1 => match template(talk) {
            Some((id, name)) => Next::Use(
                format!("`{name}` fits. What does it need?"),
                "read_template",
                json!({"template_id": id}),
            ),
            None => Next::Done(
                "There is no template that I may use: a workspace cannot be made.".to_owned(),
            ),
        },
        2 => plain(
            "Nothing that I would have to ask for, so I create the workspace.",
            "create_workspace",
            json!({"template_id": template(talk).map(|(id, _)| id), "name": "leap"}),
        ),
        3 => plain(
            "The workspace is ready. A directory for the script:",
            "execute",
            json!({"command": "mkdir -p leap && cd leap && pwd", "model_intent": "Making a directory"}),
        ),
        4 => plain(
            "",
            "write_file",
            json!({"path": format!("{folder}/leap.sh"), "content": PROGRAM}),
        ),
        5 => plain(
            "And its tests, with the years that are often got wrong.",
            "write_file",
            json!({"path": format!("{folder}/test.sh"), "content": TESTS}),
        ),
        6 => plain(
            "",
            "execute",
            json!({"command": "cd leap && sh test.sh", "model_intent": "Running the tests"}),
        ),
        _ => {
            let output = talk.answer_of("execute").map_or("", |s| s.text("output"));
            let tap = Tap::read(output);
            let script = format!("`leap/leap.sh` stands in the workspace `{name}`.");
            Next::Done(format!("{} {script}", tap.summary()))
        }
    }
}

/// The template that the list recommends, else its first: id and name.
fn template(talk: &Conversation) -> Option<(String, String)> {
    let list = &talk.answer_of("list_templates")?.answer;
    let all = list["templates"].as_array()?;
    let wanted = &list["recommended_template_id"];
    let found = all.iter().find(|t| &t["id"] == wanted).or(all.first())?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some((text("id"), text("name")))
}
