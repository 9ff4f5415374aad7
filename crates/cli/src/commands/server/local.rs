//! Flags by which a command at the server's own machine finds its database.

use anyhow::Result;
use clap::Args;
use server::options::{Options, Sources};

use super::{bundles, places};
use crate::failure::Advice;
use crate::session::Session;

/// Which database.
#[derive(Debug, Args)]
pub struct DatabaseFlags {
    /// URL of the server's PostgreSQL; the one that travels in this program when left out.
    #[arg(
        long,
        env = "CODER_PG_CONNECTION_URL",
        value_name = "url",
        hide_env_values = true
    )]
    postgres_url: Option<String>,

    /// How to sign in to it.
    #[arg(
        long,
        env = "CODER_PG_CONNECTION_AUTH",
        value_name = "kind",
        default_value = "password",
        value_parser = ["password", "awsiamrds"]
    )]
    postgres_connection_auth: String,
}

impl DatabaseFlags {
    /// Opens the rules over the database; `more` sets further options by name.
    pub async fn open(
        &self,
        session: &Session,
        more: &dyn Fn(&str) -> Option<Vec<String>>,
    ) -> Result<server::Admin> {
        if self.postgres_connection_auth != "password" {
            return Err(Advice::error(
                "this version signs in to PostgreSQL by password only",
                "Put a password, or an IAM token in its place, into --postgres-url.",
            ));
        }
        let flag = |name: &str| match name {
            "postgres-url" => self.postgres_url.clone().map(|url| vec![url]),
            name => more(name),
        };
        let options = Options::resolve(&Sources {
            flag: &flag,
            env: &|_| None,
            file: None,
        })?;
        Ok(server::Admin::open(options, &bundles::all()?, &places(session)?).await?)
    }
}
