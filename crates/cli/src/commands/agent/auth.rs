//! How the agent and its helpers sign in.

use std::path::PathBuf;

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

/// Instance identities of clouds are refused by the argument parser: there is
/// no exchange for them here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// By a token.
    Token,
}

impl AgentAuth {
    /// Address of the deployment as it was given.
    pub fn url(&self) -> Option<&str> {
        self.agent_url.as_deref()
    }

    /// A client that acts as the agent, with additional headers.
    pub fn client(&self, session: &Session, headers: &HeaderMap) -> Result<Client> {
        let Kind::Token = self.auth;
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
        session.client_with_headers(parse_url(url)?, self.token()?, headers)
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
