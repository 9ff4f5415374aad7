//! Budgets, enforced before a call: what is spent and what calls under way may still cost, against
//! the limit.
//!
//! A call is let in while that sum is below the limit, and what it may cost at most is reserved with
//! the same commit. So calls made at the same time, by however many replicas, go beyond the limit by
//! no more than what the last of them may cost.

use std::time::Duration;

use chrono::Utc;
use llm::{Error, ErrorKind};
use store::ai::{Budget, BudgetSource, Interception};
use store::{Conn, Tx};
use uuid::Uuid;

use crate::{Inner, database};

/// Status of a refusal, as the gateway says it to other tools.
const REFUSED: u16 = 403;
/// Status while others may use up what is left.
const WAIT: u16 = 429;
/// When to ask again then: about as long as a short answer takes.
const WAIT_TIME: Duration = Duration::from_secs(3);
/// How long a reservation holds whose call is never heard of again, as its server died. A call that
/// takes longer still pays at its end.
const RESERVED_MINUTES: i64 = 30;

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
        match budget {
            Some(Budget {
                limit: Some((limit, source)),
                spent_micros,
                ..
            }) if spent_micros >= limit => {
                self.metrics.refused("used_up");
                Err(used_up(limit, source))
            }
            budget => Ok(budget),
        }
    }

    /// Begins the record of a call that may cost `amount`, and reserves that where the user has a
    /// limit.
    pub(crate) async fn begin_within(
        &self,
        call: &Interception<'_>,
        organization: Uuid,
        amount: i64,
    ) -> Result<(), Error> {
        let tx = self.store.begin(&self.who).await.map_err(database)?;
        tx.ai_budget_lock(call.initiator).await.map_err(database)?;
        let budget = self
            .within_budget(&tx, call.initiator, organization)
            .await?;
        if let Some(budget) = budget {
            self.reserve(&tx, call, budget, amount).await?;
        }
        tx.interception_begin(&self.who, call)
            .await
            .map_err(database)?;
        tx.commit().await.map_err(database)
    }

    async fn reserve(
        &self,
        tx: &Tx,
        call: &Interception<'_>,
        budget: Budget,
        amount: i64,
    ) -> Result<(), Error> {
        let Some((limit, _)) = budget.limit else {
            return Ok(());
        };
        let taken = budget.spent_micros.saturating_add(budget.reserved_micros);
        if taken >= limit {
            self.metrics.refused("reserved");
            return Err(wait(limit));
        }
        let expires = Utc::now() + chrono::Duration::minutes(RESERVED_MINUTES);
        tx.ai_budget_reserve(
            &self.who,
            call.id,
            call.initiator,
            budget.group_id,
            amount,
            expires,
        )
        .await
        .map_err(database)
    }
}

fn used_up(limit: i64, source: BudgetSource) -> Error {
    let whose = match source {
        BudgetSource::User => "your AI budget",
        BudgetSource::Group => "the AI budget of your group",
    };
    Error::new(
        ErrorKind::UsageLimit,
        format!(
            "You have used up {whose} of {} for this month. It starts again on the first of the next month (UTC); an administrator can raise it.",
            dollars(limit)
        ),
    )
    .status(REFUSED)
}

fn wait(limit: i64) -> Error {
    let mut error = Error::new(
        ErrorKind::RateLimit,
        format!(
            "Calls of models under way may use up the rest of your AI budget of {} for this month; this one waits for their end.",
            dollars(limit)
        ),
    )
    .status(WAIT);
    error.retry_after = Some(WAIT_TIME);
    error
}

pub(crate) fn dollars(micros: i64) -> String {
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
