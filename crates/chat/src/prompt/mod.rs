//! What a model is told, in this order:
//!
//! 1. the deployment's prompt, the organization's, the chat's own and whether there is a workspace:
//!    fixed when the chat began;
//! 2. for helpers, that they are such;
//! 3. what the workspace's template says: the file `AGENTS.md` of the version of the last build;
//! 4. what the workspace says: system, directory, files with instructions ([`workspace`]);
//! 5. the list of skills of the user and of the workspace ([`crate::skills`]);
//! 6. the user's own instructions;
//! 7. the mode: looking around, or planning with the administrators' instructions for it;
//! 8. what tools ask to be said;
//! 9. the conversation.
//!
//! The owner of a chat may read all of it but the conversation as a list with sources
//! ([`instructions`]).

mod convert;
pub mod workspace;

pub use api_types::sanitize_prompt as sanitize;
pub(crate) use convert::first;
pub use convert::{Files, LoadedFile, convert, files_of};

use llm::{Message, Role};
use store::chats::{ChatContextRows, ChatMessageRow, ChatRow};

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

/// Something that a model is told, and whose words it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// `deployment`, `organization`, `chat`, `template`, `workspace`, `skills`, `user`, `mode`, `administrators`,
    /// `helper` or `tools`.
    pub source: String,
    /// What is said.
    pub text: String,
}

impl Instruction {
    /// These words of this source.
    pub fn new(source: &str, text: impl Into<String>) -> Self {
        Instruction {
            source: source.to_owned(),
            text: text.into(),
        }
    }
}

/// What is known of the surroundings of a turn.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// What the workspace's template says.
    pub template: Option<String>,
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

impl Surroundings {
    /// What the workspace told, skills of the user by name and description, the user's own words and
    /// those of administrators for plans, as they were written.
    pub fn new(
        told: &ChatContextRows,
        own_skills: &[(&str, &str)],
        user_prompt: Option<&str>,
        plan_instructions: Option<&str>,
    ) -> Self {
        let workspace_skills: Vec<(&str, &str)> = workspace::skills(told)
            .map(|skill| (skill.name.as_str(), skill.description.as_str()))
            .collect();
        let clean = |text: Option<&str>| text.map(sanitize).filter(|text| !text.is_empty());
        Surroundings {
            template: clean(Some(&told.template)),
            workspace: workspace::block(told),
            skills: crate::skills::index(own_skills, &workspace_skills),
            user_prompt: clean(user_prompt),
            plan_instructions: clean(plan_instructions),
            guidance: Vec::new(),
        }
    }
}

/// The texts that a chat begins with and keeps.
pub fn first_instructions(
    deployment: &str,
    include_default: bool,
    organization: &str,
    chat: &str,
    has_workspace: bool,
) -> Vec<Instruction> {
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
    vec![
        Instruction::new("deployment", prompt),
        Instruction::new("organization", sanitize(organization)),
        Instruction::new("chat", sanitize(chat)),
        Instruction::new("workspace", workspace),
    ]
}

/// All that a model is told before the conversation, in order.
pub fn instructions(
    chat: &ChatRow,
    messages: &[ChatMessageRow],
    around: &Surroundings,
) -> Vec<Instruction> {
    let mut all = first(messages);
    let mut say = |source: &str, text: &str| all.push(Instruction::new(source, text));
    let is_child = chat.parent_chat_id.is_some();
    let explores = chat.mode.as_deref() == Some("explore");
    if is_child {
        say("helper", CHILD);
    }
    if let Some(text) = &around.template {
        let text = format!(
            "Instructions of the template that the workspace was made from:\n\
             <template-instructions>\n{text}\n</template-instructions>"
        );
        say("template", &text);
    }
    if let Some(text) = &around.workspace {
        say("workspace", text);
    }
    if let Some(text) = &around.skills {
        say("skills", text);
    }
    if let Some(text) = &around.user_prompt {
        let text = format!(
            "The user's own instructions for all chats:\n<user-instructions>\n{text}\n</user-instructions>"
        );
        say("user", &text);
    }
    if explores {
        say("mode", EXPLORE);
    } else if chat.plan_mode == "plan" {
        say("mode", PLAN);
        if !is_child {
            let path = plan_path("$HOME", chat.id);
            say("mode", &format!("The plan file is {path}"));
        }
        if let Some(text) = around.plan_instructions.as_deref().filter(|_| !is_child) {
            say("administrators", text);
        }
    }
    if !explores {
        around.guidance.iter().for_each(|text| say("tools", text));
    }
    all
}

/// The whole conversation for one call.
pub fn assemble(
    chat: &ChatRow,
    messages: &[ChatMessageRow],
    files: &Files,
    around: &Surroundings,
) -> Vec<Message> {
    let told = instructions(chat, messages, around).into_iter();
    let told = told.map(|instruction| Message::text(Role::System, instruction.text));
    told.chain(convert(messages, files)).collect()
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
