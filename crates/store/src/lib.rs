//! All that survives: the schema, its migrations, the queries, and word of
//! changes between replicas.
//!
//! - [`Store`] is the pool; [`Store::conn`] lends a connection, [`Store::begin`]
//!   a transaction. Queries are methods of [`Conn`], which a [`Tx`] also is:
//!   the same query runs within a transaction or without.
//! - Every query names who acts. What that subject may not read is
//!   [`StoreError::NotFound`]; what it may read but not change is
//!   [`StoreError::Forbidden`].
//! - A change, its audit entry ([`Tx::audit`]) and its notification
//!   ([`Tx::notify`]) commit together or not at all.
//! - Rows are the truth; [`Store::listen`] only wakes up.
//!
//! One file per noun holds its row type and its queries; `organizations` is
//! the plainest example to copy.

mod audit;
mod checkout;
mod cols;
mod conn;
mod error;
mod hold;
mod listen;
mod migrate;
mod organizations;
mod row;
mod sessions;
mod tls;
mod tx;
mod users;

pub mod access_lists;
pub mod ai;
pub mod api_keys;
pub mod app_stats;
pub mod audit_list;
pub mod chats;
pub mod crypto_keys;
pub mod custom_roles;
pub mod deployment_stats;
pub mod embedded;
pub mod files;
pub mod form_owner;
pub mod git_ssh_keys;
pub mod groups;
pub mod mcp_servers;
pub mod mcp_tokens;
pub mod memberships;
pub mod notifications;
pub mod organization_changes;
pub mod port_shares;
pub mod provisioner_daemons;
pub mod provisioner_job_facts;
pub mod provisioner_job_logs;
pub mod provisioner_jobs;
pub mod seal;
pub mod site_configs;
pub mod template_usage;
pub mod template_version_contents;
pub mod template_versions;
pub mod templates;
pub mod user_changes;
pub mod user_skills;
pub mod webpush;
pub mod workspace_agents;
pub mod workspace_apps;
pub mod workspace_builds;
pub mod workspace_resources;
pub mod workspaces;

pub use audit::{AuditAction, AuditDiff, AuditEntry, FieldDiff};
pub use conn::{Conn, Store};
pub use error::StoreError;
pub use hold::Held;
pub use listen::Listener;
pub use migrate::{MigrateError, schema_fingerprint};
pub use organizations::{MemberRow, OrganizationRef, OrganizationRow};
pub use row::FromRow;
pub use sessions::{KeyUse, SESSIONS_CHANNEL, SessionRow};
pub use tls::AnyCertificate;
pub use tx::Tx;
pub use users::{UserFilter, UserRef, UserRow, user_object};

/// Result of a query.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
/// A point in time, UTC.
pub type Time = chrono::DateTime<chrono::Utc>;

/// "Never", as the API writes it: the year 1.
pub fn never() -> Time {
    use chrono::TimeZone as _;
    chrono::Utc
        .with_ymd_and_hms(1, 1, 1, 0, 0, 0)
        .single()
        .unwrap_or_default()
}
