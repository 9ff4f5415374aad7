//! What groups and their members spent this month.

use authz::{Action, Subject};
use uuid::Uuid;

use crate::conn::Conn;
use crate::groups::GroupRow;
use crate::row::record;
use crate::{Result, StoreError, Time};

record! {
    /// What a group spent.
    pub struct GroupSpendRow {
        /// The group.
        pub group_id: Uuid,
        /// Since the beginning of the month.
        pub spend_micros: i64,
        /// Budget of each member.
        pub spend_limit_micros: Option<i64>,
        /// Budget of all members that are counted for the group, overrides in their place.
        pub total_spend_limit_micros: Option<i64>,
    }
}

record! {
    /// What a member spent for a group.
    pub struct MemberSpendRow {
        /// The member.
        pub user_id: Uuid,
        /// Since the beginning of the month.
        pub spend_micros: i64,
    }
}

record! {
    /// What a user spent on a day.
    pub struct SpendDayRow {
        /// The user.
        pub user_id: Uuid,
        /// Its name.
        pub username: String,
        /// Its address.
        pub email: String,
        /// The group it was counted for.
        pub group_name: String,
        /// The day, as midnight in UTC.
        pub day: Time,
        /// In millionths of a US dollar.
        pub spend_micros: i64,
    }
}

/// The highest budget of each user of an organization's groups ($1 = group ids).
const SPENDS: &str = "WITH wanted AS (SELECT unnest($1::uuid[]) AS group_id), \
    members AS ( \
      SELECT gm.user_id, gm.group_id FROM group_members gm \
      UNION ALL SELECT om.user_id, om.organization_id FROM organization_members om), \
    budgets AS ( \
      SELECT DISTINCT ON (m.user_id) m.user_id, b.group_id, b.spend_limit_micros \
      FROM members m JOIN group_ai_budgets b ON b.group_id = m.group_id \
      JOIN groups g ON g.id = b.group_id \
      ORDER BY m.user_id, b.spend_limit_micros DESC, g.name, g.id), \
    effective AS ( \
      SELECT user_id, group_id, spend_limit_micros FROM user_ai_budget_overrides \
      UNION ALL SELECT b.* FROM budgets b WHERE NOT EXISTS \
        (SELECT 1 FROM user_ai_budget_overrides o WHERE o.user_id = b.user_id)) \
    SELECT w.group_id, \
      COALESCE((SELECT sum(s.spend_micros)::bigint FROM ai_user_daily_spend s \
        WHERE s.effective_group_id = w.group_id \
        AND s.day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date), 0) AS spend_micros, \
      b.spend_limit_micros, \
      CASE WHEN b.group_id IS NOT NULL THEN \
        COALESCE((SELECT sum(e.spend_limit_micros)::bigint FROM effective e \
          WHERE e.group_id = w.group_id), 0) END AS total_spend_limit_micros \
    FROM wanted w LEFT JOIN group_ai_budgets b ON b.group_id = w.group_id";

impl Conn {
    /// What these groups, which the subject may read, spent this month.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a group that the subject may not read.
    pub async fn ai_group_spend(
        &self,
        who: &Subject,
        groups: &[GroupRow],
    ) -> Result<Vec<GroupSpendRow>> {
        for group in groups {
            who.may(Action::Read, &group.object())
                .map_err(|_| StoreError::NotFound)?;
        }
        let ids: Vec<Uuid> = groups.iter().map(|group| group.id).collect();
        self.fetch(SPENDS, &[&ids]).await
    }

    /// What the members of a group spent for it this month; members without spending too.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the subject may not read the group.
    pub async fn ai_member_spend(
        &self,
        who: &Subject,
        group: &GroupRow,
    ) -> Result<Vec<MemberSpendRow>> {
        who.may(Action::Read, &group.object())
            .map_err(|_| StoreError::NotFound)?;
        let sql = "WITH members AS ( \
                     SELECT user_id FROM group_members WHERE group_id = $1 \
                     UNION SELECT user_id FROM organization_members WHERE organization_id = $1) \
                   SELECT m.user_id, COALESCE(sum(s.spend_micros)::bigint, 0) AS spend_micros \
                   FROM members m JOIN users u ON u.id = m.user_id AND NOT u.deleted \
                     AND NOT u.is_system \
                   LEFT JOIN ai_user_daily_spend s ON s.user_id = m.user_id \
                     AND s.effective_group_id = $1 \
                     AND s.day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date \
                   GROUP BY m.user_id ORDER BY m.user_id";
        self.fetch(sql, &[&group.id]).await
    }

    /// What the users of an organization spent, by day, for those who may update its groups.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn ai_spend_days(
        &self,
        who: &Subject,
        organization: Uuid,
        from: Time,
        to: Time,
    ) -> Result<Vec<SpendDayRow>> {
        let all = authz::Object::new(authz::ResourceType::Group).org(organization);
        who.may(Action::Update, &all)
            .map_err(|_| StoreError::NotFound)?;
        let sql = "SELECT s.user_id, u.username, u.email, g.name AS group_name, \
                   s.day::timestamp AT TIME ZONE 'UTC' AS day, s.spend_micros \
                   FROM ai_user_daily_spend s JOIN groups g ON g.id = s.effective_group_id \
                   JOIN users u ON u.id = s.user_id \
                   WHERE g.organization_id = $1 \
                   AND s.day >= ($2 AT TIME ZONE 'UTC')::date \
                   AND s.day < ($3 AT TIME ZONE 'UTC')::date \
                   ORDER BY s.day, u.username_lower, g.name";
        self.fetch(sql, &[&organization, &from, &to]).await
    }
}
