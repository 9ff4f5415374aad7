//! What a model is told, in this order:
//!
//! 1. the deployment's prompt, the chat's own and whether there is a workspace: fixed when the chat
//!    began;
//! 2. for helpers, that they are such;
//! 3. what the workspace says: system, directory, files with instructions ([`workspace`]). What a
//!    template has to say, it puts into `~/.coder/AGENTS.md` of its workspaces;
//! 4. the list of skills of the user and of the workspace ([`crate::skills`]);
//! 5. the user's own instructions;
//! 6. the mode: looking around, or planning with the administrators' instructions for it;
//! 7. what tools ask to be said;
//! 8. the conversation.

mod convert;
pub mod workspace;

pub use api_types::sanitize_prompt as sanitize;
pub use convert::{Files, LoadedFile, convert, files_of};

use llm::{Message, Role};
use store::chats::{ChatMessageRow, ChatRow};

/// The built-in deployment prompt.
pub const DEFAULT_PROMPT: &str = include_str!("default.md");

/// Where a plan is kept in a workspace.
pub fn plan_path(home: &str, chat: uuid::Uuid) -> String {
    format!("{}/.coder/plans/PLAN-{chat}.md", home.trim_end_matches('/'))
}

const PLAN: &str = "Plan mode is on. Look, read and think, but change nothing except the plan \
file. Find out what is needed, ask with ask_user_question where a decision is the user's, write \
the plan to the plan file, and end with propose_plan. The user decides whether it is carried out.";

const EXPLORE: &str = "You are a read-only helper of another agent. Answer its question from what \
you read; change nothing. Your last message is the report that it gets: make it complete and \
exact, with paths and lines.";

const CHILD: &str = "You are a helper of another agent and do one part of its task. You do not see \
its conversation. Do what you were asked, all of it and nothing else. Your last message is the \
report that it gets: say what you did, what you found and what is open.";

/// Said at the beginning of a chat that has a workspace.
pub const WORKSPACE: &str = "A workspace is attached to this chat.";
/// Said at the beginning of a chat that has none.
pub const NO_WORKSPACE: &str = "No workspace is attached to this chat yet.";

/// What is known of the surroundings of a turn.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// What the workspace says: system, directory, instructions.
    pub workspace: Option<String>,
    /// Index of skills.
    pub skills: Option<String>,
    /// The user's own instructions.
    pub user_prompt: Option<String>,
    /// The administrators' instructions for plan mode.
    pub plan_instructions: Option<String>,
    /// What tools ask to be said; see [`crate::tools::Tool::guidance`].
    pub guidance: Vec<&'static str>,
}

/// The texts that a chat begins with and keeps.
pub fn first_instructions(
    deployment: &str,
    include_default: bool,
    chat: &str,
    has_workspace: bool,
) -> Vec<String> {
    let mut prompt = String::new();
    if include_default {
        prompt.push_str(DEFAULT_PROMPT.trim());
    }
    let custom = sanitize(deployment);
    if !custom.is_empty() {
        if !prompt.is_empty() {
            prompt.push_str("\n\n");
        }
        prompt.push_str(&custom);
    }
    let workspace = if has_workspace {
        WORKSPACE
    } else {
        NO_WORKSPACE
    };
    vec![prompt, sanitize(chat), workspace.to_owned()]
}

/// The whole conversation for one call.
pub fn assemble(
    chat: &ChatRow,
    messages: &[ChatMessageRow],
    files: &Files,
    around: &Surroundings,
) -> Vec<Message> {
    let (mut all, conversation) = convert(messages, files);
    let mut say = |text: &str| all.push(Message::text(Role::System, text));
    let is_child = chat.parent_chat_id.is_some();
    let explores = chat.mode.as_deref() == Some("explore");
    if is_child {
        say(CHILD);
    }
    if let Some(text) = &around.workspace {
        say(text);
    }
    if let Some(text) = &around.skills {
        say(text);
    }
    if let Some(text) = &around.user_prompt {
        say(&format!(
            "The user's own instructions for all chats:\n<user-instructions>\n{text}\n</user-instructions>"
        ));
    }
    if explores {
        say(EXPLORE);
    } else if chat.plan_mode == "plan" {
        say(PLAN);
        if !is_child {
            say(&format!("The plan file is {}", plan_path("$HOME", chat.id)));
        }
        if let Some(text) = around.plan_instructions.as_deref().filter(|_| !is_child) {
            say(text);
        }
    }
    if !explores {
        around.guidance.iter().for_each(|text| say(text));
    }
    all.extend(conversation);
    all
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
