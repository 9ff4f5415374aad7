//! What models cost.

use api_types::{AiModelPrice, UpsertAiModelPrices};
use authz::{Subject, System};
use llm::ProviderType;
use store::ai::{PriceRow, Prices};
use store::{AuditAction, AuditEntry, Tx};

use crate::{Control, Error, Result};

/// Most prices of one request.
const MAX_PRICES: usize = 10_000;

impl Control {
    /// All prices, or those of one source.
    pub async fn ai_price_list(&self, who: &Subject, source: &str) -> Result<Vec<AiModelPrice>> {
        if !matches!(source, "" | "default" | "custom") {
            return Err(Error::invalid("Invalid AI model price source.").with_field(
                "source",
                format!("Source {source:?} is not supported. Supported sources: default, custom."),
            ));
        }
        let rows = self.store().conn().await?.ai_price_list(who).await?;
        Ok(rows
            .into_iter()
            .filter(|row| source.is_empty() || row.source == source)
            .map(shown)
            .collect())
    }

    /// Sets custom prices; models that are not named keep theirs.
    pub async fn ai_price_set(&self, who: &Subject, request: UpsertAiModelPrices) -> Result<()> {
        let mut error = Error::invalid("Invalid AI model prices.");
        if request.prices.is_empty() {
            return Err(error.with_field("prices", "At least one model price is required."));
        }
        if request.prices.len() > MAX_PRICES {
            return Err(error.with_field("prices", format!("At most {MAX_PRICES} at once.")));
        }
        let mut seen = std::collections::BTreeSet::new();
        for (n, price) in request.prices.iter().enumerate() {
            let field = format!("prices[{n}]");
            if ProviderType::parse(&price.provider).is_none() {
                error = error.with_field(
                    &format!("{field}.provider"),
                    format!("Provider {:?} is not supported.", price.provider),
                );
            }
            if price.model.trim().is_empty() {
                error = error.with_field(&format!("{field}.model"), "Model is required.");
            }
            if !seen.insert((&price.provider, &price.model)) {
                error = error.with_field(&field, "The model is named twice.");
            }
            for (name, value) in [
                ("input_price", price.input_price),
                ("output_price", price.output_price),
                ("cache_read_price", price.cache_read_price),
                ("cache_write_price", price.cache_write_price),
            ] {
                if value.is_some_and(|value| value < 0) {
                    error = error
                        .with_field(&format!("{field}.{name}"), "A price must not be negative.");
                }
            }
        }
        if !error.validations.is_empty() {
            return Err(error);
        }
        let rows: Vec<(&str, &str, Prices)> = request
            .prices
            .iter()
            .map(|price| {
                let prices = Prices {
                    input: price.input_price,
                    output: price.output_price,
                    cache_read: price.cache_read_price,
                    cache_write: price.cache_write_price,
                };
                (price.provider.as_str(), price.model.as_str(), prices)
            })
            .collect();
        let tx = self.store().begin(who).await?;
        tx.ai_price_set(who, "custom", &rows).await?;
        let named = match rows.as_slice() {
            [(provider, model, _)] => format!("{provider}/{model}"),
            many => format!("{} models", many.len()),
        };
        let id = Tx::ai_price_book();
        let entry = AuditEntry::new(AuditAction::Write, "ai_model_price", id, &named);
        let additional = serde_json::json!({ "prices": request.prices });
        tx.audit(entry.additional(additional).status(204)).await?;
        Ok(tx.commit().await?)
    }

    /// Brings the default prices up to date; once at start.
    pub async fn ai_price_defaults(&self) -> Result<()> {
        let system = Subject::system(System::Gateway);
        let tx = self.store().begin(&system).await?;
        let book = super::price_book::entries();
        tx.ai_price_set(&system, "default", &book).await?;
        tx.ai_price_defaults_keep(&system, &book).await?;
        tx.commit().await?;
        let source = super::price_book::source();
        tracing::debug!(models = book.len(), source, "list prices of models");
        Ok(())
    }
}

fn shown(row: PriceRow) -> AiModelPrice {
    AiModelPrice {
        provider: row.provider,
        model: row.model,
        source: row.source,
        input_price: row.input_price,
        output_price: row.output_price,
        cache_read_price: row.cache_read_price,
        cache_write_price: row.cache_write_price,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
