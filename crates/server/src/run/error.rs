//! Why a server did not start.

use std::io;

/// What kept the server from starting or running.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}. Another server may run there; --{flag} chooses another address"
    )]
    Listen {
        /// The option with the address.
        flag: &'static str,
        /// The address.
        address: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Nothing to listen on.
    #[error(
        "--http-address is empty, and so is --tls-address or --tls-enable is not set: give one of them an address such as 127.0.0.1:3000"
    )]
    NoListener,
    /// An option's value cannot be used.
    #[error("--{flag}: {problem}")]
    Option {
        /// The option.
        flag: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// No PostgreSQL was given, and none is in this program.
    #[error(
        "this build carries no PostgreSQL: give --postgres-url, or build with `make build`, which packs one"
    )]
    NoPostgres,
    /// The embedded PostgreSQL did not start.
    #[error(transparent)]
    Embedded(#[from] store::embedded::EmbeddedError),
    /// The database does not answer.
    #[error("the database does not answer: {0}. Check --postgres-url (CODER_PG_CONNECTION_URL)")]
    Database(store::StoreError),
    /// The schema cannot be brought up to date.
    #[error(transparent)]
    Migrate(#[from] store::MigrateError),
    /// The cache directory cannot be used.
    #[error("the cache directory {path}: {source}; --cache-dir chooses another")]
    Cache {
        /// The directory.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A rule says no.
    #[error("{0}")]
    Refused(String),
    /// A rule failed while starting.
    #[error("starting: {0}")]
    Control(#[from] control::Error),
}

impl RunError {
    pub(super) fn listen(flag: &'static str, address: &str) -> impl FnOnce(io::Error) -> Self {
        let address = address.to_owned();
        move |source| RunError::Listen {
            flag,
            address,
            source,
        }
    }
}
