//! Azure OpenAI, in both of its shapes. Source: Azure's REST reference of Azure OpenAI.
//!
//! * A base URL that ends with `/v1` (`https://NAME.openai.azure.com/openai/v1`) is the newer shape:
//!   OpenAI's paths, no version needed.
//! * Any other is a resource (`https://NAME.openai.azure.com`): the model's name is the deployment in
//!   the path, and the interface has a version.
//!
//! `?api-version=…` of the base URL is kept, in both.

use api_types::Secret;
use http::HeaderMap;
use url::Url;

use crate::endpoint::{Target, below};
use crate::openai_chat::{self, ChatDecoder};
use crate::openai_responses::{self, ResponsesDecoder};
use crate::wire::{Decoder, Outgoing, Wire};
use crate::{Error, Request};

/// Version of the older shape when the base URL names none: the first with the Responses API that is
/// kept for good.
const API_VERSION: &str = "2025-04-01-preview";

fn is_v1(base: &Url) -> bool {
    base.path().trim_end_matches('/').ends_with("/v1")
}

/// The address below a resource: `path` as it is in the newer shape, `classic` in the older.
fn address(base: &Url, path: &str, classic: &str) -> Result<Url, Error> {
    if is_v1(base) {
        return below(base, path);
    }
    let in_resource = base.path().trim_end_matches('/').ends_with("/openai");
    let classic = if in_resource {
        classic.to_owned()
    } else {
        format!("openai/{classic}")
    };
    let mut url = below(base, &classic)?;
    if !url.query_pairs().any(|(name, _)| name == "api-version") {
        url.query_pairs_mut()
            .append_pair("api-version", API_VERSION);
    }
    Ok(url)
}

/// The Responses API of Azure.
pub(crate) struct AzureResponses {
    pub(crate) target: Target,
}

impl Wire for AzureResponses {
    fn provider(&self) -> &'static str {
        self.target.provider
    }

    fn outgoing(&self, request: &Request, stream: bool) -> Result<Outgoing, Error> {
        let mut headers = HeaderMap::new();
        self.target.key_header("api-key", &mut headers)?;
        let url = address(&self.target.needed_base()?, "responses", "responses")?;
        let body = openai_responses::request::body(request, stream);
        self.target.outgoing(url, headers, request, &body)
    }

    fn decoder(&self, _: &Request) -> Box<dyn Decoder> {
        Box::new(ResponsesDecoder::new(self.target.provider))
    }

    fn secrets(&self) -> Vec<Secret<String>> {
        self.target.secrets()
    }
}

/// The Chat Completions of Azure.
pub(crate) struct AzureChat {
    target: Target,
}

impl AzureChat {
    pub(crate) fn new(target: Target) -> Self {
        Self { target }
    }
}

impl Wire for AzureChat {
    fn provider(&self) -> &'static str {
        self.target.provider
    }

    fn outgoing(&self, request: &Request, stream: bool) -> Result<Outgoing, Error> {
        let mut headers = HeaderMap::new();
        self.target.key_header("api-key", &mut headers)?;
        // `set_path` escapes what a name may not hold; a slash would leave the deployment.
        let deployment = request.model.replace('/', "%2F");
        let url = address(
            &self.target.needed_base()?,
            "chat/completions",
            &format!("deployments/{deployment}/chat/completions"),
        )?;
        let body = openai_chat::request::body(request, stream, self.target.provider, true);
        self.target.outgoing(url, headers, request, &body)
    }

    fn decoder(&self, _: &Request) -> Box<dyn Decoder> {
        Box::new(ChatDecoder::new(self.target.provider))
    }

    fn secrets(&self) -> Vec<Secret<String>> {
        self.target.secrets()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes() {
        let chat = |base: &str| {
            let base = Url::parse(base).unwrap();
            address(
                &base,
                "chat/completions",
                "deployments/gpt/chat/completions",
            )
            .unwrap()
            .to_string()
        };
        assert_eq!(
            chat("https://n.openai.azure.com/openai/v1/"),
            "https://n.openai.azure.com/openai/v1/chat/completions"
        );
        assert_eq!(
            chat("https://n.openai.azure.com/openai/v1?api-version=preview"),
            "https://n.openai.azure.com/openai/v1/chat/completions?api-version=preview"
        );
        let classic = "https://n.openai.azure.com/openai/deployments/gpt/chat/completions";
        for base in [
            "https://n.openai.azure.com",
            "https://n.openai.azure.com/openai/",
        ] {
            assert_eq!(chat(base), format!("{classic}?api-version={API_VERSION}"));
        }
        assert_eq!(
            chat("https://n.openai.azure.com?api-version=2024-10-21"),
            format!("{classic}?api-version=2024-10-21")
        );
    }
}
