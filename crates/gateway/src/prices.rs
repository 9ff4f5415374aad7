//! What calls cost.

use std::collections::HashMap;

use llm::Usage;
use parking_lot::Mutex;
use store::ai::Prices;

/// Prices are per so many tokens.
const PER_TOKENS: i128 = 1_000_000;
/// Most models whose prices are remembered; beyond that all are forgotten and read again.
const MAX_REMEMBERED: usize = 4096;

/// The prices of models that were called.
#[derive(Debug, Default)]
pub(crate) struct Book {
    known: Mutex<HashMap<(String, String), Option<Prices>>>,
}

impl Book {
    pub(crate) fn remember(&self, provider: &str, model: &str, prices: Option<Prices>) {
        let mut known = self.known.lock();
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert((provider.to_owned(), model.to_owned()), prices);
    }

    pub(crate) fn recall(&self, provider: &str, model: &str) -> Option<Prices> {
        self.known
            .lock()
            .get(&(provider.to_owned(), model.to_owned()))
            .copied()
            .flatten()
    }
}

/// What `usage` costs in millionths of a US dollar: each kind of token by its price, rounded down;
/// kinds without a price cost nothing.
pub fn cost_micros(prices: &Prices, usage: &Usage) -> i64 {
    let part = |tokens: u64, price: Option<i64>| {
        i128::from(tokens) * i128::from(price.unwrap_or(0)) / PER_TOKENS
    };
    let sum = part(usage.input_tokens, prices.input)
        + part(usage.output_tokens, prices.output)
        + part(usage.cache_read_tokens, prices.cache_read)
        + part(usage.cache_write_tokens, prices.cache_write);
    i64::try_from(sum).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_rounded_down() {
        let prices = Prices {
            input: Some(3_000_000),
            output: Some(15_000_000),
            cache_read: Some(300_000),
            cache_write: None,
        };
        let usage = Usage {
            input_tokens: 100,
            output_tokens: 7,
            cache_read_tokens: 5,
            cache_write_tokens: 1000,
            reasoning_tokens: 3,
        };
        // 300 + 105 + 1.5
        assert_eq!(cost_micros(&prices, &usage), 406);
        let huge = Usage {
            input_tokens: u64::MAX,
            ..usage
        };
        let dear = Prices {
            input: Some(i64::MAX),
            ..prices
        };
        assert_eq!(cost_micros(&dear, &huge), i64::MAX);
    }
}
