//! The layer through which every call of a model goes: in whose name, with which key, within which
//! budget, at what price; and the record of it.
//!
//! Chats call it in process ([`Gateway::stream`]). A form of it for other tools is a door in front of
//! the same [`Gateway`]: it authenticates, makes a [`ModelCall`], and passes bytes on.

mod bound;
mod budget;
mod call;
mod credentials;
mod keys;
mod metrics;
mod models;
mod notices;
mod prices;
mod record;
mod roles;
mod settings;

pub use call::ModelCall;
pub use metrics::Metrics;
pub use models::{ModelInfo, NO_MODEL, Purpose};
pub use notices::Notice;
pub use prices::cost_micros;
pub use settings::BedrockSettings;

use std::sync::Arc;

use authz::{Subject, System};
use llm::Http;
use store::Store;
use store::seal::Seal;

/// How many notices whoever passes them on may be behind; there are few.
const NOTICES: usize = 64;

/// What a deployment decides about model calls.
#[derive(Debug, Clone)]
pub struct Options {
    /// Users may use keys of their own.
    pub allow_byok: bool,
    /// Model calls are possible at all.
    pub enabled: bool,
    /// Where roles of AWS are asked for, if not at AWS's own service of their region. What keeps it from
    /// being known is told to whoever needs a role.
    pub role_service: Result<Option<url::Url>, llm::Error>,
    /// Where credentials of AWS come from for providers without any, in the order in which they are
    /// asked.
    pub aws: Vec<llm::AwsSource>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_byok: true,
            enabled: true,
            role_service: Ok(None),
            aws: Vec::new(),
        }
    }
}

/// The layer. Cheap to clone; all clones share keys' states and counters.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    seal: Seal,
    http: Http,
    options: Options,
    keys: keys::Cooldowns,
    roles: roles::Roles,
    prices: prices::Book,
    metrics: Metrics,
    notices: tokio::sync::broadcast::Sender<Notice>,
    who: Subject,
}

impl Gateway {
    /// The layer over a migrated database, with the keys that open its secrets.
    pub fn new(store: Store, seal: Seal, http: Http, options: Options) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                seal,
                http,
                options,
                keys: keys::Cooldowns::default(),
                roles: roles::Roles::default(),
                prices: prices::Book::default(),
                metrics: Metrics::default(),
                notices: tokio::sync::broadcast::channel(NOTICES).0,
                who: Subject::system(System::Gateway),
            }),
        }
    }

    /// Counters since the start.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// What people are told of their budgets from now on, by calls of this process. It is in their
    /// inboxes already.
    pub fn notices(&self) -> tokio::sync::broadcast::Receiver<Notice> {
        self.inner.notices.subscribe()
    }

    /// What was decided about model calls.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }
}

/// A failure of the database as chats understand it: the same call may succeed later.
fn database(error: store::StoreError) -> llm::Error {
    tracing::warn!(%error, "model call: database");
    let mut problem = llm::Error::new(
        llm::ErrorKind::Generic,
        "The model could not be called because of an internal error.",
    );
    problem.retryable = true;
    problem
}
