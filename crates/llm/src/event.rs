//! The answer of a model as it arrives.

use crate::{Metadata, Source, ToolCall, ToolResult};

/// One piece of a streamed answer.
///
/// Blocks never interleave their ends: a text, reasoning or call that began ends before the answer
/// finishes. A stream ends with exactly one [`Event::Finish`], or with an error; without either, the
/// provider broke off and the stream yields an error that says so.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// More text.
    TextDelta {
        /// The new text, never empty.
        text: String,
    },
    /// The text so far is one block; text after it is another.
    TextEnd {
        /// What the provider must see again with this block.
        metadata: Metadata,
    },
    /// More of what the model thinks.
    ReasoningDelta {
        /// The new text, never empty.
        text: String,
    },
    /// The reasoning so far is one block. It comes without deltas for reasoning that is not shown.
    ReasoningEnd {
        /// Signature or encrypted content of the block.
        metadata: Metadata,
    },
    /// The model begins to call a tool of ours.
    ToolCallStart {
        /// Id of the call, unique within the answer.
        id: String,
        /// Name of the tool.
        name: String,
    },
    /// More of a call's arguments.
    ToolCallArgsDelta {
        /// Id of the call.
        id: String,
        /// The new piece of JSON text, never empty.
        delta: String,
    },
    /// A call is complete, with all of its arguments.
    ToolCallEnd(ToolCall),
    /// The provider called a tool of its own.
    ProviderToolCall(ToolCall),
    /// The provider's own tool answered.
    ProviderToolResult(ToolResult),
    /// Where a statement comes from.
    Source(Source),
    /// Tokens so far; the last one counts for the whole answer.
    Usage(Usage),
    /// The answer is complete.
    Finish {
        /// Why it ended.
        reason: FinishReason,
        /// The provider's id of the answer, possibly empty.
        provider_response_id: String,
    },
}

/// Tokens that an answer used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read that no cache held.
    pub input_tokens: u64,
    /// Tokens written, reasoning included.
    pub output_tokens: u64,
    /// Of those written, tokens of reasoning; 0 when the provider does not say.
    pub reasoning_tokens: u64,
    /// Tokens read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Tokens read and put into the provider's cache.
    pub cache_write_tokens: u64,
}

impl Usage {
    /// All tokens, read and written.
    pub fn total(&self) -> u64 {
        self.context_tokens().saturating_add(self.output_tokens)
    }

    /// Tokens of the request: what fills the model's context.
    pub fn context_tokens(&self) -> u64 {
        self.input_tokens
            .saturating_add(self.cache_read_tokens)
            .saturating_add(self.cache_write_tokens)
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model had said all.
    Stop,
    /// Tools must answer first.
    ToolCalls,
    /// The limit of tokens was reached.
    Length,
    /// The provider suppressed the rest.
    ContentFilter,
    /// The provider paused a long turn of its own tools: ask again with this answer appended.
    Pause,
    /// The model declined.
    Refusal,
    /// Something else.
    Other,
}
