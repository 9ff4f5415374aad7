//! The configuration of a model (`model_config` in the API): what is sent with every call of it.
//! Source of the names: the options of chat models in the published API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ProviderType, ReasoningEffort, Request, SearchContextSize, WebSearch};

/// A model's configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallOptions {
    /// Most tokens to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// Randomness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Choice among the k likeliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Against topics that were mentioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Against words that were repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// What people may choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningRange>,
    /// Which OpenAI interface to speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openai_config: Option<OpenAiConfig>,
    /// Options of one family each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_options: Option<Map<String, Value>>,
}

/// Choices of reasoning effort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasoningRange {
    /// Used when nobody chose.
    pub default: ReasoningEffort,
    /// The most that may be chosen.
    pub max: ReasoningEffort,
}

/// Which of OpenAI's interfaces a model speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAiConfig {
    /// The Responses API (`true`), or Chat Completions (`false`); by the model's name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_responses_api: Option<bool>,
    /// Whether the model reasons, where its name does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_model: Option<bool>,
}

impl CallOptions {
    /// Puts the configuration into `request`; `effort` is what the person chose, cut to the most
    /// that is allowed. `provider` is the type of the model's provider, which says whose options count.
    pub fn apply(&self, request: &mut Request, provider: &str, effort: Option<ReasoningEffort>) {
        let family = ProviderType::parse(provider).map_or(provider, |known| known.option_family());
        request.max_output_tokens = self.max_output_tokens.or(request.max_output_tokens);
        request.temperature = self.temperature;
        request.top_p = self.top_p;
        request.top_k = self.top_k;
        request.presence_penalty = self.presence_penalty;
        request.frequency_penalty = self.frequency_penalty;
        request.reasoning_effort = match self.reasoning_effort {
            Some(range) => Some(effort.unwrap_or(range.default).min(range.max)),
            None => effort,
        };
        let mut options = self.provider_options.clone().unwrap_or_default();
        if let Some(config) = self.openai_config
            && let Ok(value) = serde_json::to_value(config)
        {
            options.insert("openai_config".to_owned(), value);
        }
        request.web_search = options.get(family).and_then(web_search);
        request.provider_options = options;
    }

    /// The efforts that people may choose, least first; empty when the model has none.
    pub fn reasoning_efforts(&self) -> Vec<ReasoningEffort> {
        let Some(range) = self.reasoning_effort else {
            return Vec::new();
        };
        ReasoningEffort::ALL
            .into_iter()
            .filter(|effort| *effort <= range.max)
            .collect()
    }
}

fn web_search(options: &Value) -> Option<WebSearch> {
    if options.get("web_search_enabled") != Some(&Value::Bool(true)) {
        return None;
    }
    let list = |key: &str| -> Vec<String> {
        options
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect()
    };
    Some(WebSearch {
        allowed_domains: list("allowed_domains"),
        blocked_domains: list("blocked_domains"),
        context_size: options
            .get("search_context_size")
            .and_then(|v| serde_json::from_value::<SearchContextSize>(v.clone()).ok()),
    })
}
