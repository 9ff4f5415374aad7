//! What is left of the person's AI budget, where it nears its end.

use api_types::UserAiSpendStatus;

use crate::session::Session;

/// From which part of it on, in percent, that is said: as the server tells it too.
const WARN: i128 = 85;

/// Says so, if it does. A server that does not tell is no reason to fail.
pub async fn tell(session: &Session) {
    let Ok(client) = session.client() else {
        return;
    };
    if let Ok(status) = client.ai_spend("me").await
        && let Some(text) = warning(&status)
    {
        session.note(&session.style_err.warn(&text));
    }
}

fn warning(status: &UserAiSpendStatus) -> Option<String> {
    let limit = status.effective_budget.as_ref()?.spend_limit_micros;
    let spent = status.current_spend_micros;
    if i128::from(spent) * 100 < i128::from(limit) * WARN {
        return None;
    }
    let again = status.period_end.format("%-d %B");
    let of = dollars(limit);
    Some(if spent >= limit {
        format!(
            "Your AI budget of {of} for this month is used up: models answer again on {again} (UTC), \
             or when an administrator raises it."
        )
    } else {
        let percent = i128::from(spent) * 100 / i128::from(limit.max(1));
        format!("{percent}% of your AI budget of {of} for this month is used.")
    })
}

fn dollars(micros: i64) -> String {
    format!("${}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000)
}

#[cfg(test)]
mod tests {
    use api_types::AiBudgetLimit;

    use super::*;

    #[test]
    fn it_is_said_near_the_end() {
        let at = |limit: Option<i64>, spent| {
            let period_end = "2026-12-01T00:00:00Z".parse().unwrap();
            warning(&UserAiSpendStatus {
                user_id: uuid::Uuid::nil(),
                effective_group_id: None,
                effective_budget: limit.map(|spend_limit_micros| AiBudgetLimit {
                    limit_source: "group".to_owned(),
                    spend_limit_micros,
                }),
                current_spend_micros: spent,
                period_start: period_end,
                period_end,
            })
        };
        assert_eq!(at(None, 1_000_000), None);
        assert_eq!(at(Some(10_000_000), 8_499_999), None);
        assert_eq!(
            at(Some(10_000_000), 9_990_000).unwrap(),
            "99% of your AI budget of $10.00 for this month is used."
        );
        for (limit, spent) in [(10_000_000, 10_000_000), (0, 0), (i64::MAX, i64::MAX)] {
            let said = at(Some(limit), spent).unwrap();
            assert!(
                said.contains("is used up: models answer again on 1 December"),
                "{said}"
            );
        }
    }
}
