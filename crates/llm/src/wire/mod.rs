//! What all providers share on the wire: sending, framing, bounds, errors, and the driver that turns
//! frames into events.

pub(crate) mod classify;
pub(crate) mod drive;
pub(crate) mod emit;
pub(crate) mod frames;
pub(crate) mod hints;
pub(crate) mod http;
pub(crate) mod redact;
pub(crate) mod sse;
pub(crate) mod tap;

use crate::Error;
use emit::Emit;
use frames::Frame;

/// One request, ready to send.
pub(crate) struct Outgoing {
    /// Where to.
    pub(crate) url: url::Url,
    /// Headers, credentials among them (marked as sensitive).
    pub(crate) headers: ::http::HeaderMap,
    /// JSON.
    pub(crate) body: Vec<u8>,
}

/// How a provider's requests are made and its answers read.
pub(crate) trait Wire: Send + Sync + 'static {
    /// The provider's type, for errors.
    fn provider(&self) -> &'static str;

    /// The request for `request`, streamed or whole.
    fn outgoing(&self, request: &crate::Request, stream: bool) -> Result<Outgoing, Error>;

    /// How a streamed answer is framed.
    fn frames(&self) -> frames::Frames {
        frames::Frames::sse()
    }

    /// Reads one streamed answer to `request`.
    fn decoder(&self, request: &crate::Request) -> Box<dyn Decoder>;

    /// Texts that must not appear in any error.
    fn secrets(&self) -> Vec<api_types::Secret<String>>;
}

/// Reads the frames of one answer.
pub(crate) trait Decoder: Send {
    /// The next frame of a streamed answer.
    fn frame(&mut self, frame: &Frame, out: &mut Emit) -> Result<(), Error>;

    /// The stream ended without an error of the transport.
    fn end(&mut self, _out: &mut Emit) -> Result<(), Error> {
        Ok(())
    }

    /// A whole answer.
    fn whole(&mut self, body: &[u8], out: &mut Emit) -> Result<(), Error>;
}

/// An answer that is not in the provider's format.
pub(crate) fn malformed(provider: &str, error: &serde_json::Error) -> Error {
    let mut problem = Error::new(
        crate::ErrorKind::Timeout,
        "The model provider sent an answer that cannot be read.",
    )
    .detail(&error.to_string())
    .provider(provider);
    problem.retryable = true;
    problem
}
