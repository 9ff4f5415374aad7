//! Public list prices of well-known models, in millionths of a US dollar per million tokens. What an
//! administrator sets wins over them.
//!
//! Sources: the price pages of OpenAI, Anthropic and Google. `0` for cache writes means that the
//! provider does not charge them apart.

use store::ai::Prices;

/// Cents per million tokens: read, written, read from the cache, written to the cache.
type Cents = (i64, i64, f64, i64);

const BOOK: &[(&str, &[&str], Cents)] = &[
    (
        "anthropic",
        &[
            "claude-opus-4-5",
            "claude-opus-4-5-20251101",
            "claude-opus-4-6",
            "claude-opus-4-7",
        ],
        (500, 2500, 50.0, 625),
    ),
    (
        "anthropic",
        &[
            "claude-opus-4-0",
            "claude-opus-4-20250514",
            "claude-opus-4-1",
            "claude-opus-4-1-20250805",
        ],
        (1500, 7500, 150.0, 1875),
    ),
    (
        "anthropic",
        &[
            "claude-sonnet-4-0",
            "claude-sonnet-4-20250514",
            "claude-sonnet-4-5",
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-6",
            "claude-3-7-sonnet-20250219",
            "claude-3-7-sonnet-latest",
        ],
        (300, 1500, 30.0, 375),
    ),
    (
        "anthropic",
        &["claude-haiku-4-5", "claude-haiku-4-5-20251001"],
        (100, 500, 10.0, 125),
    ),
    (
        "anthropic",
        &["claude-3-5-haiku-20241022", "claude-3-5-haiku-latest"],
        (80, 400, 8.0, 100),
    ),
    (
        "openai",
        &["gpt-5", "gpt-5.1", "gpt-5-codex", "gpt-5.1-codex"],
        (125, 1000, 12.5, 0),
    ),
    (
        "openai",
        &["gpt-5.2", "gpt-5.2-codex"],
        (175, 1400, 17.5, 0),
    ),
    (
        "openai",
        &["gpt-5-mini", "gpt-5.1-codex-mini"],
        (25, 200, 2.5, 0),
    ),
    ("openai", &["gpt-5-nano"], (5, 40, 0.5, 0)),
    ("openai", &["gpt-4.1"], (200, 800, 50.0, 0)),
    ("openai", &["gpt-4.1-mini"], (40, 160, 10.0, 0)),
    ("openai", &["gpt-4.1-nano"], (10, 40, 2.5, 0)),
    ("openai", &["gpt-4o"], (250, 1000, 125.0, 0)),
    ("openai", &["gpt-4o-mini"], (15, 60, 7.5, 0)),
    ("openai", &["o3"], (200, 800, 50.0, 0)),
    ("openai", &["o4-mini"], (110, 440, 27.5, 0)),
    ("google", &["gemini-2.5-pro"], (125, 1000, 12.5, 0)),
    ("google", &["gemini-2.5-flash"], (30, 250, 3.0, 0)),
    ("google", &["gemini-2.5-flash-lite"], (10, 40, 1.0, 0)),
];

/// Millionths of a dollar in a cent.
const MICROS: i64 = 10_000;

/// The default prices: type of provider, model, prices. Azure serves OpenAI's models at their prices.
pub(super) fn entries() -> Vec<(&'static str, &'static str, Prices)> {
    let mut all = Vec::new();
    for (provider, models, (input, output, read, write)) in BOOK {
        let prices = Prices {
            input: Some(input * MICROS),
            output: Some(output * MICROS),
            cache_read: Some((read * MICROS as f64) as i64),
            cache_write: Some(write * MICROS),
        };
        for model in *models {
            all.push((*provider, *model, prices));
            if *provider == "openai" {
                all.push(("azure", *model, prices));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_stands_once_and_caches_are_cheaper() {
        let all = entries();
        let names: std::collections::BTreeSet<_> = all.iter().map(|(p, m, _)| (*p, *m)).collect();
        assert_eq!(names.len(), all.len());
        for (provider, model, prices) in all {
            assert!(
                prices.cache_read < prices.input && prices.input < prices.output,
                "{provider} {model}"
            );
        }
    }
}
