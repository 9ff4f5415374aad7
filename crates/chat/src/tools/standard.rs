//! The tools that every server has, and which of them a chat gets.

use std::sync::{Arc, LazyLock};

use store::chats::ChatRow;

use super::computer::{self, Computer};
use super::shape::Simple;
use super::{Tool, attach, execute, files, plan, questions, skills, subagents, workspaces};

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
    "list_subagent_models",
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
    "list_subagent_models",
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

/// Every tool with its name, in the order in which models are told of them.
static ALL: LazyLock<Vec<(String, Arc<dyn Tool>)>> = LazyLock::new(|| {
    let all: Vec<Simple> = vec![
        files::read_file(),
        files::write_file(),
        files::edit_files(),
        attach::attach_file(),
        execute::execute_tool(),
        execute::process_output(),
        execute::process_list(),
        execute::process_signal(),
        skills::read_skill(),
        skills::read_skill_file(),
        workspaces::list_templates(),
        workspaces::read_template(),
        workspaces::create_workspace(),
        workspaces::start_workspace(),
        workspaces::stop_workspace(),
        plan::propose_plan(),
        questions::ask_user_question(),
        subagents::spawn_agent(),
        subagents::list_subagent_models(),
        subagents::wait_agent(),
        subagents::message_agent(),
        subagents::interrupt_agent(),
        subagents::list_agents(),
    ];
    all.into_iter()
        .map(|tool| (tool.spec().name, Arc::new(tool) as Arc<dyn Tool>))
        .collect()
});

/// In place of the one of its name where helpers may use desktops.
static SPAWN_WITH_DESKTOP: LazyLock<Arc<dyn Tool>> =
    LazyLock::new(|| Arc::new(subagents::spawn_agent_with_desktop()));

/// The tools of a chat, in a stable order; with `desktops`, helpers may use those of workspaces.
pub fn standard(chat: &ChatRow, desktops: bool) -> Vec<Arc<dyn Tool>> {
    let mut tools: Vec<Arc<dyn Tool>> = ALL
        .iter()
        .filter(|(name, _)| may_use(chat, name))
        .map(|(name, tool)| match name.as_str() {
            "spawn_agent" if desktops && chat.plan_mode != "plan" => SPAWN_WITH_DESKTOP.clone(),
            _ => tool.clone(),
        })
        .collect();
    if desktops && computer::is_for(chat) {
        tools.push(Arc::new(Computer));
    }
    tools
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_spoken_of_is_a_tool() {
        let names: Vec<&str> = ALL.iter().map(|(name, _)| name.as_str()).collect();
        let spoken = [LOOKING, PLANNING, ROOT_ONLY, PLAN_ONLY].concat();
        for name in spoken {
            assert!(names.contains(&name), "{name}");
        }
    }

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
