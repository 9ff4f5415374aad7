//! What reading and creating depend on: the build's environment and the provider's configuration.

use crate::environment::Environment;
use crate::text::go_url::{self, AccessUrl};

/// The access URL of a template that runs outside of any deployment.
const EXAMPLE_URL: &str = "https://mydeployment.coder.com";

/// What reading and creating depend on.
#[derive(Debug, Clone)]
pub struct Context {
    /// What the control plane says of the build.
    pub environment: Environment,
    /// Where the deployment is reached.
    pub access_url: AccessUrl,
}

/// The access URL where the configuration names none.
pub fn default_url(environment: &Environment) -> String {
    environment
        .non_empty("CODER_AGENT_URL")
        .unwrap_or_else(|| EXAMPLE_URL.to_owned())
}

impl Context {
    /// The context of a provider with this `url`, if the configuration gives one.
    ///
    /// # Errors
    /// Why the URL cannot be used.
    pub fn new(environment: Environment, url: Option<&str>) -> Result<Self, String> {
        let url = url.map_or_else(|| default_url(&environment), str::to_owned);
        if url.is_empty() {
            return Err("CODER_AGENT_URL must not be empty; set it, or `url` of the provider, to the access URL".into());
        }
        let access_url = go_url::parse(&url)
            .map_err(|reason| format!("{url:?} is not a usable access URL: {reason}"))?;
        Ok(Self {
            environment,
            access_url,
        })
    }
}
