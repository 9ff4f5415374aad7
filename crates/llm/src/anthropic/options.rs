//! Options of the family `anthropic` in a model's configuration.

use serde::Deserialize;

use crate::Request;

/// What an administrator may set; unknown names are ignored, as they were checked when stored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Options {
    /// Whether earlier reasoning is sent back (default: yes).
    pub(super) send_reasoning: Option<bool>,
    /// A fixed budget of reasoning.
    pub(super) thinking: Option<Thinking>,
    /// `low` to `max`, of older configurations.
    pub(super) effort: Option<String>,
    /// `summarized` or `omitted`.
    pub(super) thinking_display: Option<String>,
    /// One call at a time.
    pub(super) disable_parallel_tool_use: Option<bool>,
    /// A context of a million tokens, where the model has it as a beta.
    pub(super) context_1m_enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Thinking {
    pub(super) budget_tokens: Option<u32>,
}

impl Options {
    pub(super) fn of(request: &Request) -> Self {
        request
            .provider_options
            .get(super::FAMILY)
            .and_then(|value| serde_json::from_value(value.clone()).ok())
            .unwrap_or_default()
    }
}
