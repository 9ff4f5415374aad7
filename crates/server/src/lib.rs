//! The HTTP side of the control plane: routes by noun, WebSockets, the table
//! of options, and `run`, which is `coder server`. No rules of its own: a
//! handler translates and calls `control`.

mod agent_conn;
mod agent_rpc;
mod apps;
mod auth;
mod binaries;
mod chats;
mod error;
mod events;
mod extract;
mod health;
mod jwt;
mod middleware;
pub mod options;
mod router;
mod routes;
mod run;
mod socket;
mod state;
mod tailnet;
mod webpush;
mod within;
mod ws;

pub use agent_rpc::LiveAgents;
pub use apps::Apps;
pub use auth::{Actor, CookiePolicy, MaybeActor};
pub use binaries::{Binaries, BinarySource};
pub use chats::start as start_chats;
pub use error::ApiError;
pub use extract::{Json, MAX_JSON_BODY, Pagination, Path, Query, QueryParams, read_body};
pub use health::Health;
pub use middleware::{RateLimits, TrustedProxies};
pub use router::router;
pub use routes::api as api_routes;
pub use run::{Admin, Bundles, How, Places, RunError, Stop, logging, run, serve_database};
pub use state::{AppState, HttpSettings};
pub use tailnet::{Tailnet, TailnetSettings};
