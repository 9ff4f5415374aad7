//! All that an agent is told about itself, in one round trip.

use std::collections::BTreeMap;

use authz::Subject;
use serde::Deserialize;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::may_serve;
use crate::cols::Cols;
use crate::conn::Conn;
use crate::{Result, StoreError};

/// What a manifest is made of.
#[derive(Debug, Clone)]
pub struct ManifestRow {
    /// Environment of what the agent runs.
    pub environment: BTreeMap<String, String>,
    /// Where sessions start.
    pub directory: String,
    /// File shown at login.
    pub motd_file: String,
    /// Its apps.
    pub apps: Vec<ManifestApp>,
    /// Its scripts.
    pub scripts: Vec<ManifestScript>,
    /// Values that it collects.
    pub metadata: Vec<ManifestMetadata>,
    /// Dev containers that it starts.
    pub devcontainers: Vec<ManifestDevcontainer>,
}

/// An app of a manifest.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "columns of the same names")]
pub struct ManifestApp {
    pub id: Uuid,
    pub url: String,
    pub external: bool,
    pub slug: String,
    pub display_name: String,
    pub command: String,
    pub icon: String,
    pub subdomain: bool,
    pub sharing_level: String,
    pub healthcheck_url: String,
    pub healthcheck_interval: i32,
    pub healthcheck_threshold: i32,
    pub health: String,
    pub hidden: bool,
}

/// A script of a manifest.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "columns of the same names")]
pub struct ManifestScript {
    pub id: Uuid,
    pub log_source_id: Uuid,
    pub log_path: String,
    pub script: String,
    pub cron: String,
    pub run_on_start: bool,
    pub run_on_stop: bool,
    pub start_blocks_login: bool,
    pub timeout_seconds: i32,
    pub display_name: String,
}

/// A value of a manifest.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "columns of the same names")]
pub struct ManifestMetadata {
    pub display_name: String,
    pub key: String,
    pub script: String,
    pub interval_seconds: i64,
    pub timeout_seconds: i64,
}

/// A dev container of a manifest.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "columns of the same names")]
pub struct ManifestDevcontainer {
    pub id: Uuid,
    pub workspace_folder: String,
    pub config_path: String,
    pub name: String,
    pub subagent_id: Option<Uuid>,
}

impl Conn {
    /// What an agent's manifest is made of.
    pub async fn agent_manifest(&self, who: &Subject, agent: Uuid) -> Result<ManifestRow> {
        may_serve(who)?;
        let sql = "SELECT a.environment_variables, a.directory, a.motd_file, \
             coalesce((SELECT jsonb_agg(p ORDER BY p.display_order, p.slug) \
                FROM workspace_apps p WHERE p.agent_id = a.id), '[]'), \
             coalesce((SELECT jsonb_agg(s ORDER BY s.position) \
                FROM workspace_agent_scripts s WHERE s.workspace_agent_id = a.id), '[]'), \
             coalesce((SELECT jsonb_agg(m ORDER BY m.display_order, m.key) \
                FROM workspace_agent_metadata m WHERE m.workspace_agent_id = a.id), '[]'), \
             coalesce((SELECT jsonb_agg(d ORDER BY d.name) \
                FROM workspace_agent_devcontainers d WHERE d.workspace_agent_id = a.id), '[]') \
             FROM workspace_agents a WHERE a.id = $1";
        let row = self
            .query_opt(sql, &[&agent])
            .await?
            .ok_or(StoreError::NotFound)?;
        let mut cols = Cols::new(&row);
        Ok(ManifestRow {
            environment: cols.next::<Json<_>>()?.0,
            directory: cols.next()?,
            motd_file: cols.next()?,
            apps: cols.next::<Json<_>>()?.0,
            scripts: cols.next::<Json<_>>()?.0,
            metadata: cols.next::<Json<_>>()?.0,
            devcontainers: cols.next::<Json<_>>()?.0,
        })
    }
}
