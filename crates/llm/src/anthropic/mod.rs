//! Anthropic's Messages API. Source: Anthropic's API reference, version `2023-06-01`.

mod decode;
pub(crate) mod media;
mod options;
pub(crate) mod request;
mod thinking;

use api_types::Secret;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use decode::MessagesDecoder;

use crate::endpoint::{Target, below};
use crate::wire::{Decoder, Outgoing, Wire};
use crate::{Error, Request};

/// The family in metadata and options.
pub(crate) const FAMILY: &str = "anthropic";
const DEFAULT_BASE: &str = "https://api.anthropic.com/";
const VERSION: &str = "2023-06-01";

/// The Messages API at one address with one key.
pub(crate) struct Messages {
    pub(crate) target: Target,
}

impl Wire for Messages {
    fn provider(&self) -> &'static str {
        self.target.provider
    }

    fn outgoing(&self, request: &Request, stream: bool) -> Result<Outgoing, Error> {
        let (body, betas) = request::body(request, stream, self.target.provider)?;
        let mut headers = HeaderMap::new();
        headers.insert(
            HeaderName::from_static("anthropic-version"),
            HeaderValue::from_static(VERSION),
        );
        if !betas.is_empty()
            && let Ok(value) = HeaderValue::from_str(&betas.join(","))
        {
            headers.insert(HeaderName::from_static("anthropic-beta"), value);
        }
        self.target.key_header("x-api-key", &mut headers)?;
        // Addresses with and without the version are both in use.
        let base = self.target.base(DEFAULT_BASE)?;
        let path = if base.path().trim_end_matches('/').ends_with("/v1") {
            "messages"
        } else {
            "v1/messages"
        };
        self.target
            .outgoing(below(&base, path)?, headers, request, &body)
    }

    fn decoder(&self, request: &Request) -> Box<dyn Decoder> {
        Box::new(MessagesDecoder::new(self.target.provider, request))
    }

    fn secrets(&self) -> Vec<Secret<String>> {
        self.target.secrets()
    }
}
