//! Budgets of groups and users, and what was spent of them.

use api_types::{
    AiBudgetLimit, GroupAiBudget, GroupAiSpend, GroupMemberAiSpend, GroupMembersAiSpend,
    OrganizationGroupAiSpend, OrganizationGroupsAiSpend, UpsertAiBudget, UserAiBudgetOverride,
    UserAiSpendStatus,
};
use authz::{Subject, System};
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};
use store::ai::{
    BudgetRow, BudgetSource, GroupSpendRow, MAX_SPEND_LIMIT, NOT_IN_GROUP, OverrideRow,
};
use store::groups::{GroupRef, GroupRow};
use store::{AuditAction, AuditDiff, AuditEntry, Conn, OrganizationRef, UserRef};
use uuid::Uuid;

use crate::groups::{GroupPath, find};
use crate::{Control, Error, Result};

const TRACKED: &[&str] = &["group_id", "spend_limit_micros"];
/// Most days of one export.
const MAX_EXPORT_DAYS: i64 = 31;

impl Control {
    /// The budget of each member of a group.
    pub async fn group_ai_budget_read(&self, who: &Subject, group: Uuid) -> Result<GroupAiBudget> {
        let conn = self.store().conn().await?;
        let row = conn.group_read(who, GroupRef::Id(group)).await?;
        Ok(budget(conn.group_ai_budget_read(who, &row).await?))
    }

    /// Sets it.
    pub async fn group_ai_budget_set(
        &self,
        who: &Subject,
        group: Uuid,
        request: UpsertAiBudget,
    ) -> Result<GroupAiBudget> {
        let limit = limit(request.spend_limit_micros)?;
        let tx = self.store().begin(who).await?;
        let row = tx.group_read(who, GroupRef::Id(group)).await?;
        let old = tx.group_ai_budget_read(who, &row).await.ok();
        let new = tx.group_ai_budget_set(who, &row, limit).await?;
        let diff = match &old {
            Some(old) => AuditDiff::between(old, &new, TRACKED, &[]),
            None => AuditDiff::between(&(), &new, TRACKED, &[]),
        };
        let entry = AuditEntry::new(AuditAction::Write, "group_ai_budget", row.id, &row.name);
        tx.audit(entry.org(row.organization_id).diff(diff)).await?;
        tx.commit().await?;
        Ok(budget(new))
    }

