//! Summaries that take the place of a long conversation.

use std::time::Duration;

use api_types::{ChatMessagePart, ChatMessageRole};
use llm::{Message, Role};
use serde_json::json;
use store::chats::{NewChatMessage, Visibility};

/// Name of the call that tells people of a summary.
pub const TOOL: &str = "chat_summarized";
/// How long a summary may take. Long conversations take long; a stream that stands still is
/// given up sooner.
pub const TIMEOUT: Duration = Duration::from_mins(10);
/// Most tokens of a summary.
pub const MAX_TOKENS: u32 = 8_192;

const REQUEST: &str = "Summarize this conversation for yourself: it will replace everything above. \
Write, in plain text and as exactly as you can: the goal and every wish, limit and preference the \
user stated, in the user's own words where they matter; the decisions taken and why; technical \
facts that were found (paths, names, commands, versions, numbers); what was changed, file by file; \
errors met and what became of them; what is done, what is in progress and what remains, and the \
very next step. Leave out what no longer matters. Do not answer the user and call no tools.";

/// What asks for a summary, behind the conversation.
pub fn request() -> Message {
    Message::text(Role::User, REQUEST)
}

/// Figures of a summary, for people.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// The user asked for it.
    pub manual: bool,
    /// Percentage from which it is made.
    pub threshold: i32,
    /// Tokens that were used.
    pub used: i64,
    /// Tokens that the model can read.
    pub limit: i64,
}

/// The rows of a summary: for the model, and for people a call with its result.
pub fn rows(summary: &str, figures: Figures) -> Vec<NewChatMessage> {
    let id = format!("summary_{}", uuid::Uuid::new_v4().simple());
    let source = if figures.manual {
        "manual"
    } else {
        "automatic"
    };
    let percent = if figures.limit > 0 {
        figures.used as f64 * 100.0 / figures.limit as f64
    } else {
        0.0
    };
    let result = json!({
        "summary": summary,
        "source": source,
        "threshold_percent": figures.threshold,
        "usage_percent": (percent * 10.0).round() / 10.0,
        "context_tokens": figures.used,
        "context_limit_tokens": figures.limit,
    });
    let args = json!({ "source": source, "threshold_percent": figures.threshold });
    let text = format!("This is a summary of the conversation so far.\n\n{summary}");
    let mut rows = boundary(&text);
    rows.push(NewChatMessage {
        visibility: Visibility::User,
        compressed: true,
        ..NewChatMessage::new(
            ChatMessageRole::Assistant,
            vec![ChatMessagePart::tool_call(&id, TOOL, args)],
        )
    });
    rows.push(NewChatMessage {
        compressed: true,
        ..NewChatMessage::new(
            ChatMessageRole::Tool,
            vec![ChatMessagePart::tool_result(&id, TOOL, result, false)],
        )
    });
    rows
}

/// The rows of a conversation that the user took out of the model's sight.
pub fn cleared() -> Vec<NewChatMessage> {
    let mut rows = boundary(
        "The user cleared the conversation: what was said before is not available any more.",
    );
    let id = format!("clear_{}", uuid::Uuid::new_v4().simple());
    rows.push(NewChatMessage {
        visibility: Visibility::User,
        compressed: true,
        ..NewChatMessage::new(
            ChatMessageRole::Assistant,
            vec![ChatMessagePart::tool_call(&id, "chat_cleared", json!({}))],
        )
    });
    rows.push(NewChatMessage {
        visibility: Visibility::User,
        compressed: true,
        ..NewChatMessage::new(
            ChatMessageRole::Tool,
            vec![ChatMessagePart::tool_result(
                &id,
                "chat_cleared",
                json!({ "cleared": true }),
                false,
            )],
        )
    });
    rows
}

fn boundary(text: &str) -> Vec<NewChatMessage> {
    vec![NewChatMessage {
        visibility: Visibility::Model,
        compressed: true,
        ..NewChatMessage::new(ChatMessageRole::User, vec![ChatMessagePart::text(text)])
    }]
}
