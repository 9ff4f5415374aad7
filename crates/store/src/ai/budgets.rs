//! What members may spend on models in a month.

use authz::{Action, Subject};
use serde::Serialize;
use uuid::Uuid;

use crate::conn::Conn;
use crate::groups::GroupRow;
use crate::row::record;
use crate::users::user_object;
use crate::{Result, StoreError, Time, Tx};

/// The highest limit: a million dollars.
pub const MAX_SPEND_LIMIT: i64 = 1_000_000_000_000;
/// Name of the conflict when a user shall be counted for a group of others.
pub const NOT_IN_GROUP: &str = "user_ai_budget_overrides_must_be_group_member";

record! {
    /// The budget of each member of a group.
    pub struct BudgetRow {
        /// The group.
        pub group_id: Uuid,
        /// In millionths of a US dollar per month.
        pub spend_limit_micros: i64,
        /// When it was made.
        pub created_at: Time,
        /// When it was last changed.
        pub updated_at: Time,
    }
}

record! {
    /// The budget of one user.
    pub struct OverrideRow {
        /// The user.
        pub user_id: Uuid,
        /// The group for which it is counted.
        pub group_id: Uuid,
        /// In millionths of a US dollar per month.
        pub spend_limit_micros: i64,
        /// When it was made.
        pub created_at: Time,
        /// When it was last changed.
        pub updated_at: Time,
    }
}

/// Where a limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum BudgetSource {
    /// Set for the user.
    User,
    /// The highest of its groups.
    Group,
}

/// What counts for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// For which group its spending is counted; that of everyone when no budget says another.
    pub group_id: Uuid,
    /// The limit, if there is one, and where it comes from.
    pub limit: Option<(i64, BudgetSource)>,
    /// Spent for that group since the beginning of the month (UTC).
    pub spent_micros: i64,
    /// What calls under way may cost beside that.
    pub reserved_micros: i64,
}

/// Groups of `users` (an array) as `memberships (user_id, group_id, organization_id)`.
const MEMBERSHIPS: &str = "SELECT m.user_id, m.organization_id AS group_id, m.organization_id \
    FROM organization_members m WHERE m.user_id = $1 \
    UNION ALL SELECT gm.user_id, gm.group_id, gm.organization_id FROM group_members gm \
    WHERE gm.user_id = $1";

