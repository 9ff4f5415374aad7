//! What calls of models under way may cost: reserved of a budget before, given back at their end.

use authz::{Action, Object, ResourceType, Subject};
use chrono::Utc;
use uuid::Uuid;

use crate::{Result, Time, Tx};

impl Tx {
    /// Lets no other transaction look at the budget of `user` until this one ends. Comes before
    /// [`crate::Conn::ai_budget_effective`] where something is to be reserved.
    ///
    /// # Errors
    /// As for any query.
    pub async fn ai_budget_lock(&self, user: Uuid) -> Result<()> {
        self.lock(&format!("ai budget of {user}")).await
    }

    /// Reserves `amount` of what `user` may spend for `group`, for the call `id`, until the call ends
    /// or until `expires`. What expired is forgotten beside.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn ai_budget_reserve(
        &self,
        who: &Subject,
        id: Uuid,
        user: Uuid,
        group: Uuid,
        amount: i64,
        expires: Time,
    ) -> Result<()> {
        let object = Object::new(ResourceType::AibridgeInterception);
        who.may(Action::Create, &object)?;
        let sql = "DELETE FROM ai_budget_reservations WHERE user_id = $1 AND expires_at <= $2";
        self.execute(sql, &[&user, &Utc::now()]).await?;
        let sql = "INSERT INTO ai_budget_reservations (interception_id, user_id, \
                   effective_group_id, amount_micros, expires_at) VALUES ($1, $2, $3, $4, $5)";
        self.execute(sql, &[&id, &user, &group, &amount, &expires])
            .await?;
        Ok(())
    }
}
