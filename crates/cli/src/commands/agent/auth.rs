//! How the agent and its helpers sign in.

use std::path::PathBuf;

use ::agent::identity::{Cloud, Identity};
use anyhow::{Context, Result};
use api_types::Secret;
use clap::{Args as ClapArgs, ValueEnum};
use client::Client;
use http::HeaderMap;

use crate::failure::Advice;
use crate::session::{Session, parse_url};

/// Flags by which the agent and its helpers sign in.
#[derive(Debug, ClapArgs)]
pub struct AgentAuth {
    /// How the agent proves who it is.
    #[arg(
        long,
        env = "CODER_AGENT_AUTH",
        value_name = "kind",
        default_value = "token"
    )]
    auth: Kind,

    /// Which agent of the instance this is, where there are several; for identities
    /// of instances only.
    #[arg(
        long,
        env = "CODER_AGENT_NAME",
        value_name = "name",
        default_value = ""
    )]
    agent_name: String,

    /// Address of the deployment.
    #[arg(long, env = "CODER_AGENT_URL", value_name = "url")]
    agent_url: Option<String>,

    /// The agent's token.
    #[arg(
        long,
        env = "CODER_AGENT_TOKEN",
        value_name = "token",
        hide_env_values = true
    )]
    agent_token: Option<String>,

    /// File with the agent's token.
    #[arg(long, env = "CODER_AGENT_TOKEN_FILE", value_name = "file")]
    agent_token_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// By a token.
    Token,
    /// As an instance of Google's cloud.
    GoogleInstanceIdentity,
    /// As an instance of Amazon's cloud.
    AwsInstanceIdentity,
    /// As an instance of Microsoft's cloud.
    AzureInstanceIdentity,
}

impl AgentAuth {
    /// Address of the deployment as it was given.
    pub fn url(&self) -> Option<&str> {
        self.agent_url.as_deref()
    }

    /// How the agent of an instance gets its token.
    pub fn identity(&self) -> Option<Identity> {
        let cloud = match self.auth {
            Kind::Token => return None,
            Kind::GoogleInstanceIdentity => Cloud::Google,
            Kind::AwsInstanceIdentity => Cloud::Aws,
            Kind::AzureInstanceIdentity => Cloud::Azure,
        };
        Some(Identity::new(cloud, &self.agent_name))
    }

    /// A client that acts as the agent, with additional headers. That of an instance
    /// has no token yet.
    pub fn client(&self, session: &Session, headers: &HeaderMap) -> Result<Client> {
        let url = self
            .agent_url
            .as_deref()
            .filter(|u| !u.is_empty())
            .ok_or_else(|| {
                Advice::error(
                    "the agent does not know its deployment",
                    "Set CODER_AGENT_URL or --agent-url; in a workspace the start script does it.",
                )
            })?;
        let token = match self.token() {
            // Helpers find the token that the agent got in their environment.
            Err(_) if self.auth != Kind::Token => String::new().into(),
            token => token?,
        };
        session.client_with_headers(parse_url(url)?, token, headers)
    }

    fn token(&self) -> Result<Secret<String>> {
        if let Some(token) = self.agent_token.as_ref().filter(|t| !t.is_empty()) {
            return Ok(token.trim().to_owned().into());
        }
        let file = self
            .agent_token_file
            .as_ref()
            .filter(|f| !f.as_os_str().is_empty());
        let Some(file) = file else {
            return Err(Advice::error(
                "the agent has no token",
                "Set CODER_AGENT_TOKEN, or CODER_AGENT_TOKEN_FILE with the path of a file that holds it.",
            ));
        };
        let token = std::fs::read_to_string(file)
            .with_context(|| format!("read the agent's token from {}", file.display()))?;
        Ok(token.trim().to_owned().into())
    }
}
