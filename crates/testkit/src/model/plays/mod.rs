//! Plays: a scripted agent that works. What it says next follows from what it was asked and from
//! what its tools answered, so what it reports is what happened.
//!
//! Read from OpenAI's Chat Completions; other interfaces get a plain text.

mod conversation;
mod leap;
mod slug;
mod tap;

use std::time::Duration;

use super::{Api, Asked, Reply, Say};
use conversation::Conversation;

/// Between two words; about as quick as a good model.
const PACE: Duration = Duration::from_millis(20);

/// What an agent says next.
enum Next {
    /// Says something and uses a tool.
    Use(String, &'static str, serde_json::Value),
    /// Says something and is done.
    Done(String),
}

/// The reply of the scripted agent, word by word.
///
/// - *the tests of slug fail*: runs them, reads the program, mends it, runs them again.
/// - *a workspace with a script*: chooses a template, creates the workspace, writes a script and
///   its tests in it, runs them.
/// - anything else is answered with what it can do.
pub fn reply(asked: &Asked) -> Reply {
    if asked.api != Some(Api::Chat) || asked.body["stream"] != true {
        // Titles and labels.
        return Reply::text("A scripted agent at work");
    }
    let talk = Conversation::read(&asked.body);
    let next = match talk.request.to_lowercase() {
        request if request.contains("slug") => slug::next(&talk),
        request if request.contains("workspace") => leap::next(&talk),
        _ => Next::Done(
            "I am a scripted model. I can mend the tests of `slug`, and I can set up a \
             workspace with a small script in it."
                .to_owned(),
        ),
    };
    let (text, call) = match next {
        Next::Done(text) => (text, None),
        Next::Use(text, name, arguments) => {
            let id = format!("call_{}", talk.steps.len() + 1);
            (text, Some(Say::call(&id, name, &arguments.to_string())))
        }
    };
    let words = text.split_inclusive(' ').map(Say::text);
    Reply::say(words.chain(call)).paced(PACE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(body: serde_json::Value) -> Asked {
        Asked {
            api: Some(Api::Chat),
            path: "/v1/chat/completions".into(),
            headers: Vec::new(),
            body,
            connection: 1,
        }
    }

    #[test]
    fn what_it_cannot_do_is_said() {
        let reply = reply(&asked(json!({"stream": true, "messages": [
            {"role": "user", "content": "write an operating system"}]})));
        assert!(format!("{reply:?}").contains("scripted"), "{reply:?}");
    }
}
