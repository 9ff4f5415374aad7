//! Settings of the advisor and of computer use.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `AdvisorConfig` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdvisorConfig {
    /// The experiment is on; nobody sets it here.
    pub enabled: bool,
    /// How often the advisor may be asked in one turn; 0 does not limit it.
    pub max_uses_per_run: i32,
    /// Tokens of one answer; 0 leaves it to the server.
    pub max_output_tokens: i64,
    /// The model that advises; nil leaves it to the organization, or the chat.
    pub model_config_id: Uuid,
    /// How much it thinks; only with a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
}

/// `ChatComputerUseProviderConfig` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatComputerUseProviderConfig {
    /// `anthropic` or `openai`; empty while none was chosen.
    pub provider: String,
}
