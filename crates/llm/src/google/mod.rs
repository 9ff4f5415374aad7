//! Google's Gemini API. Source: the reference of the Generative Language API, `v1beta`.

mod decode;
mod request;

use api_types::Secret;
use http::HeaderMap;
use url::Url;

use crate::endpoint::{Target, below};
use crate::wire::{Decoder, Outgoing, Wire};
use crate::{Error, Request};

/// The family in metadata and options.
pub(crate) const FAMILY: &str = "google";
const DEFAULT_BASE: &str = "https://generativelanguage.googleapis.com/";

/// Whether this address is that of Google's OpenAI-compatible interface.
pub(crate) fn is_openai_shape(base: Option<&Url>) -> bool {
    base.is_some_and(|url| url.path().trim_end_matches('/').ends_with("/openai"))
}

/// The Gemini API at one address with one key.
pub(crate) struct Gemini {
    pub(crate) target: Target,
}

impl Wire for Gemini {
    fn provider(&self) -> &'static str {
        self.target.provider
    }

    fn outgoing(&self, request: &Request, stream: bool) -> Result<Outgoing, Error> {
        let mut headers = HeaderMap::new();
        self.target.key_header("x-goog-api-key", &mut headers)?;
        let base = self.target.base(DEFAULT_BASE)?;
        let path = base.path().trim_end_matches('/');
        let version = if path.ends_with("/v1beta") || path.ends_with("/v1") {
            ""
        } else {
            "v1beta/"
        };
        let model = request
            .model
            .strip_prefix("models/")
            .unwrap_or(&request.model);
        let method = if stream {
            "streamGenerateContent"
        } else {
            "generateContent"
        };
        let model = model.replace('/', "%2F");
        let mut url = below(&base, &format!("{version}models/{model}:{method}"))?;
        if stream {
            url.query_pairs_mut().append_pair("alt", "sse");
        }
        let body = request::body(request);
        self.target.outgoing(url, headers, request, &body)
    }

    fn decoder(&self, _: &Request) -> Box<dyn Decoder> {
        Box::new(decode::GeminiDecoder::new(self.target.provider))
    }

    fn secrets(&self) -> Vec<Secret<String>> {
        self.target.secrets()
    }
}