    /// Takes it away.
    pub async fn group_ai_budget_delete(&self, who: &Subject, group: Uuid) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let row = tx.group_read(who, GroupRef::Id(group)).await?;
        let old = tx.group_ai_budget_read(who, &row).await?;
        tx.group_ai_budget_delete(who, &row).await?;
        let diff = AuditDiff::between(&old, &(), TRACKED, &[]);
        let entry = AuditEntry::new(AuditAction::Delete, "group_ai_budget", row.id, &row.name);
        tx.audit(entry.org(row.organization_id).diff(diff).status(204))
            .await?;
        Ok(tx.commit().await?)
    }

    /// The budget of one user.
    pub async fn user_ai_budget_read(
        &self,
        who: &Subject,
        which: &UserRef,
    ) -> Result<UserAiBudgetOverride> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        Ok(own_budget(conn.user_ai_budget_read(who, user.id).await?))
    }

    /// Sets it; the group must have the user as a member.
    pub async fn user_ai_budget_set(
        &self,
        who: &Subject,
        which: &UserRef,
        request: UpsertAiBudget,
    ) -> Result<UserAiBudgetOverride> {
        let limit = limit(request.spend_limit_micros)?;
        let group = request
            .group_id
            .ok_or_else(|| Error::field("group_id", "is required"))?;
        let tx = self.store().begin(who).await?;
        let user = tx.user_read(who, which).await?;
        let no_member = || Error::field("group_id", "the user must be a member of this group");
        let row = tx
            .group_read(who, GroupRef::Id(group))
            .await
            .map_err(|_| no_member())?;
        let old = tx.user_ai_budget_read(who, user.id).await.ok();
        let new = tx
            .user_ai_budget_set(who, user.id, &row, limit)
            .await
            .map_err(|error| {
                if error.is_conflict(NOT_IN_GROUP) {
                    no_member()
                } else {
                    error.into()
                }
            })?;
        let diff = match &old {
            Some(old) => AuditDiff::between(old, &new, TRACKED, &[]),
            None => AuditDiff::between(&(), &new, TRACKED, &[]),
        };
        let entry = AuditEntry::new(
            AuditAction::Write,
            "user_ai_budget_override",
            user.id,
            &user.username,
        );
        tx.audit(entry.diff(diff)).await?;
        tx.commit().await?;
        Ok(own_budget(new))
    }

    /// Takes it away.
    pub async fn user_ai_budget_delete(&self, who: &Subject, which: &UserRef) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let user = tx.user_read(who, which).await?;
        let old = tx.user_ai_budget_read(who, user.id).await?;
        tx.user_ai_budget_delete(who, user.id).await?;
        let diff = AuditDiff::between(&old, &(), TRACKED, &[]);
        let entry = AuditEntry::new(
            AuditAction::Delete,
            "user_ai_budget_override",
            user.id,
            &user.username,
        );
        tx.audit(entry.diff(diff).status(204)).await?;
        Ok(tx.commit().await?)
    }

    /// What a user spent this month, and of what.
    pub async fn user_ai_spend(&self, who: &Subject, which: &UserRef) -> Result<UserAiSpendStatus> {
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        let status = conn.ai_budget_effective(who, user.id, None).await?;
        let (period_start, period_end) = month(Utc::now());
        Ok(UserAiSpendStatus {
            user_id: user.id,
            effective_group_id: status.map(|s| s.group_id),
            effective_budget: status.and_then(|s| s.limit).map(limit_of),
            current_spend_micros: status.map_or(0, |s| s.spent_micros),
            period_start,
            period_end,
        })
    }

    /// What a group spent this month.
    pub async fn group_ai_spend(&self, who: &Subject, group: Uuid) -> Result<GroupAiSpend> {
        let conn = self.store().conn().await?;
        let row = conn.group_read(who, GroupRef::Id(group)).await?;
        let spend = conn.ai_group_spend(who, &[row]).await?;
        let (period_start, period_end) = month(Utc::now());
        let spend = spend.into_iter().next().ok_or_else(Error::not_found)?;
        Ok(GroupAiSpend {
            group: group_spend(spend),
            period_start,
            period_end,
        })
    }

    /// What the groups of an organization spent this month.
    pub async fn organization_ai_spend(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
    ) -> Result<OrganizationGroupsAiSpend> {
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?.id;
        let rows = conn.group_list(who, Some(organization), None).await?;
        let spend = conn.ai_group_spend(who, &rows).await?;
        let (period_start, period_end) = month(Utc::now());
        Ok(OrganizationGroupsAiSpend {
            groups: spend.into_iter().map(group_spend).collect(),
            period_start,
            period_end,
        })
    }

    /// What the members of a group spent this month.
    pub async fn group_members_ai_spend(
        &self,
        who: &Subject,
        group: &GroupPath,
    ) -> Result<GroupMembersAiSpend> {
        let conn = self.store().conn().await?;
        let row = find(&conn, who, group).await?;
        let members = members(&conn, who, &row).await?;
        let (period_start, period_end) = month(Utc::now());
        Ok(GroupMembersAiSpend {
            members,
            period_start,
            period_end,
        })
    }

    /// What was spent by user and day, as CSV; `from` and `to` are days, `to` included.
    pub async fn organization_ai_spend_export(
        &self,
        who: &Subject,
        organization: &OrganizationRef,
        from: &str,
        to: &str,
    ) -> Result<String> {
        let today = Utc::now().date_naive();
        let from = day("start_date", from, today.with_day(1).unwrap_or(today))?;
        let to = day("end_date", to, today)?;
        if from > to || (to - from).num_days() >= MAX_EXPORT_DAYS {
            return Err(Error::invalid(format!(
                "The export covers at most {MAX_EXPORT_DAYS} days, and its start must not be after its end."
            )));
        }
        let conn = self.store().conn().await?;
        let organization = conn.organization_read(who, organization).await?.id;
        let end = to.checked_add_days(Days::new(1)).unwrap_or(to);
        let rows = conn
            .ai_spend_days(who, organization, midnight(from), midnight(end))
            .await?;
        let mut csv = String::from("date,user_id,username,email,group,spend_micros\n");
        for row in rows {
            let fields = [
                row.day.format("%Y-%m-%d").to_string(),
                row.user_id.to_string(),
                row.username,
                row.email,
                row.group_name,
                row.spend_micros.to_string(),
            ];
            let fields: Vec<String> = fields.iter().map(|field| csv_field(field)).collect();
            csv.push_str(&fields.join(","));
            csv.push('\n');
        }
        Ok(csv)
    }
}

