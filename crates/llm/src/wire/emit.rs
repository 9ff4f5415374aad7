//! Collects the events of one answer and keeps the promises of [`Event`]: bounds, unique call ids,
//! blocks that end before the answer does.

use std::collections::{HashSet, VecDeque};

use crate::{Error, ErrorKind, Event, FinishReason, Metadata, Source, ToolCall, ToolResult, Usage};

/// Most bytes of text, reasoning and arguments in one answer: far above what any model can write
/// (128k tokens are about 0.5 MiB), and small enough to keep in memory and in a row.
pub(crate) const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Most blocks (texts, calls, sources) of one answer.
pub(crate) const MAX_BLOCKS: usize = 4096;

/// The events of one answer, on their way out.
#[derive(Debug, Default)]
pub(crate) struct Emit {
    queue: VecDeque<Event>,
    bytes: usize,
    blocks: usize,
    call_ids: HashSet<String>,
    sources: HashSet<String>,
    text_open: bool,
    reasoning_open: bool,
    finished: bool,
    calls: usize,
}

impl Emit {
    /// The next event to hand out.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    /// Whether an event waits to be handed out.
    pub(crate) fn has_event(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether the answer is complete.
    pub(crate) fn finished(&self) -> bool {
        self.finished
    }

    /// Whether the answer called a tool of ours.
    pub(crate) fn has_calls(&self) -> bool {
        self.calls > 0
    }

    /// More text; reasoning that was open ends.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Error> {
        if text.is_empty() {
            return Ok(());
        }
        self.reasoning_end_if_open();
        self.count(text.len())?;
        self.text_open = true;
        self.queue.push_back(Event::TextDelta {
            text: text.to_owned(),
        });
        Ok(())
    }

    /// The text block ends; nothing happens if there is neither text nor metadata.
    pub(crate) fn text_end(&mut self, metadata: Metadata) {
        if self.text_open || !metadata.is_empty() {
            self.text_open = false;
            self.queue.push_back(Event::TextEnd { metadata });
        }
    }

    /// More reasoning; text that was open ends.
    pub(crate) fn reasoning(&mut self, text: &str) -> Result<(), Error> {
        if text.is_empty() {
            return Ok(());
        }
        self.text_end(Metadata::default());
        self.count(text.len())?;
        self.reasoning_open = true;
        self.queue.push_back(Event::ReasoningDelta {
            text: text.to_owned(),
        });
        Ok(())
    }

    /// The reasoning block ends, with what must be replayed.
    pub(crate) fn reasoning_end(&mut self, metadata: Metadata) -> Result<(), Error> {
        if self.reasoning_open || !metadata.is_empty() {
            self.block()?;
            self.reasoning_open = false;
            self.queue.push_back(Event::ReasoningEnd { metadata });
        }
        Ok(())
    }

    /// Whether reasoning was said and not ended.
    pub(crate) fn reasoning_is_open(&self) -> bool {
        self.reasoning_open
    }

    fn reasoning_end_if_open(&mut self) {
        if self.reasoning_open {
            self.reasoning_open = false;
            self.queue.push_back(Event::ReasoningEnd {
                metadata: Metadata::default(),
            });
        }
    }

    /// A call of our tools begins. Gives the id to use from now on: `id` itself, or another one when
    /// it is empty or was used before in this answer.
    pub(crate) fn call_start(&mut self, id: &str, name: &str) -> Result<String, Error> {
        self.block()?;
        self.close();
        self.calls += 1;
        let mut unique = id.to_owned();
        let mut n = 2;
        if unique.is_empty() {
            unique = format!("call_{}", uuid::Uuid::new_v4().simple());
        }
        while !self.call_ids.insert(unique.clone()) {
            unique = format!("{id}_{n}");
            n += 1;
        }
        self.queue.push_back(Event::ToolCallStart {
            id: unique.clone(),
            name: name.to_owned(),
        });
        Ok(unique)
    }

    /// More arguments of a call.
    pub(crate) fn call_args(&mut self, id: &str, delta: &str) -> Result<(), Error> {
        if delta.is_empty() {
            return Ok(());
        }
        self.count(delta.len())?;
        self.queue.push_back(Event::ToolCallArgsDelta {
            id: id.to_owned(),
            delta: delta.to_owned(),
        });
        Ok(())
    }

    /// A call is complete.
    pub(crate) fn call_end(&mut self, call: ToolCall) {
        self.queue.push_back(Event::ToolCallEnd(call));
    }

    /// The provider called a tool of its own.
    pub(crate) fn provider_call(&mut self, call: ToolCall) -> Result<(), Error> {
        self.block()?;
        self.count(call.args.len())?;
        self.close();
        self.queue.push_back(Event::ProviderToolCall(call));
        Ok(())
    }

    /// The provider's own tool answered; `size` is about the bytes of its answer.
    pub(crate) fn provider_result(&mut self, result: ToolResult, size: usize) -> Result<(), Error> {
        self.block()?;
        self.count(size)?;
        self.close();
        self.queue.push_back(Event::ProviderToolResult(result));
        Ok(())
    }

    /// Where a statement comes from; each address once.
    pub(crate) fn source(&mut self, url: &str, title: &str) -> Result<(), Error> {
        if url.is_empty() || !self.sources.insert(url.to_owned()) {
            return Ok(());
        }
        self.block()?;
        self.count(url.len() + title.len())?;
        self.queue.push_back(Event::Source(Source {
            id: format!("source_{}", self.sources.len()),
            url: url.to_owned(),
            title: title.to_owned(),
        }));
        Ok(())
    }

    /// Tokens so far.
    pub(crate) fn usage(&mut self, usage: Usage) {
        self.queue.push_back(Event::Usage(usage));
    }

    /// The answer is complete; open blocks end. A second finish means nothing.
    pub(crate) fn finish(&mut self, reason: FinishReason, provider_response_id: &str) {
        if self.finished {
            return;
        }
        self.close();
        self.finished = true;
        self.queue.push_back(Event::Finish {
            reason,
            provider_response_id: provider_response_id.to_owned(),
        });
    }

    fn close(&mut self) {
        self.reasoning_end_if_open();
        self.text_end(Metadata::default());
    }

    fn block(&mut self) -> Result<(), Error> {
        self.blocks += 1;
        if self.blocks > MAX_BLOCKS {
            return Err(too_much(&format!("more than {MAX_BLOCKS} parts")));
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_ANSWER_BYTES {
            return Err(too_much(&format!(
                "more than {} MiB",
                MAX_ANSWER_BYTES >> 20
            )));
        }
        Ok(())
    }
}

fn too_much(what: &str) -> Error {
    Error::new(
        ErrorKind::Generic,
        format!("The model's answer was cut off because it has {what}."),
    )
}
