//! *The tests of slug fail*: the project in `plays/slug` of this crate, in the directory `slug` of
//! the workspace.

use serde_json::json;

use super::Next;
use super::conversation::Conversation;
use super::tap::Tap;

/// The line of `slug.sh` that is wrong.
const WRONG: &str = r#"  printf '%s' "$1" | tr 'A-Z' 'a-z' | tr ' ' '-'"#;
/// What stands there afterwards.
const RIGHT: &str =
    r#"  printf '%s' "$1" | tr 'A-Z' 'a-z' | tr -cs 'a-z0-9' '-' | sed 's/^-//; s/-$//'"#;

pub(super) fn next(talk: &Conversation) -> Next {
    if let Some(error) = talk.last().and_then(|step| step.failure()) {
        return Next::Done(format!("I cannot go on: {error}"));
    }
    // Where the project is was printed before the tests ran.
    let first = talk.steps.first().map_or("", |step| step.text("output"));
    let folder = first.lines().next().unwrap_or_default();
    let program = format!("{folder}/slug.sh");
    let tap = talk
        .answer_of("execute")
        .map(|step| Tap::read(step.text("output")));
    match (talk.steps.len(), tap) {
        (0, _) | (_, None) => Next::Use(
            "I run the tests first, to see what fails.".to_owned(),
            "execute",
            json!({"command": "cd slug && pwd && sh test.sh", "model_intent": "Running the tests"}),
        ),
        (1, Some(tap)) if tap.failed.is_empty() => Next::Done(tap.summary()),
        (1, Some(tap)) => Next::Use(
            format!("{}\n\nSo I look at the program.", tap.summary()),
            "read_file",
            json!({"path": program}),
        ),
        (2, _) => Next::Use(
            "Only blanks become hyphens: other signs stay, and nothing is trimmed. I let every run of \
             anything but letters and digits become one hyphen, and trim both ends."
                .to_owned(),
            "edit_files",
            json!({"files": [{"path": program, "edits": [{"old_text": WRONG, "new_text": RIGHT}]}]}),
        ),
        (3, _) => Next::Use(
            "Now the tests again.".to_owned(),
            "execute",
            json!({"command": "cd slug && sh test.sh", "model_intent": "Running the tests again"}),
        ),
        (_, Some(tap)) if tap.failed.is_empty() && tap.passed > 0 => Next::Done(format!(
            "{} The fault was in `slug.sh`, in one line; I changed nothing else.",
            tap.summary()
        )),
        (_, Some(tap)) => Next::Done(format!(
            "{}\n\nMy change was not enough.",
            tap.summary()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_has_the_line_once() {
        let program = include_str!("../../../plays/slug/slug.sh");
        assert_eq!(program.matches(WRONG).count(), 1);
    }
}
