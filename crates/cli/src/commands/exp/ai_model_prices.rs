//! `coder exp ai-model-prices`: what models cost, as costs and budgets of chats count it.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use api_types::{AiModelPrice, AiModelPriceUpsert, UpsertAiModelPrices};
use clap::{Args as ClapArgs, Subcommand};
use serde_json::Value;

use crate::say;
use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};
use crate::ui::prompt::confirm;
use crate::ui::time;

/// Bytes of a document; the server takes no longer one.
const MAX_DOCUMENT: u64 = 1 << 20;

/// See and set what models cost.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// List what models cost, in dollars per million tokens.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Set prices; they count in place of the price book's.
    Update(UpdateArgs),
}

#[derive(ClapArgs)]
struct ListArgs {
    /// Only models of this type of provider.
    #[arg(long, value_name = "type", default_value = "")]
    provider: String,

    /// Only this model.
    #[arg(long, value_name = "model", default_value = "")]
    model: String,

    /// Only prices of this source; all that a model has; or the models of chats that have none.
    #[arg(long, value_name = "source", default_value = "", hide_default_value = true,
          value_parser = ["default", "custom", "all", "unpriced", ""])]
    source: String,

    #[command(flatten)]
    listing: Listing<Prices>,
}

/// Set prices. A document is a list of prices, each with provider (a type: every provider of it shares
/// the price), model, input_price, output_price, cache_read_price and cache_write_price, in millionths
/// of a dollar per million tokens: 3000000 is $3.00. All four must be there; null is unknown and adds no
/// cost, 0 is free.
#[derive(ClapArgs)]
struct UpdateArgs {
    /// File with the document; standard input for -, or when neither it nor a model is given.
    #[arg(value_name = "file", conflicts_with_all = ["provider", "model"])]
    file: Option<PathBuf>,

    /// Type of provider of the one model to price.
    #[arg(long, value_name = "type", requires_all = ["model", "input_price", "output_price", "cache_read_price", "cache_write_price"])]
    provider: Option<String>,

    /// The model to price.
    #[arg(long, value_name = "model", requires = "provider")]
    model: Option<String>,

    /// What reading costs, or null.
    #[arg(long, value_name = "price", requires = "model", value_parser = price)]
    input_price: Option<Price>,

    /// What writing costs, or null.
    #[arg(long, value_name = "price", requires = "model", value_parser = price)]
    output_price: Option<Price>,

    /// What reading from the provider's cache costs, or null.
    #[arg(long, value_name = "price", requires = "model", value_parser = price)]
    cache_read_price: Option<Price>,

    /// What writing to the provider's cache costs, or null.
    #[arg(long, value_name = "price", requires = "model", value_parser = price)]
    cache_write_price: Option<Price>,

    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// A price as a flag gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Price(Option<i64>);

fn price(text: &str) -> Result<Price, String> {
    if text == "null" {
        return Ok(Price(None));
    }
    match text.parse() {
        Ok(price @ 0..) => Ok(Price(Some(price))),
        _ => Err("a price is a whole number of millionths of a dollar, or null".to_owned()),
    }
}

struct Prices;
impl Table for Prices {
    type Row = AiModelPrice;
    const COLUMNS: &'static [Column<AiModelPrice>] = &[
        Column::new("provider", |p| p.provider.clone()),
        Column::new("model", |p| p.model.clone()),
        Column::new("input price", |p| dollars(p.input_price)),
        Column::new("output price", |p| dollars(p.output_price)),
        Column::new("cache read price", |p| dollars(p.cache_read_price)),
        Column::new("cache write price", |p| dollars(p.cache_write_price)),
        Column::new("source", |p| p.source.clone()),
        Column::new("created at", |p| time::rfc3339(p.created_at)),
        Column::new("updated at", |p| time::rfc3339(p.updated_at)),
    ];
    const DEFAULT: &'static [&'static str] = &[
        "provider",
        "model",
        "input price",
        "output price",
        "cache read price",
        "cache write price",
        "source",
    ];
}

/// Millionths as dollars, with as many digits as they need.
fn dollars(micros: Option<i64>) -> String {
    let Some(micros) = micros else {
        return "-".to_owned();
    };
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let short = text.trim_end_matches('0');
    let digits = short.len().max(text.len() - 4);
    format!("${}", &text[..digits])
}

/// Runs the subcommand.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::List(args) => list(args, session).await,
        Sub::Update(args) => update(args, session).await,
    }
}

async fn list(args: ListArgs, session: &Session) -> Result<()> {
    let prices = session
        .client()?
        .ai_prices(&args.provider, &args.model, &args.source)
        .await
        .context("list model prices")?;
    if prices.is_empty() && args.listing.format() != Format::Json {
        session.note("No model prices found.");
        return Ok(());
    }
    args.listing.print(&prices, &prices)
}

async fn update(args: UpdateArgs, session: &Session) -> Result<()> {
    let client = session.client()?;
    let (wanted, asked) = read(&args)?;
    let now = client.ai_prices("", "", "").await;
    let now = now.context("list model prices")?;
    let changes = changes(&wanted, &now);
    if changes.is_empty() {
        return say!("No changes to apply.");
    }
    for change in &changes {
        session.note(change);
    }
    // Standard input was read to its end: nobody can answer there.
    confirm("Apply?", args.yes || asked)?;
    let request = UpsertAiModelPrices { prices: wanted };
    let set = client.ai_prices_set(&request).await;
    set.context("update model prices")?;
    say!("Updated prices for {} model(s).", changes.len())
}

