//! What models cost, and what of a budget is used.

use api_types::{AiModelPrice, UpsertAiModelPrices, UserAiSpendStatus};

use crate::{Client, Error};

impl Client {
    /// Prices of a type of provider and a model, of a source; what is empty does not narrow.
    pub async fn ai_prices(
        &self,
        provider: &str,
        model: &str,
        source: &str,
    ) -> Result<Vec<AiModelPrice>, Error> {
        let mut call = self.get("/api/experimental/ai/model-prices");
        for (name, value) in [("provider", provider), ("model", model), ("source", source)] {
            if !value.is_empty() {
                call = call.query(name, value);
            }
        }
        call.decode().await
    }

    /// Sets prices of models; others keep theirs.
    pub async fn ai_prices_set(&self, prices: &UpsertAiModelPrices) -> Result<(), Error> {
        self.post("/api/experimental/ai/model-prices")
            .json(prices)
            .done()
            .await
    }

    /// What a user (an id, a name or `me`) spent on models this month, and its budget.
    pub async fn ai_spend(&self, user: &str) -> Result<UserAiSpendStatus, Error> {
        self.get(&format!("/api/v2/users/{user}/ai/spend"))
            .decode()
            .await
    }
}
