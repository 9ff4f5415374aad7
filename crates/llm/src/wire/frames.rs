//! The frames of a streamed body, whatever carries them.

use super::sse::{Sse, SseEvent};
use crate::bedrock::event_stream::EventStream;

/// One frame: the name of its event (often empty) and its JSON text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) event: String,
    pub(crate) data: String,
}

/// Splits a body into frames.
pub(crate) enum Frames {
    /// Server-sent events.
    Sse(Sse),
    /// AWS event streams.
    Aws(EventStream),
}

/// Why a body cannot be split.
#[derive(Debug)]
pub(crate) struct FrameError(pub(crate) &'static str);

impl Frames {
    pub(crate) fn sse() -> Self {
        Self::Sse(Sse::default())
    }

    /// Takes the next piece; complete frames go to `frames`.
    pub(crate) fn push(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), FrameError> {
        match self {
            Self::Sse(sse) => {
                let mut events = Vec::new();
                let pushed = sse.push(piece, &mut events);
                frames.extend(events.into_iter().map(Frame::from));
                pushed.map_err(|_| FrameError("an event of the stream is too long"))
            }
            Self::Aws(stream) => stream.push(piece, frames),
        }
    }

    /// The body ended.
    pub(crate) fn finish(&mut self, frames: &mut Vec<Frame>) {
        if let Self::Sse(sse) = self {
            let mut events = Vec::new();
            sse.finish(&mut events);
            frames.extend(events.into_iter().map(Frame::from));
        }
    }
}

impl From<SseEvent> for Frame {
    fn from(event: SseEvent) -> Self {
        Self {
            event: event.event,
            data: event.data,
        }
    }
}
