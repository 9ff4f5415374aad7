//! The tools that every server has, and which of them a chat gets.

use std::sync::Arc;

use store::chats::ChatRow;

use super::Tool;
use super::execute::{Execute, ProcessList, ProcessOutput, ProcessSignal};
use super::files::{EditFiles, ReadFile, WriteFile};

/// What a helper that only looks may use; in plan mode everyone.
const LOOKING: &[&str] = &["read_file", "execute", "process_output"];

/// The tools of a chat, in a stable order.
pub fn standard(chat: &ChatRow) -> Vec<Arc<dyn Tool>> {
    let all: [Arc<dyn Tool>; 7] = [
        Arc::new(ReadFile),
        Arc::new(WriteFile),
        Arc::new(EditFiles),
        Arc::new(Execute),
        Arc::new(ProcessOutput),
        Arc::new(ProcessList),
        Arc::new(ProcessSignal),
    ];
    let looks = chat.mode.as_deref() == Some("explore") || chat.plan_mode == "plan";
    all.into_iter()
        .filter(|tool| !looks || LOOKING.contains(&tool.spec().name.as_str()))
        .collect()
}
