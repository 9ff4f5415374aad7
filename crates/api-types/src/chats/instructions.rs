//! What chats are told before their conversation.

use serde::{Deserialize, Serialize};

/// Answer to `GET /chats/{chat}/instructions`: all that the model is told before the conversation, in
/// order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatInstructions {
    /// Each with its source.
    pub instructions: Vec<ChatInstruction>,
}

/// Something that the model of a chat is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatInstruction {
    /// `deployment`, `organization`, `chat`, `template`, `workspace`, `skills`, `user`, `mode`, `administrators` or
    /// `helper`.
    pub source: String,
    /// What is said.
    pub text: String,
}

/// Body of `GET` and `PUT /organizations/{organization}/chats/system-prompt`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrganizationChatPrompt {
    /// What chats of the organization are told from their beginning on; empty for nothing.
    pub system_prompt: String,
}
