//! What a scripted provider says, free of any wire format.

use std::time::Duration;

use serde_json::{Value, json};

/// One thing that the model says.
#[derive(Debug, Clone)]
pub enum Say {
    /// Text, in one delta.
    Text(String),
    /// Reasoning with the signature or encrypted content that must come back.
    Reasoning(String, String),
    /// A call: id, name, arguments as they are (also invalid ones), in two deltas.
    Call(String, String, String),
    /// A web search that the provider ran: query, address and title of what it found.
    Search(String, String, String),
    /// Tokens: read, written, read from the cache.
    Usage(u64, u64, u64),
    /// Ends with `length` instead of the usual reason.
    Truncated,
}

impl Say {
    /// Text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// A call.
    pub fn call(id: &str, name: &str, args: &str) -> Self {
        Self::Call(id.to_owned(), name.to_owned(), args.to_owned())
    }

    /// Reasoning.
    pub fn reasoning(text: &str, signature: &str) -> Self {
        Self::Reasoning(text.to_owned(), signature.to_owned())
    }
}

/// A piece of a body.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Bytes, sent at once.
    Bytes(Vec<u8>),
    /// The same bytes many times.
    Repeat(Vec<u8>, usize),
    /// Nothing for this long.
    Wait(Duration),
    /// The connection is cut.
    Cut,
    /// Nothing ever again.
    Hang,
}

/// What is answered to one request.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) content: Content,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Rendered in the wire format that is asked for.
    Say {
        says: Vec<Say>,
        /// Cut the stream after so many of its frames.
        cut_after: Option<usize>,
        /// Stand still after so many of its frames.
        hang_after: Option<usize>,
        /// Send byte by byte.
        drip: bool,
        /// Between frames of the stream.
        pace: Duration,
    },
    /// As it is.
    Raw(Vec<Piece>),
}

impl Reply {
    /// A good answer.
    pub fn say(says: impl IntoIterator<Item = Say>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            content: Content::Say {
                says: says.into_iter().collect(),
                cut_after: None,
                hang_after: None,
                drip: false,
                pace: Duration::ZERO,
            },
        }
    }

    /// One text.
    pub fn text(text: &str) -> Self {
        Self::say([Say::text(text)])
    }

    /// An error of this status, with a body that all families read.
    pub fn status(status: u16) -> Self {
        Self::error(
            status,
            json!({"type": "error", "error": {"type": "scripted", "message": "as the test wants it"}}),
        )
    }

    /// An error with this body.
    pub fn error(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            content: Content::Raw(vec![Piece::Bytes(body.to_string().into_bytes())]),
        }
    }

    /// A stream of exactly these pieces.
    pub fn raw(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type".to_owned(), "text/event-stream".to_owned())],
            content: Content::Raw(pieces.into_iter().collect()),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Cuts the connection after so many frames of the stream.
    #[must_use]
    pub fn cut_after(mut self, frames: usize) -> Self {
        if let Content::Say { cut_after, .. } = &mut self.content {
            *cut_after = Some(frames);
        }
        self
    }

    /// Stands still after so many frames of the stream.
    #[must_use]
    pub fn hang_after(mut self, frames: usize) -> Self {
        if let Content::Say { hang_after, .. } = &mut self.content {
            *hang_after = Some(frames);
        }
        self
    }

    /// Sends byte by byte.
    #[must_use]
    pub fn drip(mut self) -> Self {
        if let Content::Say { drip, .. } = &mut self.content {
            *drip = true;
        }
        self
    }

    /// Waits so long after each frame of the stream, as a real model does.
    #[must_use]
    pub fn paced(mut self, time: Duration) -> Self {
        if let Content::Say { pace, .. } = &mut self.content {
            *pace = time;
        }
        self
    }
}
