//! AWS Bedrock: Anthropic's models through `InvokeModel`. Sources: the API references of the Bedrock
//! runtime and of Anthropic on Bedrock.

mod ambient;
pub(crate) mod event_stream;
mod metadata;
mod sigv4;
mod sts;

pub use ambient::{AwsSource, role_service};
pub use sts::{AwsRole, AwsRoleKeys, assume_role};

use api_types::Secret;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use crate::anthropic::{MessagesDecoder, request};
use crate::endpoint::{Credential, Target, below};
use crate::wire::frames::Frames;
use crate::wire::{Decoder, Outgoing, Wire};
use crate::{Error, ErrorKind, Request};

/// Version of the body.
const VERSION: &str = "bedrock-2023-05-31";
/// Service in signatures.
const SERVICE: &str = "bedrock";

/// Bedrock in one region (or at one address) with one credential.
pub(crate) struct Bedrock {
    pub(crate) target: Target,
    pub(crate) region: Option<String>,
}

impl Bedrock {
    fn base(&self) -> Result<Url, Error> {
        if self.target.base_url.is_some() {
            return self.target.needed_base();
        }
        let region = self.region()?;
        self.target
            .base(&format!("https://bedrock-runtime.{region}.amazonaws.com/"))
    }

    /// The region: as configured, else as the address says it.
    fn region(&self) -> Result<String, Error> {
        let of_address = || {
            let host = self.target.base_url.as_ref()?.host_str()?;
            let region = host.strip_prefix("bedrock-runtime.")?.split('.').next()?;
            Some(region.to_owned())
        };
        let region = self
            .region
            .clone()
            .filter(|region| !region.is_empty())
            .or_else(of_address);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        match region {
            Some(region) if region.chars().all(plain) => Ok(region),
            _ => Err(Error::new(
                ErrorKind::Config,
                "This provider needs an AWS region. An administrator can set it in the provider's settings.",
            )
            .provider(self.target.provider)),
        }
    }
}

impl Wire for Bedrock {
    fn provider(&self) -> &'static str {
        self.target.provider
    }

    fn outgoing(&self, request: &Request, stream: bool) -> Result<Outgoing, Error> {
        let (mut body, betas) = request::body(request, false, self.target.provider)?;
        if let Value::Object(fields) = &mut body {
            fields.remove("model");
            fields.insert("anthropic_version".to_owned(), json!(VERSION));
            if !betas.is_empty() {
                fields.insert("anthropic_beta".to_owned(), json!(betas));
            }
        }
        let verb = if stream {
            "invoke-with-response-stream"
        } else {
            "invoke"
        };
        let model = sigv4::escape(&request.model);
        let url = below(&self.base()?, &format!("model/{model}/{verb}"))?;
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::ACCEPT,
            HeaderValue::from_static(if stream {
                "application/vnd.amazon.eventstream"
            } else {
                "application/json"
            }),
        );
        self.target.bearer(&mut headers)?;
        let mut outgoing = self.target.outgoing(url, headers, request, &body)?;
        match &self.target.credential {
            Credential::Key(_) => {}
            Credential::Aws(keys) => {
                let region = self.region()?;
                sigv4::sign(&mut outgoing, keys, &region, SERVICE, chrono::Utc::now())?;
            }
            Credential::None => {
                return Err(Error::new(
                    ErrorKind::MissingKey,
                    "No AWS credentials are configured for this provider.",
                )
                .provider(self.target.provider));
            }
        }
        Ok(outgoing)
    }

    fn frames(&self) -> Frames {
        Frames::Aws(event_stream::EventStream::default())
    }

    fn decoder(&self, request: &Request) -> Box<dyn Decoder> {
        Box::new(BedrockDecoder(MessagesDecoder::new(
            self.target.provider,
            request,
        )))
    }

    fn secrets(&self) -> Vec<Secret<String>> {
        self.target.secrets()
    }
}

/// Anthropic's events in the envelope of AWS.
struct BedrockDecoder(MessagesDecoder);

impl Decoder for BedrockDecoder {
    fn frame(
        &mut self,
        frame: &crate::wire::frames::Frame,
        out: &mut crate::wire::emit::Emit,
    ) -> Result<(), Error> {
        self.0.frame(frame, out)
    }

    fn whole(&mut self, body: &[u8], out: &mut crate::wire::emit::Emit) -> Result<(), Error> {
        self.0.whole(body, out)
    }
}
