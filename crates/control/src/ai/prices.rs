//! What models cost.

use api_types::{AiModelPrice, UpsertAiModelPrices};
use authz::{Subject, System};
use llm::ProviderType;
use store::ai::{PriceRow, Prices};
use store::{AuditAction, AuditEntry, Tx};

use crate::{Control, Error, Result};

/// Most prices of one request.
const MAX_PRICES: usize = 10_000;

/// Which prices are asked for; what is empty does not narrow.
#[derive(Debug, Clone, Default)]
pub struct AiPriceQuery {
    /// Type of provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// `default`, `custom`, `all`, `unpriced`, or empty for those that count.
    pub source: String,
}

impl Control {
    /// Prices: those that count, or of the asked source `default` or `custom`, or `all`. The source
    /// `unpriced` tells which models of organizations have none: what they cost is unknown.
    pub async fn ai_price_list(
        &self,
        who: &Subject,
        query: &AiPriceQuery,
    ) -> Result<Vec<AiModelPrice>> {
        let source = query.source.as_str();
        let conn = self.store().conn().await?;
        let mut rows = match source {
            "" | "all" | "default" | "custom" => conn.ai_price_list(who).await?,
            "unpriced" => conn.ai_price_missing(who).await?,
            _ => {
                let text = format!(
                    "Source {source:?} is not supported. Supported sources: default, custom, all, \
                     unpriced."
                );
                let error = Error::invalid("Invalid AI model price source.");
                return Err(error.with_field("source", text));
            }
        };
        let asked = |asked: &str, is: &str| asked.is_empty() || asked == is;
        rows.retain(|row| {
            asked(&query.provider, &row.provider)
                && asked(&query.model, &row.model)
                && (!matches!(source, "default" | "custom") || row.source == source)
        });
        if source.is_empty() {
            // Of a model with both, `custom` comes before `default` and counts.
            rows.dedup_by(|b, a| (&a.provider, &a.model) == (&b.provider, &b.model));
        }
        Ok(rows.into_iter().map(shown).collect())
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
