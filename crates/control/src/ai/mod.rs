//! Model providers and their keys, models of organizations, prices and budgets.

mod budgets;
mod model_config;
mod model_overrides;
mod models;
mod price_book;
mod prices;
mod provider_settings;
mod providers;
mod user_keys;

pub(crate) use models::{entry as model_entry, find as find_model};
pub use prices::AiPriceQuery;