/// The prices that are to be, and whether they came by standard input.
fn read(args: &UpdateArgs) -> Result<(Vec<AiModelPriceUpsert>, bool)> {
    if let (Some(provider), Some(model)) = (&args.provider, &args.model) {
        let of = |price: Option<Price>| price.and_then(|price| price.0);
        let one = AiModelPriceUpsert {
            provider: provider.clone(),
            model: model.clone(),
            input_price: of(args.input_price),
            output_price: of(args.output_price),
            cache_read_price: of(args.cache_read_price),
            cache_write_price: of(args.cache_write_price),
        };
        return Ok((vec![one], false));
    }
    let file = args.file.as_deref().filter(|file| file.as_os_str() != "-");
    let mut text = String::new();
    let read = match file {
        Some(file) => std::fs::File::open(file)
            .and_then(|file| file.take(MAX_DOCUMENT + 1).read_to_string(&mut text))
            .with_context(|| format!("read {}", file.display()))?,
        None => std::io::stdin()
            .take(MAX_DOCUMENT + 1)
            .read_to_string(&mut text)
            .context("read standard input")?,
    };
    ensure!(
        read as u64 <= MAX_DOCUMENT,
        "the document is longer than 1 MiB"
    );
    Ok((document(&text)?, file.is_none()))
}

/// A document: every price must be there, so that none is forgotten.
fn document(text: &str) -> Result<Vec<AiModelPriceUpsert>> {
    let entries: Vec<Value> =
        serde_json::from_str(text).context("the document must be a JSON array of prices")?;
    let mut prices = Vec::new();
    for (n, entry) in entries.into_iter().enumerate() {
        let names = [
            "provider",
            "model",
            "input_price",
            "output_price",
            "cache_read_price",
            "cache_write_price",
        ];
        let Some(fields) = entry.as_object() else {
            bail!("price {n} is no object");
        };
        for name in names {
            ensure!(
                fields.contains_key(name),
                "price {n} has no {name}; write null for a price that is unknown"
            );
        }
        if let Some(odd) = fields.keys().find(|name| !names.contains(&name.as_str())) {
            bail!("price {n} has an unknown field {odd:?}");
        }
        prices.push(serde_json::from_value(entry).with_context(|| format!("price {n}"))?);
    }
    ensure!(!prices.is_empty(), "the document holds no prices");
    Ok(prices)
}

/// What will be other than now, a line each.
fn changes(wanted: &[AiModelPriceUpsert], now: &[AiModelPrice]) -> Vec<String> {
    let four = |a, b, c, d| [a, b, c, d].map(dollars).join(" / ");
    let mut lines = Vec::new();
    for price in wanted {
        let name = format!("{}/{}", price.provider, price.model);
        let new = four(
            price.input_price,
            price.output_price,
            price.cache_read_price,
            price.cache_write_price,
        );
        let old = now
            .iter()
            .find(|old| old.provider == price.provider && old.model == price.model)
            .map(|old| {
                four(
                    old.input_price,
                    old.output_price,
                    old.cache_read_price,
                    old.cache_write_price,
                )
            });
        match old {
            Some(old) if old == new => {}
            Some(old) => lines.push(format!("~ {name}: {old} -> {new}")),
            None => lines.push(format!("+ {name}: {new}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_shown_in_dollars() {
        for (micros, text) in [
            (Some(3_000_000), "$3.00"),
            (Some(75_000), "$0.075"),
            (Some(0), "$0.00"),
            (Some(1_234_567), "$1.234567"),
            (None, "-"),
        ] {
            assert_eq!(dollars(micros), text);
        }
    }

    #[test]
    fn documents_are_whole_or_refused() {
        let whole = r#"[{"provider":"openai","model":"m","input_price":1,"output_price":0,
            "cache_read_price":null,"cache_write_price":null}]"#;
        let prices = document(whole).unwrap();
        assert_eq!(
            (prices[0].input_price, prices[0].cache_read_price),
            (Some(1), None)
        );
        for bad in [
            "",
            "{}",
            "[]",
            "[1]",
            &whole.replace("\"output_price\":0,", ""),
            &whole.replace("null}", "null,\"x\":1}"),
            &whole.replace(":1,", ":\"1\","),
        ] {
            assert!(document(bad).is_err(), "{bad}");
        }
        assert_eq!(price("null"), Ok(Price(None)));
        assert!(price("-1").is_err() && price("1.5").is_err());
    }

    #[test]
    fn only_what_changes_is_told() {
        let wanted = document(
            r#"[{"provider":"a","model":"m","input_price":1000000,"output_price":2000000,
            "cache_read_price":null,"cache_write_price":null}]"#,
        )
        .unwrap();
        assert_eq!(changes(&wanted, &[]), ["+ a/m: $1.00 / $2.00 / - / -"]);
        let now = chrono::Utc::now();
        let mut old = AiModelPrice {
            provider: "a".into(),
            model: "m".into(),
            source: "default".into(),
            input_price: Some(1_000_000),
            output_price: Some(2_000_000),
            cache_read_price: None,
            cache_write_price: None,
            created_at: now,
            updated_at: now,
        };
        assert!(changes(&wanted, std::slice::from_ref(&old)).is_empty());
        old.input_price = None;
        assert_eq!(
            changes(&wanted, &[old])[0],
            "~ a/m: - / $2.00 / - / - -> $1.00 / $2.00 / - / -"
        );
    }
}
