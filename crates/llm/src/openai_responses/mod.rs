//! OpenAI's Responses API. Source: OpenAI's API reference.

mod decode;
pub(crate) mod options;
pub(crate) mod request;

use api_types::Secret;
use http::HeaderMap;

pub(crate) use decode::ResponsesDecoder;

use crate::endpoint::{Target, below};
use crate::wire::{Decoder, Outgoing, Wire};
use crate::{Error, Request};

/// The family in metadata and options.
pub(crate) const FAMILY: &str = "openai";
/// Address of OpenAI.
pub(crate) const DEFAULT_BASE: &str = "https://api.openai.com/v1/";

/// Beginnings of the names of models that the Responses API serves.
const MODELS: &[&str] = &[
    "gpt-4.1",
    "gpt-4.5",
    "gpt-4o",
    "gpt-4-turbo",
    "gpt-5",
    "gpt-6",
    "o1",
    "o3",
    "o4",
    "codex",
    "chatgpt-4o",
    "computer-use",
    "gpt-oss",
];
/// Parts of names of models that only other interfaces serve.
const NOT_MODELS: &[&str] = &[
    "audio",
    "realtime",
    "search-preview",
    "transcribe",
    "tts",
    "image",
];

/// Whether the Responses API serves the model of this name.
pub(crate) fn known(model: &str) -> bool {
    MODELS.iter().any(|start| model.starts_with(start))
        && !NOT_MODELS.iter().any(|part| model.contains(part))
}

/// Whether `request` goes to the Responses API: by its configuration, else by its model's name.
pub(crate) fn speaks(request: &Request) -> bool {
    request
        .provider_options
        .get("openai_config")
        .and_then(|config| config.get("use_responses_api")?.as_bool())
        .unwrap_or_else(|| known(&request.model))
}

/// Whether the model reasons, which changes what may be sent to it.
pub(crate) fn reasons(request: &Request) -> bool {
    let model = request.model.rsplit('/').next().unwrap_or_default();
    let by_name = ["o1", "o3", "o4", "gpt-5", "gpt-6", "codex"]
        .iter()
        .any(|start| model.starts_with(start))
        && !model.contains("chat");
    request
        .provider_options
        .get("openai_config")
        .and_then(|config| config.get("reasoning_model")?.as_bool())
        .unwrap_or(by_name)
}

/// The Responses API at one address with one key.
pub(crate) struct Responses {
    pub(crate) target: Target,
}

impl Wire for Responses {
    fn provider(&self) -> &'static str {
        self.target.provider
    }

    fn outgoing(&self, request: &Request, stream: bool) -> Result<Outgoing, Error> {
        let mut headers = HeaderMap::new();
        self.target.bearer(&mut headers)?;
        let url = below(&self.target.base(DEFAULT_BASE)?, "responses")?;
        let body = request::body(request, stream);
        self.target.outgoing(url, headers, request, &body)
    }

    fn decoder(&self, _: &Request) -> Box<dyn Decoder> {
        Box::new(ResponsesDecoder::new(self.target.provider))
    }

    fn secrets(&self) -> Vec<Secret<String>> {
        self.target.secrets()
    }
}

#[cfg(test)]
mod tests {
    use super::known;

    #[test]
    fn models_by_name() {
        for model in ["gpt-4.1", "gpt-4o-mini", "o3", "gpt-5.1-codex"] {
            assert!(known(model), "{model}");
        }
        for model in [
            "fake-model",
            "gpt-4o-audio-preview",
            "llama-3",
            "gpt-3.5-turbo",
        ] {
            assert!(!known(model), "{model}");
        }
    }
}
