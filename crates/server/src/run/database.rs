//! Opens the database: an external one, or the one that travels along.

use std::time::Duration;

use store::Store;
use store::embedded::{Binaries, Embedded};

use super::{Bundles, Places, RunError};
use crate::options::Options;

/// How long an external database may take to answer while the server starts:
/// both are often started together.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between tries.
const RETRY: Duration = Duration::from_millis(500);

pub(super) struct Database {
    pub(super) store: Store,
    embedded: Option<Embedded>,
}

pub(super) async fn open(
    options: &Options,
    bundles: &Bundles,
    places: &Places,
) -> Result<Database, RunError> {
    let connections = usize::try_from(options.int("postgres-conn-max-open")).unwrap_or(0);
    let external = options.text("postgres-url");
    let (url, embedded) = if external.is_empty() {
        let packed = bundles.postgres.ok_or(RunError::NoPostgres)?;
        let directory = places.config.join("postgres");
        let embedded = Embedded::start(Binaries::Packed(packed), &directory).await?;
        (embedded.url().to_owned(), Some(embedded))
    } else {
        (external.to_owned(), None)
    };
    let store = Store::connect(&url, connections).map_err(RunError::Database)?;
    answer(&store).await?;
    store.migrate().await?;
    Ok(Database { store, embedded })
}

/// Waits until the database answers.
async fn answer(store: &Store) -> Result<(), RunError> {
    let began = tokio::time::Instant::now();
    loop {
        match store.conn().await {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > PATIENCE => return Err(RunError::Database(error)),
            Err(error) => tracing::warn!(%error, "the database does not answer yet"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

impl Database {
    /// Whether other servers may work on the same database: not on our own, so that what a
    /// killed server left behind need not be waited for.
    pub(super) fn neighbours(&self) -> chat::worker::Neighbours {
        match self.embedded {
            Some(_) => chat::worker::Neighbours::None,
            None => chat::worker::Neighbours::Possible,
        }
    }

    pub(super) async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}
