//! One call of a model.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Message, Tap};

/// What is asked of a model. Everything optional is left to the provider's default when absent.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The model's name, sent as it is.
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Tools that the model may call, in a stable order (caches depend on it).
    pub tools: Vec<Tool>,
    /// Whether and which tool must be called.
    pub tool_choice: ToolChoice,
    /// The answer must be JSON of this schema.
    pub output_schema: Option<OutputSchema>,
    /// Most tokens to answer, reasoning included.
    pub max_output_tokens: Option<u32>,
    /// Randomness.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Choice among the k likeliest.
    pub top_k: Option<u32>,
    /// Against topics that were mentioned.
    pub presence_penalty: Option<f64>,
    /// Against words that were repeated.
    pub frequency_penalty: Option<f64>,
    /// How much the model should think.
    pub reasoning_effort: Option<ReasoningEffort>,
    /// Search of the web, run by the provider.
    pub web_search: Option<WebSearch>,
    /// Options of one family each (`openai`, `anthropic`, `google`, `openaicompat`, `openrouter`,
    /// `vercel`), as in a model's configuration.
    pub provider_options: Map<String, Value>,
    /// Headers to send along, such as those that name the chat.
    pub headers: Vec<(&'static str, String)>,
    /// Who is told of the exchanges with the provider; nobody by default.
    pub tap: Tap,
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Name, of `[a-zA-Z0-9_-]{1,64}`.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON schema of its arguments, an object.
    pub schema: Value,
    /// Set for a tool that the provider defines itself (such as computer use) and that is answered
    /// here: its wire form, in place of description and schema. Interfaces that know no such tools
    /// tell the model of an ordinary one.
    pub native: Option<Value>,
}

impl Tool {
    /// An ordinary tool.
    pub fn new(name: impl Into<String>, description: impl Into<String>, schema: Value) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            schema,
            native: None,
        }
    }
}

/// Whether the model must call a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// None may be called.
    None,
    /// Some tool must be called.
    Required,
    /// This tool must be called.
    Tool(String),
}

/// The schema that an answer must have.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSchema {
    /// Name for the provider, of `[a-zA-Z0-9_-]{1,64}`.
    pub name: String,
    /// JSON schema of an object, with `additionalProperties: false` and all fields required.
    pub schema: Value,
}

/// How much the model should think, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReasoningEffort {
    /// Not at all.
    None,
    /// As little as possible.
    Minimal,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Very much.
    #[serde(rename = "xhigh")]
    XHigh,
    /// All that is possible.
    Max,
}

impl ReasoningEffort {
    /// All levels, least first.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::XHigh,
        Self::Max,
    ];

    /// Name in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The level of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }
}

/// Search of the web, run by the provider where it can (OpenAI Responses, Anthropic, Google); ignored
/// elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebSearch {
    /// Only these domains; empty means all.
    pub allowed_domains: Vec<String>,
    /// Not these domains (Anthropic only, and not together with allowed ones).
    pub blocked_domains: Vec<String>,
    /// How much of what is found the model reads (OpenAI only).
    pub context_size: Option<SearchContextSize>,
}

/// How much of what a search finds the model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchContextSize {
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
}
