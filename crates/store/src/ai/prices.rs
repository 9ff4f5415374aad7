//! What models cost.

use authz::{Action, Object, ResourceType, Subject};
use uuid::Uuid;

use super::AI_CHANNEL;
use crate::conn::Conn;
use crate::row::record;
use crate::{Result, Time, Tx};

/// Prices in millionths of a US dollar per million tokens; those that are unknown count nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prices {
    /// Read.
    pub input: Option<i64>,
    /// Written.
    pub output: Option<i64>,
    /// Read from the provider's cache.
    pub cache_read: Option<i64>,
    /// Written to the provider's cache.
    pub cache_write: Option<i64>,
}

record! {
    /// A row of `ai_model_prices`.
    pub struct PriceRow {
        /// Type of provider.
        pub provider: String,
        /// The model.
        pub model: String,
        /// `default` or `custom`.
        pub source: String,
        /// Read.
        pub input_price: Option<i64>,
        /// Written.
        pub output_price: Option<i64>,
        /// Read from the cache.
        pub cache_read_price: Option<i64>,
        /// Written to the cache.
        pub cache_write_price: Option<i64>,
        /// When it was set first.
        pub created_at: Time,
        /// When it was set last.
        pub updated_at: Time,
    }
}

impl PriceRow {
    /// The prices alone.
    pub fn prices(&self) -> Prices {
        Prices {
            input: self.input_price,
            output: self.output_price,
            cache_read: self.cache_read_price,
            cache_write: self.cache_write_price,
        }
    }
}

fn object() -> Object {
    Object::new(ResourceType::AiModelPrice)
}

impl Conn {
    /// All prices, by provider, model and source.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn ai_price_list(&self, who: &Subject) -> Result<Vec<PriceRow>> {
        who.may(Action::Read, &object())?;
        let sql = "SELECT * FROM ai_model_prices ORDER BY provider, model, source";
        self.fetch(sql, &[]).await
    }

    /// Models of organizations that have no price, as rows without one.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn ai_price_missing(&self, who: &Subject) -> Result<Vec<PriceRow>> {
        who.may(Action::Read, &object())?;
        // The first day that one of its name was there.
        let sql = "SELECT p.type AS provider, m.model, '' AS source, NULL::bigint AS input_price, \
                   NULL::bigint AS output_price, NULL::bigint AS cache_read_price, \
                   NULL::bigint AS cache_write_price, min(m.created_at) AS created_at, \
                   max(m.updated_at) AS updated_at \
                   FROM chat_model_configs m JOIN ai_providers p ON p.id = m.ai_provider_id \
                   WHERE NOT m.deleted AND NOT p.deleted GROUP BY p.type, m.model ORDER BY 1, 2";
        let mut missing: Vec<PriceRow> = self.fetch(sql, &[]).await?;
        let all = self.ai_price_list(who).await?;
        missing.retain(|row| {
            !all.iter().any(|price| {
                let names = [row.model.as_str(), undated(&row.model)];
                price.provider == row.provider && names.contains(&price.model.as_str())
            })
        });
        Ok(missing)
    }

    /// The price that counts for a model: a custom one, else the default; for a version of a day
    /// (`-20250929`, `-2025-08-07`) that has none, that of the model without the day.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn ai_price_read(
        &self,
        who: &Subject,
        provider: &str,
        model: &str,
    ) -> Result<Option<PriceRow>> {
        who.may(Action::Read, &object())?;
        // `custom` comes before `default`.
        let sql = "SELECT * FROM ai_model_prices WHERE provider = $1 AND model IN ($2, $3) \
                   ORDER BY (model = $2) DESC, source LIMIT 1";
        self.fetch_opt(sql, &[&provider, &model, &undated(model)])
            .await
    }
}

/// A model's name without the day of its version.
fn undated(model: &str) -> &str {
    let digits = |text: &str, form: &[usize]| {
        let parts: Vec<&str> = text.split('-').collect();
        parts.len() == form.len()
            && parts.iter().zip(form).all(|(part, length)| {
                part.len() == *length && part.bytes().all(|byte| byte.is_ascii_digit())
            })
    };
    for (length, form) in [(8, [8].as_slice()), (10, &[4, 2, 2])] {
        let Some(at) = model.len().checked_sub(length) else {
            continue;
        };
        if let (Some(name), Some(day)) = (model.get(..at), model.get(at..))
            && digits(day, form)
            && let Some(name) = name.strip_suffix('-')
        {
            return name;
        }
    }
    model
}

impl Tx {
    /// Takes default prices away that are not among these.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn ai_price_defaults_keep(
        &self,
        who: &Subject,
        prices: &[(&str, &str, Prices)],
    ) -> Result<u64> {
        who.may(Action::Update, &object())?;
        let (providers, models): (Vec<&str>, Vec<&str>) =
            prices.iter().map(|(p, m, _)| (*p, *m)).unzip();
        let sql = "DELETE FROM ai_model_prices WHERE source = 'default' \
                   AND (provider, model) NOT IN \
                     (SELECT p, m FROM unnest($1::text[], $2::text[]) AS t (p, m))";
        self.execute(sql, &[&providers, &models]).await
    }

    /// Sets prices of one source.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn ai_price_set(
        &self,
        who: &Subject,
        source: &str,
        prices: &[(&str, &str, Prices)],
    ) -> Result<()> {
        who.may(Action::Update, &object())?;
        let texts = |part: fn(&(&str, &str, Prices)) -> String| -> Vec<String> {
            prices.iter().map(part).collect()
        };
        let numbers = |part: fn(&Prices) -> Option<i64>| -> Vec<Option<i64>> {
            prices.iter().map(|(_, _, prices)| part(prices)).collect()
        };
        let sql = "INSERT INTO ai_model_prices (provider, model, source, input_price, \
                   output_price, cache_read_price, cache_write_price) \
                   SELECT p, m, $1, i, o, r, w FROM \
                   unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], \
                     $7::bigint[]) AS t (p, m, i, o, r, w) \
                   ON CONFLICT (provider, model, source) DO UPDATE SET \
                   input_price = excluded.input_price, output_price = excluded.output_price, \
                   cache_read_price = excluded.cache_read_price, \
                   cache_write_price = excluded.cache_write_price, updated_at = now() \
                   WHERE (ai_model_prices.input_price, ai_model_prices.output_price, \
                     ai_model_prices.cache_read_price, ai_model_prices.cache_write_price) \
                   IS DISTINCT FROM (excluded.input_price, excluded.output_price, \
                     excluded.cache_read_price, excluded.cache_write_price)";
        self.execute(
            sql,
            &[
                &source,
                &texts(|(provider, ..)| (*provider).to_owned()),
                &texts(|(_, model, _)| (*model).to_owned()),
                &numbers(|p| p.input),
                &numbers(|p| p.output),
                &numbers(|p| p.cache_read),
                &numbers(|p| p.cache_write),
            ],
        )
        .await?;
        self.notify(AI_CHANNEL, "prices").await
    }

    /// An id that stands for the price book in the audit log.
    pub fn ai_price_book() -> Uuid {
        Uuid::nil()
    }
}

#[cfg(test)]
mod tests {
    use super::undated;

    #[test]
    fn days_of_versions_are_left_out() {
        for (model, name) in [
            ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
            ("gpt-5-2025-08-07", "gpt-5"),
            ("gpt-5", "gpt-5"),
            ("gpt-4-0613", "gpt-4-0613"),
            ("20250929", "20250929"),
            ("é-2025-08-07", "é"),
            ("x-éééé", "x-éééé"),
            ("", ""),
        ] {
            assert_eq!(undated(model), name);
        }
    }
}
