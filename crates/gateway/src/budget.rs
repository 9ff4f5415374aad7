//! Budgets, enforced before a call.

use llm::{Error, ErrorKind};
use store::Conn;
use store::ai::{Budget, BudgetSource};
use uuid::Uuid;

use crate::{Inner, database};

/// Status of a refusal, as the gateway says it to other tools.
const REFUSED: u16 = 403;

impl Inner {
    /// What counts for the user; an error when it is used up.
    pub(crate) async fn within_budget(
        &self,
        conn: &Conn,
        user: Uuid,
        organization: Uuid,
    ) -> Result<Option<Budget>, Error> {
        let budget = conn
            .ai_budget_effective(&self.who, user, Some(organization))
            .await
            .map_err(database)?;
        if let Some(Budget {
            limit: Some((limit, source)),
            spent_micros,
            ..
        }) = budget
            && spent_micros >= limit
        {
            let whose = match source {
                BudgetSource::User => "your AI budget",
                BudgetSource::Group => "the AI budget of your group",
            };
            return Err(Error::new(
                ErrorKind::UsageLimit,
                format!(
                    "You have used up {whose} of {} for this month. It starts again on the first of the next month (UTC); an administrator can raise it.",
                    dollars(limit)
                ),
            )
            .status(REFUSED));
        }
        Ok(budget)
    }
}

fn dollars(micros: i64) -> String {
    format!("${}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000)
}

#[cfg(test)]
mod tests {
    use super::dollars;

    #[test]
    fn amounts_are_readable() {
        assert_eq!(dollars(0), "$0.00");
        assert_eq!(dollars(12_345_678), "$12.34");
    }
}
