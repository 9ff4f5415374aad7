//! What a running chat does next; pure.

use api_types::{ChatMessagePart, ChatMessagePartType, ChatMessageRole, DynamicTool};
use store::chats::ChatMessageRow;

use crate::history;

/// After so many answers to one message of the user the turn ends: it goes in circles.
pub const MAX_STEPS: usize = 1200;

/// The next step.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Run these calls of a message.
    RunTools {
        /// The message.
        message: i64,
        /// The calls.
        calls: Vec<ChatMessagePart>,
    },
    /// The client has to answer the rest.
    RequireAction,
    /// The turn is over.
    Finish,
    /// Summarize what was said.
    Compact,
    /// Ask the model.
    Ask,
}

/// What is known beside the history.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    /// The user asked for a summary.
    pub compaction_requested: bool,
    /// Percentage of the model's context that may be used; 100 or more means all.
    pub threshold: i32,
    /// Tokens that the model can read; 0 if unknown.
    pub context_limit: i64,
}

/// Decides. `ends_turn` tells tools after whose success the user is to speak.
pub fn decide(
    messages: &[ChatMessageRow],
    dynamic: &[DynamicTool],
    ends_turn: impl Fn(&str) -> bool,
    facts: Facts,
) -> Decision {
    let open = history::open_calls(messages);
    if !open.is_empty() {
        let local: Vec<ChatMessagePart> = open
            .iter()
            .filter(|call| !dynamic.iter().any(|tool| tool.name == call.tool_name))
            .map(|call| (*call).clone())
            .collect();
        if local.is_empty() {
            return Decision::RequireAction;
        }
        let message = messages
            .iter()
            .rev()
            .find(|m| m.role == ChatMessageRole::Assistant && m.visibility.for_model());
        return Decision::RunTools {
            message: message.map_or(0, |m| m.id),
            calls: local,
        };
    }
    if facts.compaction_requested {
        return Decision::Compact;
    }
    let spoken: Vec<&ChatMessageRow> = messages
        .iter()
        .filter(|m| {
            m.visibility.for_model()
                && !m.deleted
                && !m.compressed
                && m.role != ChatMessageRole::System
        })
        .collect();
    let Some(last) = spoken.last() else {
        // Only a summary is left: it ends with what is still to be done.
        return if messages.iter().any(|m| m.compressed) {
            Decision::Ask
        } else {
            Decision::Finish
        };
    };
    if last.role == ChatMessageRole::Assistant {
        return Decision::Finish;
    }
    let stops = last.role == ChatMessageRole::Tool
        && last.content.iter().any(|part| {
            part.kind == ChatMessagePartType::ToolResult
                && !part.is_error
                && ends_turn(&part.tool_name)
        });
    if stops {
        return Decision::Finish;
    }
    let steps = messages
        .iter()
        .rev()
        .take_while(|m| m.role != ChatMessageRole::User || m.compressed)
        .filter(|m| m.role == ChatMessageRole::Assistant)
        .count();
    if steps >= MAX_STEPS {
        return Decision::Finish;
    }
    if is_over(messages, facts) {
        return Decision::Compact;
    }
    Decision::Ask
}

/// Whether the conversation fills more of the context than it may.
fn is_over(messages: &[ChatMessageRow], facts: Facts) -> bool {
    if facts.threshold >= 100 || facts.context_limit <= 0 {
        return false;
    }
    context_tokens(messages).is_some_and(|used| {
        used.saturating_mul(100) >= facts.context_limit * i64::from(facts.threshold)
    })
}

/// Tokens of the newest request since the last summary.
pub(crate) fn context_tokens(messages: &[ChatMessageRow]) -> Option<i64> {
    let newest = messages
        .iter()
        .rev()
        .take_while(|m| !m.compressed)
        .find(|m| m.usage.input_tokens.is_some() || m.usage.total_tokens.is_some())?;
    let usage = newest.usage;
    let read = usage.input_tokens.unwrap_or(0)
        + usage.cache_read_tokens.unwrap_or(0)
        + usage.cache_creation_tokens.unwrap_or(0);
    Some(if read > 0 {
        read
    } else {
        usage.total_tokens.unwrap_or(0)
    })
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
