//! What models cost.

use api_types::{AiModelPrice, UpsertAiModelPrices};

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
}
