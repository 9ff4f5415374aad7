//! What every provider can do.

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;

use crate::{Error, Event, FinishReason, Part, Request, Usage};

/// An answer as it arrives; ends after an error.
pub type EventStream = BoxStream<'static, Result<Event, Error>>;

/// A model provider with its address and credential.
pub trait Provider: Send + Sync {
    /// Asks and streams the answer. The request is sent when the stream is first polled; dropping
    /// the stream, or `cancel`, closes the connection.
    fn stream(&self, request: Request, cancel: CancellationToken) -> EventStream;

    /// Asks for the whole answer at once (titles, summaries).
    fn complete(
        &self,
        request: Request,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Answer, Error>>;
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What the model said, in the form in which it goes back into the conversation.
    pub parts: Vec<Part>,
    /// Tokens used.
    pub usage: Usage,
    /// Why it ended.
    pub reason: FinishReason,
    /// The provider's id of the answer, possibly empty.
    pub provider_response_id: String,
}

impl Answer {
    /// The text of the answer.
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Text { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Collects a stream to its end.
    pub async fn collect(mut stream: EventStream) -> Result<Self, Error> {
        let mut parts = Parts::default();
        let mut usage = Usage::default();
        let mut finish = (FinishReason::Other, String::new());
        while let Some(event) = stream.next().await {
            match event? {
                Event::Usage(seen) => usage = seen,
                Event::Finish {
                    reason,
                    provider_response_id,
                } => finish = (reason, provider_response_id),
                event => parts.add(event),
            }
        }
        Ok(Self {
            parts: parts.finish(),
            usage,
            reason: finish.0,
            provider_response_id: finish.1,
        })
    }
}

/// Puts the parts of an answer together from its events.
#[derive(Debug, Default)]
pub struct Parts {
    done: Vec<Part>,
    text: String,
    reasoning: String,
}

impl Parts {
    /// Takes the next event; those that carry no part are ignored.
    pub fn add(&mut self, event: Event) {
        match event {
            Event::TextDelta { text } => self.text.push_str(&text),
            Event::ReasoningDelta { text } => self.reasoning.push_str(&text),
            Event::TextEnd { metadata } => {
                let text = std::mem::take(&mut self.text);
                if !text.is_empty() || !metadata.is_empty() {
                    self.done.push(Part::Text { text, metadata });
                }
            }
            Event::ReasoningEnd { metadata } => {
                let text = std::mem::take(&mut self.reasoning);
                if !text.is_empty() || !metadata.is_empty() {
                    self.done.push(Part::Reasoning { text, metadata });
                }
            }
            Event::ToolCallEnd(call) | Event::ProviderToolCall(call) => {
                self.done.push(Part::ToolCall(call));
            }
            Event::ProviderToolResult(result) => self.done.push(Part::ToolResult(result)),
            Event::Source(source) => self.done.push(Part::Source(source)),
            Event::ToolCallStart { .. }
            | Event::ToolCallArgsDelta { .. }
            | Event::Usage(_)
            | Event::Finish { .. } => {}
        }
    }

    /// All parts; what was open is closed as it stands (reasoning without a signature, text), and a
    /// call whose arguments never ended is left out.
    pub fn finish(mut self) -> Vec<Part> {
        self.add(Event::ReasoningEnd {
            metadata: crate::Metadata::default(),
        });
        self.add(Event::TextEnd {
            metadata: crate::Metadata::default(),
        });
        self.done
    }
}
