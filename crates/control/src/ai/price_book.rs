//! List prices of models, as data: `price_book.csv` beside this file, whose first line says where it
//! comes from and of which day it is (`scripts/price-book.py` makes it). What an administrator sets
//! wins over it. A model that is not in it has no price: its calls cost "unknown", which is not
//! nothing, and is counted by the metric of unpriced calls.

use store::ai::Prices;

/// Millionths of a US dollar per million tokens; an empty field is unknown.
const BOOK: &str = include_str!("price_book.csv");

/// Where the book comes from, and of which day it is.
pub(super) fn source() -> &'static str {
    BOOK.lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches(['#', ' '])
}

/// The prices: type of provider, model, prices. Rows that cannot be read are left out; a test sees to
/// it that there are none.
pub(super) fn entries() -> Vec<(&'static str, &'static str, Prices)> {
    rows().filter_map(Result::ok).collect()
}

fn rows() -> impl Iterator<Item = Result<(&'static str, &'static str, Prices), &'static str>> {
    BOOK.lines().skip(2).map(|line| row(line).ok_or(line))
}

fn row(line: &'static str) -> Option<(&'static str, &'static str, Prices)> {
    let mut fields = line.split(',');
    let (provider, model) = (fields.next()?, fields.next()?);
    let mut price = || match fields.next()? {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    };
    let prices = Prices {
        input: price()?,
        output: price()?,
        cache_read: price()?,
        cache_write: price()?,
    };
    fields.next().is_none().then_some((provider, model, prices))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_each_model_stands_once() {
        let mut names = std::collections::BTreeSet::new();
        for row in rows() {
            let (provider, model, prices) = row.unwrap();
            assert!(llm::ProviderType::parse(provider).is_some(), "{provider}");
            assert!(names.insert((provider, model)), "{provider} {model}");
            let known = [
                prices.input,
                prices.output,
                prices.cache_read,
                prices.cache_write,
            ];
            assert!(known.iter().flatten().all(|price| *price >= 0), "{model}");
            assert!(prices.input.is_some() && prices.output.is_some(), "{model}");
        }
        assert!(names.len() > 1000);
        for known in [
            ("anthropic", "claude-sonnet-4-5"),
            ("openai", "gpt-4.1"),
            ("google", "gemini-2.5-pro"),
        ] {
            assert!(names.contains(&known), "{known:?}");
        }
    }

    #[test]
    fn the_book_says_where_it_comes_from() {
        assert!(source().contains(" from ") && source().contains(" on 20"));
    }
}