impl Conn {
    /// The budget of a group that the subject may read.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn group_ai_budget_read(&self, who: &Subject, group: &GroupRow) -> Result<BudgetRow> {
        who.may(Action::Read, &group.object())
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT * FROM group_ai_budgets WHERE group_id = $1";
        self.fetch_one(sql, &[&group.id]).await
    }

    /// The override of a user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, or the subject may not read the user.
    pub async fn user_ai_budget_read(&self, who: &Subject, user: Uuid) -> Result<OverrideRow> {
        who.may(Action::Read, &user_object(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT * FROM user_ai_budget_overrides WHERE user_id = $1";
        self.fetch_one(sql, &[&user]).await
    }

    /// What counts for a user: its override, else the highest budget of its groups (ties by name,
    /// then id), else none, counted for everyone of `organization` (or of the default one). `None`
    /// for a user without any organization.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read the user.
    pub async fn ai_budget_effective(
        &self,
        who: &Subject,
        user: Uuid,
        organization: Option<Uuid>,
    ) -> Result<Option<Budget>> {
        who.may(Action::Read, &user_object(user))
            .map_err(|_| StoreError::NotFound)?;
        let sql = format!(
            "WITH memberships AS ({MEMBERSHIPS}), \
             chosen AS ( \
               (SELECT group_id, spend_limit_micros, 0 AS rank FROM user_ai_budget_overrides \
                WHERE user_id = $1) \
               UNION ALL \
               (SELECT b.group_id, b.spend_limit_micros, 1 FROM group_ai_budgets b \
                JOIN memberships m ON m.group_id = b.group_id JOIN groups g ON g.id = b.group_id \
                ORDER BY b.spend_limit_micros DESC, g.name, g.id LIMIT 1) \
               UNION ALL \
               (SELECT m.organization_id, NULL, 2 FROM memberships m \
                JOIN organizations o ON o.id = m.organization_id AND NOT o.deleted \
                ORDER BY (m.organization_id IS NOT DISTINCT FROM $2) DESC, o.is_default DESC, \
                  o.name LIMIT 1)), \
             first AS (SELECT * FROM chosen ORDER BY rank LIMIT 1) \
             SELECT first.group_id, first.spend_limit_micros, first.rank, \
               COALESCE((SELECT sum(s.spend_micros)::bigint FROM ai_user_daily_spend s \
                 WHERE s.user_id = $1 AND s.effective_group_id = first.group_id \
                 AND s.day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date), 0), \
               COALESCE((SELECT sum(r.amount_micros)::bigint FROM ai_budget_reservations r \
                 WHERE r.user_id = $1 AND r.effective_group_id = first.group_id \
                 AND r.expires_at > now()), 0) \
             FROM first"
        );
        let Some(row) = self.query_opt(&sql, &[&user, &organization]).await? else {
            return Ok(None);
        };
        let rank: i32 = row.try_get(2)?;
        let source = if rank == 0 {
            BudgetSource::User
        } else {
            BudgetSource::Group
        };
        Ok(Some(Budget {
            group_id: row.try_get(0)?,
            limit: row
                .try_get::<_, Option<i64>>(1)?
                .map(|limit| (limit, source)),
            spent_micros: row.try_get(3)?,
            reserved_micros: row.try_get(4)?,
        }))
    }
}

impl Tx {
    /// Sets the budget of each member of a group.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub async fn group_ai_budget_set(
        &self,
        who: &Subject,
        group: &GroupRow,
        limit: i64,
    ) -> Result<BudgetRow> {
        who.may(Action::Update, &group.object())?;
        let sql = "INSERT INTO group_ai_budgets (group_id, spend_limit_micros) VALUES ($1, $2) \
                   ON CONFLICT (group_id) DO UPDATE SET \
                   spend_limit_micros = excluded.spend_limit_micros, updated_at = now() \
                   RETURNING *";
        self.fetch_one(sql, &[&group.id, &limit]).await
    }

    /// Takes the budget of a group away.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; [`StoreError::NotFound`] when there is none.
    pub async fn group_ai_budget_delete(&self, who: &Subject, group: &GroupRow) -> Result<()> {
        who.may(Action::Update, &group.object())?;
        let sql = "DELETE FROM group_ai_budgets WHERE group_id = $1";
        match self.execute(sql, &[&group.id]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Sets the budget of one user, counted for a group of which it is a member.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; a conflict named [`NOT_IN_GROUP`].
    pub async fn user_ai_budget_set(
        &self,
        who: &Subject,
        user: Uuid,
        group: &GroupRow,
        limit: i64,
    ) -> Result<OverrideRow> {
        who.may(Action::Update, &user_object(user))?;
        let sql = format!("SELECT 1 FROM ({MEMBERSHIPS}) memberships WHERE group_id = $2");
        if self.query_opt(&sql, &[&user, &group.id]).await?.is_none() {
            return Err(StoreError::Conflict {
                constraint: NOT_IN_GROUP.to_owned(),
            });
        }
        let sql = "INSERT INTO user_ai_budget_overrides (user_id, group_id, spend_limit_micros) \
                   VALUES ($1, $2, $3) ON CONFLICT (user_id) DO UPDATE SET \
                   group_id = excluded.group_id, \
                   spend_limit_micros = excluded.spend_limit_micros, updated_at = now() \
                   RETURNING *";
        self.fetch_one(sql, &[&user, &group.id, &limit]).await
    }

    /// Takes the budget of a user away.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`]; [`StoreError::NotFound`] when there is none.
    pub async fn user_ai_budget_delete(&self, who: &Subject, user: Uuid) -> Result<()> {
        who.may(Action::Update, &user_object(user))?;
        let sql = "DELETE FROM user_ai_budget_overrides WHERE user_id = $1";
        match self.execute(sql, &[&user]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }
}
