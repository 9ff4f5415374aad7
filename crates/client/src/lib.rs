//! Typed client of the HTTP and WebSocket API.
//!
//! One file per noun; each method is one route and says so in its literal
//! path. The crate knows how to reach a deployment (extra headers, client
//! certificates, proxies from the environment) and how to read its errors; it
//! knows nothing of terminals, configuration files or rules.
//!
//! ```no_run
//! # async fn example() -> Result<(), client::Error> {
//! let client = client::Client::new("https://coder.example.com".parse()?, "token".to_owned().into())?;
//! let me = client.user("me").await?;
//! # let _ = me; Ok(()) }
//! ```

pub mod agent_api;
mod agents;
mod builder;
mod builds;
mod call;
mod chats;
mod deployment;
mod dial;
mod error;
mod files;
mod groups;
mod headers;
mod organizations;
mod prices;
mod provisioners;
mod settings;
mod target;
mod template_versions;
mod templates;
mod tls;
mod tokens;
mod user_secrets;
mod users;
mod websocket;
mod workspaces;

pub use agent_api::AgentApi;
pub use agents::{AgentConnection, Pty};
pub use builder::{Builder, SESSION_TOKEN_HEADER, VERSION_HEADER};
pub use call::Call;
pub use chats::{ChatEvents, UsableModel, UsableServer};
pub use error::{ApiError, Error};
pub use headers::{HeaderError, parse_header, run_header_command};
pub use organizations::preferred_organization;
pub use provisioners::{ProvisionerJobQuery, ProvisionerQuery};
pub use target::{Target, TargetError};
pub use templates::TemplateQuery;
pub use tls::{TlsError, TlsFiles, system_tls, tls_with};
pub use users::UserQuery;
pub use websocket::{ByteSocket, JsonSocket, MessageSocket};
pub use workspaces::WorkspaceWatch;

use std::sync::{Arc, OnceLock};

use api_types::Secret;
use url::Url;

/// A connection to one deployment as one person (or agent). Clones are cheap
/// and share the connection pool.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    url: Url,
    token: Secret<String>,
    headers: http::HeaderMap,
    way: Way,
    tls: Arc<rustls::ClientConfig>,
    /// What the first response said in `X-Coder-Build-Version`.
    server_version: OnceLock<String>,
    /// What the first response with warnings said in `X-Coder-Entitlements-Warning`.
    warnings: OnceLock<Vec<String>>,
}

/// How requests get to the deployment.
#[derive(Clone, Debug)]
enum Way {
    /// By sockets, with all that HTTP in the world needs.
    Web(reqwest::Client),
    /// By connections that somebody else opens.
    Dialed {
        dial: dial::Dial,
        user_agent: Option<String>,
    },
}

impl Client {
    /// A client with default transport settings.
    pub fn new(url: Url, token: Secret<String>) -> Result<Self, Error> {
        Self::builder(url).token(token).build()
    }

    /// Starts a client with settings of its own.
    pub fn builder(url: Url) -> Builder {
        Builder::new(url)
    }

    /// The same transport with another session token.
    #[must_use]
    pub fn with_token(&self, token: Secret<String>) -> Self {
        Self {
            inner: Arc::new(Inner {
                url: self.inner.url.clone(),
                token,
                headers: self.inner.headers.clone(),
                way: self.inner.way.clone(),
                tls: self.inner.tls.clone(),
                server_version: self.inner.server_version.clone(),
                warnings: self.inner.warnings.clone(),
            }),
        }
    }

    /// Address of the deployment.
    pub fn url(&self) -> &Url {
        &self.inner.url
    }

    /// The session token that requests carry.
    pub fn token(&self) -> &Secret<String> {
        &self.inner.token
    }

    /// Headers that every request carries beside the token; a tunnel sends
    /// them to the relay too.
    pub fn extra_headers(&self) -> &http::HeaderMap {
        &self.inner.headers
    }

    /// TLS settings (roots, client certificate) of every connection.
    pub fn tls_config(&self) -> &Arc<rustls::ClientConfig> {
        &self.inner.tls
    }

    /// Version of the server, once any response has been seen.
    pub fn server_version(&self) -> Option<&str> {
        self.inner.server_version.get().map(String::as_str)
    }

    /// What the server has said about its features, for administrators.
    pub fn warnings(&self) -> &[String] {
        self.inner.warnings.get().map_or(&[], Vec::as_slice)
    }
}
