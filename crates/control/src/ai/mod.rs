//! Model providers and their keys, models of organizations, prices and budgets.

mod budgets;
mod model_acls;
mod model_config;
mod model_overrides;
mod models;
mod price_book;
mod prices;
mod provider_settings;
mod providers;
mod user_keys;

pub(crate) use model_acls::{available_for, readers_of};
