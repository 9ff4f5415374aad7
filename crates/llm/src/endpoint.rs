//! Where a provider is and how one signs in there; and which wire format its models speak.

use std::sync::Arc;

use api_types::Secret;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

use crate::wire::Outgoing;
use crate::wire::drive::Connection;
use crate::{Error, ErrorKind, Http, Provider, Request};
use crate::{anthropic, azure, bedrock, google, openai_chat, openai_responses};

/// Types of providers, as the API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderType {
    /// OpenAI.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Azure OpenAI.
    Azure,
    /// Google Gemini.
    Google,
    /// Any server that speaks OpenAI's Chat Completions.
    #[serde(rename = "openai-compat")]
    OpenAiCompat,
    /// OpenRouter.
    OpenRouter,
    /// Vercel's AI gateway.
    Vercel,
    /// AWS Bedrock.
    Bedrock,
    /// GitHub Copilot, for the gateway only: chats cannot use it.
    Copilot,
}

impl ProviderType {
    /// All types.
    pub const ALL: [Self; 9] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::Azure,
        Self::Google,
        Self::OpenAiCompat,
        Self::OpenRouter,
        Self::Vercel,
        Self::Bedrock,
        Self::Copilot,
    ];

    /// Name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Azure => "azure",
            Self::Google => "google",
            Self::OpenAiCompat => "openai-compat",
            Self::OpenRouter => "openrouter",
            Self::Vercel => "vercel",
            Self::Bedrock => "bedrock",
            Self::Copilot => "copilot",
        }
    }

    /// The type of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// How people call it.
    pub fn display_name(self) -> &'static str {
        match self {
            Self::OpenAiCompat => "OpenAI-compatible",
            Self::Copilot => "GitHub Copilot",
            other => match other.as_str() {
                "openai" => "OpenAI",
                "anthropic" => "Anthropic",
                "google" => "Google",
                "azure" => "Azure OpenAI",
                "bedrock" => "AWS Bedrock",
                "openrouter" => "OpenRouter",
                _ => "Vercel AI Gateway",
            },
        }
    }

    /// The object of a model's provider options that this type reads.
    pub fn option_family(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Azure | Self::Copilot => "openai",
            Self::Anthropic | Self::Bedrock => "anthropic",
            Self::Google => "google",
            Self::OpenAiCompat => "openaicompat",
            Self::OpenRouter => "openrouter",
            Self::Vercel => "vercel",
        }
    }

    /// Whether chats can use it.
    pub fn serves_chats(self) -> bool {
        self != Self::Copilot
    }
}

/// A provider's address and the credential to use there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// What it is.
    pub kind: ProviderType,
    /// Its address; the type's own when absent. OpenAI's shapes contain the version, Anthropic's do
    /// not.
    pub base_url: Option<Url>,
    /// AWS region, for Bedrock.
    pub region: Option<String>,
    /// How to sign in.
    pub credential: Credential,
}

/// How to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Not at all (self-hosted servers).
    None,
    /// A key.
    Key(Secret<String>),
    /// AWS access keys, which sign each request.
    Aws(AwsKeys),
}

/// AWS access keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKeys {
    /// Id of the key.
    pub access_key: Secret<String>,
    /// The key.
    pub secret_key: Secret<String>,
    /// Token of temporary keys.
    pub session_token: Option<Secret<String>>,
}

/// The provider at `endpoint`, in the wire format that `request`'s model speaks there.
///
/// # Errors
/// `config` when the endpoint lacks what its type needs, or cannot serve chats.
pub fn connect(
    http: &Http,
    endpoint: Endpoint,
    request: &Request,
) -> Result<Arc<dyn Provider>, Error> {
    let kind = endpoint.kind;
    let target = Target {
        provider: kind.as_str(),
        base_url: endpoint.base_url,
        credential: endpoint.credential,
    };
    let http = http.clone();
    let responses = || openai_responses::speaks(request);
    fn over<W: crate::wire::Wire>(http: Http, wire: W) -> Arc<dyn Provider> {
        Arc::new(Connection {
            http,
            wire: Arc::new(wire),
        })
    }
    Ok(match kind {
        ProviderType::Anthropic => over(http, anthropic::Messages { target }),
        ProviderType::OpenAi if responses() => over(http, openai_responses::Responses { target }),
        ProviderType::OpenAi => over(http, openai_chat::Chat::openai(target)),
        ProviderType::OpenAiCompat | ProviderType::OpenRouter | ProviderType::Vercel => {
            over(http, openai_chat::Chat::compatible(target))
        }
        ProviderType::Google if google::is_openai_shape(target.base_url.as_ref()) => {
            over(http, openai_chat::Chat::compatible(target))
        }
        ProviderType::Google => over(http, google::Gemini { target }),
        ProviderType::Azure if openai_responses::known(&request.model) => {
            over(http, azure::AzureResponses { target })
        }
        ProviderType::Azure => over(http, azure::AzureChat::new(target)),
        ProviderType::Bedrock => over(
            http,
            bedrock::Bedrock {
                target,
                region: endpoint.region,
            },
        ),
        ProviderType::Copilot => {
            return Err(Error::new(
                ErrorKind::Config,
                "GitHub Copilot cannot be used in chats. Choose a model of another provider.",
            )
            .provider(kind.as_str()));
        }
    })
}

