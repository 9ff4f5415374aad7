//! How templates are used, and what they say of themselves: what one chooses a template by.

use std::collections::HashMap;

use uuid::Uuid;

use crate::conn::Conn;
use crate::{Result, Time};

/// Workspaces used longer ago do not count.
const LOOK_BACK_DAYS: i32 = 60;
/// Characters of a README that are read; people write less.
const MAX_README: i32 = 64 << 10;

/// How one user and others use a template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TemplateUsage {
    /// The user's workspaces of it that were used lately.
    pub workspaces: i64,
    /// The user's deleted ones that were used lately.
    pub deleted: i64,
    /// When the user used one of them last.
    pub last_used_at: Option<Time>,
    /// How many users have a workspace of it.
    pub developers: i64,
}

impl Conn {
    /// How `user` and others use templates of a list that the caller may read.
    pub async fn template_usage(
        &self,
        ids: &[Uuid],
        user: Uuid,
    ) -> Result<HashMap<Uuid, TemplateUsage>> {
        let sql = "SELECT w.template_id, \
                count(*) FILTER (WHERE own AND NOT w.deleted), \
                count(*) FILTER (WHERE own AND w.deleted), \
                max(w.last_used_at) FILTER (WHERE own), \
                count(DISTINCT w.owner_id) FILTER (WHERE NOT w.deleted AND NOT u.is_system) \
             FROM workspaces w JOIN users u ON u.id = w.owner_id, LATERAL ( \
                SELECT w.owner_id = $2 AND w.last_used_at > now() - make_interval(days => $3) \
             ) AS mine (own) \
             WHERE w.template_id = ANY ($1) GROUP BY w.template_id";
        let rows = self.query(sql, &[&ids, &user, &LOOK_BACK_DAYS]).await?;
        rows.iter()
            .map(|row| {
                let usage = TemplateUsage {
                    workspaces: row.try_get(1)?,
                    deleted: row.try_get(2)?,
                    last_used_at: row.try_get(3)?,
                    developers: row.try_get(4)?,
                };
                Ok((row.try_get(0)?, usage))
            })
            .collect()
    }

    /// What the active versions of templates say of themselves; templates of a list that the
    /// caller may read.
    pub async fn template_readmes(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, String>> {
        let sql = "SELECT t.id, left(v.readme, $2) FROM templates t \
             JOIN template_versions v ON v.id = t.active_version_id WHERE t.id = ANY ($1)";
        let rows = self.query(sql, &[&ids, &MAX_README]).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }
}
