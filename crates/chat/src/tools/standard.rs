//! The tools that every server has, and which of them a chat gets.

use std::sync::Arc;

use store::chats::ChatRow;

use super::Tool;
use super::attach::AttachFile;
use super::execute::{Execute, ProcessList, ProcessOutput, ProcessSignal};
use super::files::{EditFiles, ReadFile, WriteFile};
use super::plan::ProposePlan;
use super::questions::AskUserQuestion;
use super::skills::{ReadSkill, ReadSkillFile};
use super::subagents::{InterruptAgent, ListAgents, MessageAgent, SpawnAgent, WaitAgent};

/// What a helper that only looks may use; in plan mode every helper.
const LOOKING: &[&str] = &[
    "read_file",
    "execute",
    "process_output",
    "read_skill",
    "read_skill_file",
];
/// What a chat in plan mode may use besides; of files, only the plan can be written.
const PLANNING: &[&str] = &[
    "write_file",
    "edit_files",
    "attach_file",
    "list_templates",
    "read_template",
    "create_workspace",
    "start_workspace",
    "stop_workspace",
    "propose_plan",
    "ask_user_question",
    "spawn_agent",
    "wait_agent",
    "list_agents",
];
/// What helpers do not have.
const ROOT_ONLY: &[&str] = &[
    "list_templates",
    "read_template",
    "create_workspace",
    "start_workspace",
    "stop_workspace",
    "propose_plan",
    "ask_user_question",
    "spawn_agent",
    "wait_agent",
    "message_agent",
    "interrupt_agent",
    "list_agents",
];
/// What makes sense in plan mode alone.
const PLAN_ONLY: &[&str] = &["propose_plan", "ask_user_question"];

/// Whether a chat may use a tool of this name.
pub fn may_use(chat: &ChatRow, name: &str) -> bool {
    allowed(
        chat.parent_chat_id.is_some(),
        chat.mode.as_deref() == Some("explore"),
        chat.plan_mode == "plan",
        name,
    )
}

fn allowed(is_child: bool, explores: bool, plans: bool, name: &str) -> bool {
    if explores || (is_child && plans) {
        return LOOKING.contains(&name);
    }
    if is_child {
        return !ROOT_ONLY.contains(&name);
    }
    if plans {
        return LOOKING.contains(&name) || PLANNING.contains(&name);
    }
    !PLAN_ONLY.contains(&name)
}

/// The tools of a chat, in a stable order.
pub fn standard(chat: &ChatRow) -> Vec<Arc<dyn Tool>> {
    let all: [Arc<dyn Tool>; 17] = [
        Arc::new(ReadFile),
        Arc::new(WriteFile),
        Arc::new(EditFiles),
        Arc::new(AttachFile),
        Arc::new(Execute),
        Arc::new(ProcessOutput),
        Arc::new(ProcessList),
        Arc::new(ProcessSignal),
        Arc::new(ReadSkill),
        Arc::new(ReadSkillFile),
        Arc::new(ProposePlan),
        Arc::new(AskUserQuestion),
        Arc::new(SpawnAgent),
        Arc::new(WaitAgent),
        Arc::new(MessageAgent),
        Arc::new(InterruptAgent),
        Arc::new(ListAgents),
    ];
    all.into_iter()
        .filter(|tool| may_use(chat, &tool.spec().name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_use_what() {
        let has = |child: bool, explores: bool, plans: bool, name: &str| {
            allowed(child, explores, plans, name)
        };
        for tool in LOOKING {
            assert!(
                has(true, true, false, tool) && has(true, false, true, tool),
                "{tool}"
            );
            assert!(
                has(false, false, false, tool) && has(false, false, true, tool),
                "{tool}"
            );
        }
        for tool in ["write_file", "process_signal", "attach_file", "spawn_agent"] {
            assert!(
                !has(true, true, false, tool) && !has(true, false, true, tool),
                "{tool}"
            );
        }
        assert!(has(true, false, false, "write_file"));
        for tool in ROOT_ONLY {
            assert!(!has(true, false, false, tool), "{tool}");
        }
        for tool in PLAN_ONLY {
            assert!(
                has(false, false, true, tool) && !has(false, false, false, tool),
                "{tool}"
            );
        }
        for tool in [
            "process_signal",
            "process_list",
            "message_agent",
            "interrupt_agent",
        ] {
            assert!(
                has(false, false, false, tool) && !has(false, false, true, tool),
                "{tool}"
            );
        }
    }
}
