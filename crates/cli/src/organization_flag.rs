//! The flag by which a command is told in which organization to act.

use anyhow::Result;
use api_types::Organization;
use clap::Args;

use crate::session::Session;

/// In which organization to act.
#[derive(Debug, Clone, Default, Args)]
pub struct OrganizationFlag {
    /// Organization to act in, by name or id.
    #[arg(
        short = 'O',
        long = "org",
        env = "CODER_ORGANIZATION",
        value_name = "name"
    )]
    pub organization: Option<String>,
}

impl OrganizationFlag {
    /// The organization that was asked for, or the usual one.
    pub async fn find(&self, session: &Session) -> Result<Organization> {
        session.organization(self.organization.as_deref()).await
    }
}
