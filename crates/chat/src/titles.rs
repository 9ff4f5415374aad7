//! Titles of chats, and the few words that tell what a turn did.

use api_types::{ChatMessageRole, ChatStatus};
use llm::{Message, Request, Role};
use store::chats::ChatMessageRow;

use crate::history;

/// Longest title that is made, in characters.
pub const MAX_TITLE: usize = 80;
/// Words of the first message that make the first title.
const FIRST_WORDS: usize = 6;
/// Tokens for a title, thinking included.
pub const MAX_TOKENS: u32 = 256;
/// How long a title or label may take.
pub const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
/// Characters of the conversation that a title is made of.
const MAX_CONVERSATION: usize = 6000;
/// Messages from the start and from the end that a title is made of.
const MESSAGES: usize = 50;

/// Longest summary of a whole chat, in characters.
const MAX_SUMMARY: usize = 1000;
/// Tokens for it, thinking included.
const MAX_SUMMARY_TOKENS: u32 = 512;
/// A conversation shorter than this, in characters, is its own summary.
const MIN_SUMMARIZED: usize = 200;
/// Turns after which a summary is made anew.
const STALE_TURNS: i64 = 3;

/// The title at once: the first words.
pub fn first_title(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut title = words[..words.len().min(FIRST_WORDS)].join(" ");
    let mut cut = words.len() > FIRST_WORDS;
    if title.chars().count() > MAX_TITLE - 1 {
        title = title.chars().take(MAX_TITLE - 1).collect();
        cut = true;
    }
    if title.is_empty() {
        return "New chat".to_owned();
    }
    if cut {
        title.push('…');
    }
    title
}

/// Asks for a title of a conversation.
pub fn title_request(model: &str, messages: &[ChatMessageRow]) -> Request {
    ask(
        model,
        "Give this conversation a title of 2 to 8 words that says what the user wants. Answer with \
         the title alone: no quotes, no full stop, in the user's language.",
        &conversation(messages),
    )
}

/// Asks what the last turn did.
pub fn label_request(model: &str, messages: &[ChatMessageRow]) -> Request {
    ask(
        model,
        "Say in 2 to 5 words what the assistant did or found in its last turn, such as \"Fixed \
         flaky login test\". Answer with these words alone: no quotes, no full stop.",
        &conversation(messages),
    )
}

/// Asks what the whole conversation is about; none while there is too little to tell.
pub fn summary_request(model: &str, messages: &[ChatMessageRow]) -> Option<Request> {
    let text = conversation(messages);
    if text.chars().count() < MIN_SUMMARIZED {
        return None;
    }
    let mut request = ask(
        model,
        "Say in 1 to 3 plain sentences, in the third person, what this conversation is about and \
         what was done or tried. Keep exact names: files, functions, repositories, numbers of pull \
         requests, error messages. No lists, no headings, no quotes around it.",
        &text,
    );
    request.max_output_tokens = Some(MAX_SUMMARY_TOKENS);
    Some(request)
}

/// A model's answer as a summary; none if it is none.
pub fn clean_summary(answer: &str) -> Option<String> {
    let text = crate::prompt::sanitize(answer);
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    (!text.is_empty() && text.chars().count() <= MAX_SUMMARY).then_some(text)
}

/// Whether a summary is to be made anew, `turns` turns after the last one was.
pub fn wants_summary(has_one: bool, turns: i64) -> bool {
    turns >= if has_one { STALE_TURNS } else { 1 }
}

fn ask(model: &str, task: &str, text: &str) -> Request {
    Request {
        model: model.to_owned(),
        messages: vec![
            Message::text(Role::System, task),
            Message::text(
                Role::User,
                format!("<conversation>\n{text}\n</conversation>"),
            ),
        ],
        max_output_tokens: Some(MAX_TOKENS),
        ..Request::default()
    }
}

/// What was said, shortened.
fn conversation(messages: &[ChatMessageRow]) -> String {
    let said: Vec<&ChatMessageRow> = messages
        .iter()
        .filter(|m| !m.deleted && m.visibility.for_user() && !m.compressed)
        .filter(|m| matches!(m.role, ChatMessageRole::User | ChatMessageRole::Assistant))
        .collect();
    let skip = MESSAGES..said.len().saturating_sub(MESSAGES).max(MESSAGES);
    let mut text = String::new();
    for (at, row) in said.iter().enumerate() {
        if skip.contains(&at) {
            continue;
        }
        let line = history::text_of(&row.content);
        if !line.trim().is_empty() {
            let short: String = line.chars().take(1000).collect();
            text.push_str(&format!("{}: {}\n", row.role, short.trim()));
        }
    }
    let length = text.chars().count();
    if length > MAX_CONVERSATION {
        let half = MAX_CONVERSATION / 2;
        let head: String = text.chars().take(half).collect();
        let tail: String = text.chars().skip(length - half).collect();
        return format!("{head}\n…\n{tail}");
    }
    text
}

/// A model's answer as a title; none if it is none.
pub fn clean(answer: &str) -> Option<String> {
    let line = answer
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    let line = line
        .trim_matches(['"', '\'', '“', '”', '`', '*', '#', ' '])
        .trim_end_matches('.');
    let title: String = crate::prompt::sanitize(line)
        .chars()
        .take(MAX_TITLE)
        .collect();
    (!title.is_empty()).then_some(title)
}

/// The label of a turn when no model gives one.
pub fn fallback_label(status: &ChatStatus) -> &'static str {
    match status {
        ChatStatus::Error => "Ended with an error",
        ChatStatus::RequiresAction => "Waiting for you",
        _ => "Finished",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_titles_are_short() {
        assert_eq!(first_title("  fix   the build "), "fix the build");
        assert_eq!(first_title("a b c d e f g"), "a b c d e f…");
        assert_eq!(first_title(&"x".repeat(500)).chars().count(), MAX_TITLE);
        assert_eq!(first_title(" \n"), "New chat");
    }

    #[test]
    fn summaries_are_made_once_and_then_rarely() {
        assert!(!wants_summary(false, 0) && wants_summary(false, 1));
        assert!(!wants_summary(true, 2) && wants_summary(true, 3));
        assert_eq!(clean_summary(" a\n b. ").as_deref(), Some("a b."));
        assert_eq!(clean_summary(&"x".repeat(MAX_SUMMARY + 1)), None);
        assert_eq!(clean_summary(" \n"), None);
        assert!(summary_request("m", &[]).is_none());
    }

    #[test]
    fn answers_are_cleaned() {
        assert_eq!(
            clean("\n\"Fix the build.\"\nmore"),
            Some("Fix the build".to_owned())
        );
        assert_eq!(clean(" \n "), None);
        assert_eq!(clean("**").as_deref(), None);
        assert_eq!(clean(&"é".repeat(300)).unwrap().chars().count(), MAX_TITLE);
    }
}
