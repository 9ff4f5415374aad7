//! OpenAI's Chat Completions, as OpenAI speaks it and as compatible servers do (Ollama, vLLM,
//! llama.cpp, OpenRouter, Vercel). Sources: OpenAI's API reference; the documentation of these servers
//! where they differ.

mod decode;
mod options;
pub(crate) mod request;

use api_types::Secret;
use http::HeaderMap;

pub(crate) use decode::ChatDecoder;

use crate::endpoint::{Target, below};
use crate::openai_responses::DEFAULT_BASE;
use crate::wire::{Decoder, Outgoing, Wire};
use crate::{Error, Request};

/// The family in metadata: what one compatible server wrote is given back to any.
pub(crate) const FAMILY: &str = "openaicompat";
const OPENROUTER_BASE: &str = "https://openrouter.ai/api/v1/";
const VERCEL_BASE: &str = "https://ai-gateway.vercel.sh/v1/";

/// Chat Completions at one address with one key.
pub(crate) struct Chat {
    pub(crate) target: Target,
    /// Whether it is OpenAI's own server (or Azure's), which knows newer names of fields.
    pub(crate) own: bool,
}

impl Chat {
    pub(crate) fn openai(target: Target) -> Self {
        Self { target, own: true }
    }

    pub(crate) fn compatible(target: Target) -> Self {
        Self { target, own: false }
    }
}

impl Wire for Chat {
    fn provider(&self) -> &'static str {
        self.target.provider
    }

    fn outgoing(&self, request: &Request, stream: bool) -> Result<Outgoing, Error> {
        let mut headers = HeaderMap::new();
        self.target.bearer(&mut headers)?;
        let base = match self.target.provider {
            // Their gateways have one address.
            "openrouter" => self.target.base(OPENROUTER_BASE)?,
            "vercel" => self.target.base(VERCEL_BASE)?,
            "openai" => self.target.base(DEFAULT_BASE)?,
            _ => self.target.needed_base()?,
        };
        let body = request::body(request, stream, self.target.provider, self.own);
        let url = below(&base, "chat/completions")?;
        self.target.outgoing(url, headers, request, &body)
    }

    fn decoder(&self, _: &Request) -> Box<dyn Decoder> {
        Box::new(ChatDecoder::new(self.target.provider))
    }

    fn secrets(&self) -> Vec<Secret<String>> {
        self.target.secrets()
    }
}
