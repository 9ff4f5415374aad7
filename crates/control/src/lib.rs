//! The rules: who may do what to which noun, and what follows from it.
//!
//! One file per noun; a function `noun_verb` is the same verb that the route
//! and the query have. No HTTP (errors carry a class, not a status line) and no
//! SQL (that is `store`'s). [`Control`] holds the services that the rules need.

mod access_lists;
mod activity;
pub mod agents;
mod ai;
mod api_keys;
pub mod apps;
mod audit;
mod authcheck;
mod builds;
mod chats;
mod crypto_keys;
mod custom_roles;
mod deployment;
mod error;
mod files;
mod git_ssh_keys;
pub mod groups;
pub mod init_scripts;
pub mod jobs;
mod lifecycle;
pub mod mcp;
mod members;
mod names;
mod notifications;
mod organization_changes;
mod organizations;
mod passwords;
mod retention;
mod schedule;
mod search;
pub mod sessions;
mod settings;
mod sign_in;
mod templates;
mod user_skills;
pub mod users;
mod webpush;
mod workspaces;

pub use access_lists::Readable;
pub use ai::AiPriceQuery;
pub use chats::{
    AutoArchived, ChatFileData, ChatListQuery, ChatSetting, ChatTemplate, GitBranch, GitHostError,
    GitHosts, MAX_CHAT_FILE,
};
pub use crypto_keys::CryptoKey;
pub use error::{Error, Kind, NOT_FOUND};
pub use files::{MAX_UPLOAD, TAR, ZIP};
pub use notifications::InboxWatch;
pub use settings::Settings;
pub use templates::DryRun;
pub use webpush::{Push, PushError};
pub use workspaces::Owner;

use std::sync::Arc;

use store::Store;

/// Result of a rule.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The rules with what they need. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

struct Inner {
    activity: activity::Activity,
    chats: chats::Chats,
    store: Store,
    settings: Settings,
    sessions: sessions::Cache,
    uses: sessions::Uses,
    visits: apps::RecentVisits,
    forms: templates::forms::Forms,
    mcp: Arc<mcp::Mcp>,
    push: std::sync::OnceLock<Arc<dyn Push>>,
}

impl Control {
    /// The rules over a migrated database.
    pub fn new(store: Store, settings: Settings) -> Self {
        Control {
            inner: Arc::new(Inner {
                activity: activity::Activity::default(),
                chats: chats::Chats::new(&store),
                store,
                settings,
                sessions: sessions::Cache::default(),
                uses: sessions::Uses::default(),
                visits: apps::RecentVisits::default(),
                forms: templates::forms::Forms::default(),
                mcp: Arc::default(),
                push: std::sync::OnceLock::new(),
            }),
        }
    }

    pub(crate) fn activity(&self) -> &activity::Activity {
        &self.inner.activity
    }

    pub(crate) fn visits(&self) -> &apps::RecentVisits {
        &self.inner.visits
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn chats(&self) -> &chats::Chats {
        &self.inner.chats
    }

    pub(crate) fn push_slot(&self) -> &std::sync::OnceLock<Arc<dyn Push>> {
        &self.inner.push
    }

    pub(crate) fn forms(&self) -> &templates::forms::Forms {
        &self.inner.forms
    }

    /// What the deployment decided by its options.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }
}
