//! Who is told that a budget is nearly used up, and that it is: the person whose it is, and those who
//! can raise it. Told by the call that crossed the line, with the same commit that records what it
//! cost; again only if the limit was raised and the new line is crossed, or in another month.

use api_types::{
    AI_BUDGET_REACHED, AI_BUDGET_REACHED_ADMIN, AI_BUDGET_WARNING, AI_BUDGET_WARNING_ADMIN,
    NotificationKind,
};
use authz::Subject;
use chrono::{DateTime, Datelike, Months, Utc};
use store::ai::BudgetSource;
use store::groups::GroupRef;
use store::notifications::NewNotice;
use store::{StoreError, Tx, UserRef};
use uuid::Uuid;

use crate::budget::dollars;

/// Picture of such a message.
const ICON: &str = "DEFAULT_ICON_OTHER";

/// A part of a budget in percent, and what the person and administrators are told there.
type Line = (i64, &'static NotificationKind, &'static NotificationKind);

/// Where they are told.
const LINES: [Line; 2] = [
    (85, &AI_BUDGET_WARNING, &AI_BUDGET_WARNING_ADMIN),
    (100, &AI_BUDGET_REACHED, &AI_BUDGET_REACHED_ADMIN),
];

/// What someone was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Who.
    pub user: Uuid,
    /// The first line.
    pub title: String,
    /// The rest.
    pub body: String,
}

/// Tells of the lines that `cost`, which is part of what was spent for `group` by now, crossed.
pub(crate) async fn tell(
    tx: &Tx,
    who: &Subject,
    user: Uuid,
    organization: Uuid,
    group: Option<Uuid>,
    cost: i64,
) -> Result<Vec<Notice>, StoreError> {
    let budget = tx
        .ai_budget_effective(who, user, Some(organization))
        .await?;
    // Counted for another group since, it crossed nothing there.
    let budget = budget.filter(|budget| Some(budget.group_id) == group);
    let Some((budget, (limit, source))) = budget.and_then(|b| Some((b, b.limit?))) else {
        return Ok(Vec::new());
    };
    let spent = budget.spent_micros;
    let crossed = crossed(spent, cost, limit);
    if crossed.is_empty() {
        return Ok(Vec::new());
    }
    let person = tx.user_read(who, &UserRef::Id(user)).await?;
    let group = tx.group_read(who, GroupRef::Id(budget.group_id)).await?;
    let administrators = tx.budget_administrators(who, user).await?;
    let mut told = Vec::new();
    for (percent, own, of_others) in crossed {
        let labels = [
            ("threshold", &*percent.to_string()),
            ("limit", &dollars(limit)),
            ("username", &person.username),
            ("effective_group_name", &group.name),
            (
                "limit_source",
                match source {
                    BudgetSource::User => "set for this person",
                    BudgetSource::Group => "that of a group",
                },
            ),
            ("period_end", &next_month(Utc::now())),
        ];
        let targets = [user, budget.group_id];
        let one = std::iter::once((user, own, &targets[1..]));
        let others = administrators
            .iter()
            .map(|id| (*id, of_others, &targets[..]));
        for (user, kind, targets) in one.chain(others) {
            let (title, body) = kind.text(&labels);
            let notice = NewNotice {
                template: kind.id,
                targets,
                title: &title,
                content: &body,
                icon: ICON,
            };
            if tx.inbox_add(who, user, &notice).await? {
                told.push(Notice { user, title, body });
            }
        }
    }
    Ok(told)
}

/// The lines that spending `cost` more, which made it `spent`, crossed.
fn crossed(spent: i64, cost: i64, limit: i64) -> Vec<Line> {
    let crossed = |line: &Line| crosses(spent, cost, limit, line.0);
    LINES.into_iter().filter(crossed).collect()
}

/// Whether spending `cost` more, which made it `spent`, crossed so many percent of `limit`.
fn crosses(spent: i64, cost: i64, limit: i64, percent: i64) -> bool {
    let line = i128::from(limit) * i128::from(percent);
    let at = |spent: i64| i128::from(spent) * 100;
    limit > 0 && at(spent) >= line && at(spent.saturating_sub(cost)) < line
}

/// The day on which the next month begins.
fn next_month(now: DateTime<Utc>) -> String {
    let today = now.date_naive();
    let first = today.with_day(1).unwrap_or(today);
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    next.format("%-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_crossed_once() {
        assert!(crosses(85, 1, 100, 85) && crosses(100, 100, 100, 85));
        assert!(!crosses(86, 1, 100, 85) && !crosses(84, 84, 100, 85));
        // Nobody crosses what is nothing, and nothing overflows.
        assert!(!crosses(5, 5, 0, 85));
        assert!(crosses(i64::MAX, i64::MAX, i64::MAX, 100));
    }

    #[test]
    fn months_end_in_the_next() {
        let at = |text: &str| next_month(text.parse().unwrap());
        assert_eq!(at("2026-12-31T23:59:59Z"), "1 January 2027");
        assert_eq!(at("2026-02-01T00:00:00Z"), "1 March 2026");
    }
}