/// A field that no reader takes for a formula or for several.
fn csv_field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

async fn members(conn: &Conn, who: &Subject, row: &GroupRow) -> Result<Vec<GroupMemberAiSpend>> {
    let system = Subject::system(System::Gateway);
    let mut members = Vec::new();
    for spent in conn.ai_member_spend(who, row).await? {
        let status = conn
            .ai_budget_effective(&system, spent.user_id, Some(row.organization_id))
            .await?;
        let group = match status {
            Some(status) => conn
                .group_read(&system, GroupRef::Id(status.group_id))
                .await
                .ok(),
            None => None,
        };
        members.push(GroupMemberAiSpend {
            user_id: spent.user_id,
            group_spend_micros: spent.spend_micros,
            group_budget: status
                .filter(|status| status.group_id == row.id)
                .and_then(|status| status.limit)
                .map(limit_of),
            effective_group_id: group
                .filter(|group| group.organization_id == row.organization_id)
                .map(|group| group.id),
        });
    }
    Ok(members)
}

fn limit(micros: i64) -> Result<i64> {
    if (0..=MAX_SPEND_LIMIT).contains(&micros) {
        return Ok(micros);
    }
    Err(Error::field(
        "spend_limit_micros",
        format!("must be between 0 and {MAX_SPEND_LIMIT}"),
    ))
}

fn limit_of((micros, source): (i64, BudgetSource)) -> AiBudgetLimit {
    AiBudgetLimit {
        limit_source: match source {
            BudgetSource::User => "user_override",
            BudgetSource::Group => "group",
        }
        .to_owned(),
        spend_limit_micros: micros,
    }
}

/// The month around `now`, in UTC; its end is the beginning of the next.
fn month(now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let first = now.date_naive().with_day(1).unwrap_or(now.date_naive());
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    (midnight(first), midnight(next))
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

fn day(field: &str, text: &str, usual: NaiveDate) -> Result<NaiveDate> {
    if text.is_empty() {
        return Ok(usual);
    }
    let date = text.get(..10).unwrap_or(text);
    date.parse()
        .map_err(|_| Error::query(vec![]).with_field(field, "must be a date such as 2026-01-31"))
}

fn budget(row: BudgetRow) -> GroupAiBudget {
    GroupAiBudget {
        group_id: row.group_id,
        spend_limit_micros: row.spend_limit_micros,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn own_budget(row: OverrideRow) -> UserAiBudgetOverride {
    UserAiBudgetOverride {
        user_id: row.user_id,
        group_id: row.group_id,
        spend_limit_micros: row.spend_limit_micros,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn group_spend(row: GroupSpendRow) -> OrganizationGroupAiSpend {
    OrganizationGroupAiSpend {
        group_id: row.group_id,
        current_spend_micros: row.spend_micros,
        spend_limit_micros: row.spend_limit_micros,
        total_spend_limit_micros: row.total_spend_limit_micros,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_end_where_the_next_begins() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(
            month(at("2026-12-31T23:59:59Z")),
            (at("2026-12-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))
        );
    }

    #[test]
    fn fields_are_no_formulas() {
        assert_eq!(csv_field("=1+1"), "'=1+1");
        assert_eq!(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
