//! Model providers: one vocabulary for requests, streamed answers and errors, and one folder per
//! provider that translates it to the wire and back.
//!
//! Nothing here knows users, budgets or storage; credentials are given by the caller and never
//! appear in an error or a debug print. A [`Provider`] is cheap to make: connections are pooled in
//! [`Http`], which is made once.
//!
//! What a provider wants to see again in the next request (signatures of reasoning, item ids) travels
//! as opaque [`Metadata`] on the parts, keyed by the family that wrote it. Another family ignores it,
//! so a conversation may change its model at any time.

mod anthropic;
mod azure;
mod bedrock;
pub mod computer;
mod conversation;
mod endpoint;
mod error;
mod event;
mod google;
mod message;
mod metadata;
mod openai_chat;
mod openai_responses;
mod options;
mod provider;
mod request;
mod wire;

pub use bedrock::{AwsRole, AwsRoleKeys, AwsSource, assume_role, role_service};
pub use endpoint::{AwsKeys, Credential, Endpoint, ProviderType, connect, is_allowed};
pub use error::{Error, ErrorKind, MAX_DETAIL_CHARS};
pub use event::{Event, FinishReason, Usage};
pub use message::{
    FileData, MediaPart, Message, Part, Role, Source, ToolCall, ToolOutput, ToolResult,
};
pub use metadata::Metadata;
pub use options::{CallOptions, OpenAiConfig, ReasoningRange};
pub use provider::{Answer, EventStream, Parts, Provider};
pub use request::{
    OutputSchema, ReasoningEffort, Request, SearchContextSize, Tool, ToolChoice, WebSearch,
};
pub use wire::http::Http;
pub use wire::tap::{Exchange, REDACTED, Tap};