/// Address and credential, as wire formats use them.
pub(crate) struct Target {
    pub(crate) provider: &'static str,
    pub(crate) base_url: Option<Url>,
    pub(crate) credential: Credential,
}

impl Target {
    /// The configured address, else `default`.
    pub(crate) fn base(&self, default: &str) -> Result<Url, Error> {
        let url = match &self.base_url {
            Some(url) => url.clone(),
            None => Url::parse(default).map_err(|_| self.no_address())?,
        };
        self.check(&url)?;
        Ok(url)
    }

    /// The configured address, which this type cannot do without.
    pub(crate) fn needed_base(&self) -> Result<Url, Error> {
        let url = self.base_url.clone().ok_or_else(|| self.no_address())?;
        self.check(&url)?;
        Ok(url)
    }

    fn no_address(&self) -> Error {
        Error::new(
            ErrorKind::Config,
            "This provider needs a base URL. An administrator can set it in the provider's settings.",
        )
        .provider(self.provider)
    }

    fn check(&self, url: &Url) -> Result<(), Error> {
        if is_allowed(url) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            "The provider's base URL points to an address that must not be called.",
        )
        .provider(self.provider))
    }

    /// Puts the key, if there is one, into the header `name`.
    pub(crate) fn key_header(
        &self,
        name: &'static str,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
        if let Credential::Key(key) = &self.credential {
            let value = key.expose().clone();
            headers.insert(HeaderName::from_static(name), self.sensitive(&value)?);
        }
        Ok(())
    }

    /// Puts the key, if there is one, into `Authorization`.
    pub(crate) fn bearer(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        if let Credential::Key(key) = &self.credential {
            let value = format!("Bearer {}", key.expose());
            headers.insert(http::header::AUTHORIZATION, self.sensitive(&value)?);
        }
        Ok(())
    }

    fn sensitive(&self, value: &str) -> Result<HeaderValue, Error> {
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            Error::new(
                ErrorKind::Auth,
                "The API key holds characters that cannot be sent. Enter it again.",
            )
            .provider(self.provider)
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The request to send.
    pub(crate) fn outgoing(
        &self,
        url: Url,
        mut headers: HeaderMap,
        request: &Request,
        body: &Value,
    ) -> Result<Outgoing, Error> {
        headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        for (name, value) in &request.headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(value),
            ) {
                headers.entry(name).or_insert(value);
            }
        }
        let body = serde_json::to_vec(body).map_err(|e| {
            Error::new(ErrorKind::Config, "The request cannot be written as JSON.")
                .detail(&e.to_string())
        })?;
        Ok(Outgoing { url, headers, body })
    }

    pub(crate) fn secrets(&self) -> Vec<Secret<String>> {
        match &self.credential {
            Credential::None => Vec::new(),
            Credential::Key(key) => vec![key.clone()],
            Credential::Aws(keys) => [&keys.access_key, &keys.secret_key]
                .into_iter()
                .chain(&keys.session_token)
                .cloned()
                .collect(),
        }
    }
}

/// `path` below `base`, whose query stays.
pub(crate) fn below(base: &Url, path: &str) -> Result<Url, Error> {
    let mut url = base.clone();
    let whole = format!("{}/{path}", base.path().trim_end_matches('/'));
    url.set_path(&whole);
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Err(Error::new(
            ErrorKind::Config,
            "The provider's base URL must begin with http:// or https://.",
        ));
    }
    Ok(url)
}

/// Whether a model provider may be there: anywhere but at the metadata services of clouds, which give
/// credentials of the machine to whoever asks. Private networks are allowed, as self-hosted servers
/// live there.
pub fn is_allowed(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => !ip.is_link_local(),
        Some(Host::Ipv6(ip)) => {
            let mapped = ip.to_ipv4_mapped().is_some_and(|v4| v4.is_link_local());
            let aws = ip.segments()[0] == 0xfd00 && ip.segments()[1] == 0x0ec2;
            !mapped && !aws && !ip.is_unicast_link_local()
        }
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            !name.eq_ignore_ascii_case("metadata.google.internal")
                && !name.eq_ignore_ascii_case("metadata")
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_are_refused() {
        for (url, allowed) in [
            ("http://127.0.0.1:11434/v1", true),
            ("http://10.0.0.5/v1", true),
            ("https://api.openai.com/v1", true),
            ("http://169.254.169.254/latest", false),
            ("http://[::ffff:169.254.169.254]/", false),
            ("http://[fd00:ec2::254]/", false),
            ("http://[fe80::1]/", false),
            ("http://metadata.google.internal./", false),
        ] {
            assert_eq!(is_allowed(&Url::parse(url).unwrap()), allowed, "{url}");
        }
    }

    #[test]
    fn paths_go_below_the_base() {
        let join = |base: &str| {
            below(&Url::parse(base).unwrap(), "a/b")
                .unwrap()
                .to_string()
        };
        assert_eq!(join("http://x"), "http://x/a/b");
        assert_eq!(join("http://x/v1/"), "http://x/v1/a/b");
        assert_eq!(join("http://x/v1?k=1"), "http://x/v1/a/b?k=1");
    }
}
