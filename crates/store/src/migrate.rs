//! Brings the schema up to date.
//!
//! All outstanding migrations run in one transaction under an advisory lock:
//! replicas that start together wait for each other, and a failure leaves the
//! schema as it was. A schema newer than this binary is refused.

use crate::conn::Conn;
use crate::{Result, StoreError};

/// The migrations, oldest first; numbers have no gaps. A released migration is
/// never edited.
const MIGRATIONS: &[(i32, &str, &str)] = &[
    (
        1,
        "identity",
        include_str!("../migrations/0001_identity.sql"),
    ),
    (
        2,
        "workspaces",
        include_str!("../migrations/0002_workspaces.sql"),
    ),
    (
        3,
        "agents_runtime",
        include_str!("../migrations/0003_agents_runtime.sql"),
    ),
    (
        4,
        "custom_roles",
        include_str!("../migrations/0004_custom_roles.sql"),
    ),
    (5, "chats", include_str!("../migrations/0005_chats.sql")),
    (
        6,
        "workspace_apps",
        include_str!("../migrations/0006_workspace_apps.sql"),
    ),
    (7, "ai", include_str!("../migrations/0007_ai.sql")),
    (
        8,
        "user_skills",
        include_str!("../migrations/0008_user_skills.sql"),
    ),
    (
        9,
        "chat_context",
        include_str!("../migrations/0009_chat_context.sql"),
    ),
    (
        10,
        "chat_replicas",
        include_str!("../migrations/0010_chat_replicas.sql"),
    ),
    (
        11,
        "chat_governance",
        include_str!("../migrations/0011_chat_governance.sql"),
    ),
    (
        12,
        "mcp_servers",
        include_str!("../migrations/0012_mcp_servers.sql"),
    ),
    (
        13,
        "pull_request_reviews",
        include_str!("../migrations/0013_pull_request_reviews.sql"),
    ),
    (
        14,
        "usage_of_clients",
        include_str!("../migrations/0014_usage_of_clients.sql"),
    ),
    (
        15,
        "organization_chat_prompts",
        include_str!("../migrations/0015_organization_chat_prompts.sql"),
    ),
    (16, "inbox", include_str!("../migrations/0016_inbox.sql")),
    (
        17,
        "template_agent_instructions",
        include_str!("../migrations/0017_template_agent_instructions.sql"),
    ),
    (
        18,
        "chat_inline_mcp_servers",
        include_str!("../migrations/0018_chat_inline_mcp_servers.sql"),
    ),
    (
        19,
        "chat_queue_edits",
        include_str!("../migrations/0019_chat_queue_edits.sql"),
    ),
    (
        20,
        "chat_worker_process",
        include_str!("../migrations/0020_chat_worker_process.sql"),
    ),
];

/// Tells schemas apart: tests name their template databases by it.
#[doc(hidden)]
pub fn schema_fingerprint() -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    MIGRATIONS.hash(&mut hasher);
    hasher.finish()
}

/// Key of the advisory lock: the letters "coder" and a number of ours.
const LOCK: i64 = 0x63_6f64_6572_0001;

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer server has been here.
    #[error(
        "the database has schema version {found}, this server knows versions up to {known}: \
         it was used by a newer release. Start that release or a later one, or restore a backup \
         made before the upgrade"
    )]
    Newer {
        /// Version of the schema.
        found: i32,
        /// Newest version of this binary.
        known: i32,
    },
    /// A migration failed; the schema is as before.
    #[error("schema migration {version} ({name}) failed, nothing was changed: {source}")]
    Failed {
        /// Number of the migration.
        version: i32,
        /// Its name.
        name: &'static str,
        /// The database's answer.
        source: StoreError,
    },
    /// The database failed otherwise.
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(crate) async fn run(conn: Conn) -> Result<(), MigrateError> {
    let system = authz::Subject::system(authz::System::Core);
    let tx = crate::Tx::begin(conn, system).await?;
    let client = &tx.0;
    let setup = format!(
        "SELECT pg_advisory_xact_lock({LOCK});
         CREATE TABLE IF NOT EXISTS schema_migrations (
             version integer PRIMARY KEY,
             name text NOT NULL,
             applied_at timestamptz NOT NULL DEFAULT now()
         );"
    );
    client
        .batch_execute(&setup)
        .await
        .map_err(StoreError::from)?;
    let row = client
        .query_one(
            "SELECT coalesce(max(version), 0) FROM schema_migrations",
            &[],
        )
        .await
        .map_err(StoreError::from)?;
    let found: i32 = row.try_get(0).map_err(StoreError::from)?;
    let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    if found > known {
        return Err(MigrateError::Newer { found, known });
    }
    for &(version, name, sql) in MIGRATIONS.iter().filter(|(version, ..)| *version > found) {
        let failed = |error: tokio_postgres::Error| MigrateError::Failed {
            version,
            name,
            source: error.into(),
        };
        client.batch_execute(sql).await.map_err(failed)?;
        let note = "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)";
        client
            .execute(note, &[&version, &name])
            .await
            .map_err(failed)?;
        tracing::info!(version, name, "schema migrated");
    }
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_gaps() {
        for (i, (version, name, _)) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(*version), Ok(i + 1), "{name}");
        }
    }
}
