//! What every handler can reach.

use std::sync::Arc;

use control::Control;

use crate::auth::CookiePolicy;
use crate::middleware::RateLimits;

/// State of the server. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The rules.
    pub control: Control,
    /// What the HTTP side took from the options.
    pub http: Arc<HttpSettings>,
    /// Counters of requests.
    pub limits: Arc<RateLimits>,
    /// The server's part in the tunnel.
    pub tailnet: crate::Tailnet,
    /// Agents connected to this process.
    pub live_agents: crate::LiveAgents,
    /// How the deployment was doing when somebody asked.
    pub health: crate::Health,
    /// The proxy of apps.
    pub apps: crate::Apps,
    /// Programs to hand out.
    pub binaries: crate::Binaries,
}

/// What the HTTP side takes from the options.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// All options, for the deployment API.
    pub options: Arc<crate::options::Options>,
    /// Id of the deployment, made with its database.
    pub deployment_id: uuid::Uuid,
    /// How session cookies are set and read.
    pub cookies: CookiePolicy,
    /// Seconds of `Strict-Transport-Security`, and its further directives; none if 0.
    pub hsts: Option<http::HeaderValue>,
    /// Extra directives of `Content-Security-Policy`.
    pub csp: Vec<String>,
    /// Where documentation is.
    pub docs_url: String,
    /// Told to clients of another version.
    pub cli_upgrade_message: String,
    /// Terms that users accept by signing in.
    pub terms_of_service_url: String,
    /// Experiments that are on.
    pub experiments: Vec<String>,
    /// SSH options for all users.
    pub ssh_config_options: std::collections::BTreeMap<String, String>,
    /// Links shown by the dashboard.
    pub support_links: Vec<api_types::LinkConfig>,
    /// Whose word on the client's address is taken.
    pub proxies: crate::middleware::TrustedProxies,
    /// Path apps are off.
    pub disable_path_apps: bool,
}
