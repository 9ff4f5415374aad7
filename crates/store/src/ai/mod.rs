//! Model providers and their keys, models of organizations, prices, budgets, and records of use.

mod budgets;
mod interceptions;
mod model_overrides;
mod models;
mod prices;
mod providers;
mod reservations;
mod spend;
mod user_keys;

pub use budgets::{Budget, BudgetRow, BudgetSource, MAX_SPEND_LIMIT, NOT_IN_GROUP, OverrideRow};
pub use interceptions::{Ended, Interception, PricedUsage};
pub use model_overrides::{OverrideFields, UserOverrideFields};
pub use models::{MODEL_DEFAULT, ModelFields, ModelRow};
pub use prices::{PriceRow, Prices};
pub use providers::{PROVIDER_NAME_TAKEN, ProviderFields, ProviderKeyRow, ProviderRow};
pub use spend::{GroupSpendRow, MemberSpendRow, SpendDayRow};
pub use user_keys::UserKeyRow;

/// Channel on which changes of providers, keys, models and prices are announced; the payload names
/// what changed.
pub const AI_CHANNEL: &str = "ai_config";
