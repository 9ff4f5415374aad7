//! Who sends a request.
//!
//! `token` finds the credential, a middleware opens the session once per
//! request, and the extractors [`Actor`] and [`MaybeActor`] hand it to handlers.

mod actor;
mod agent;
mod cookie;
mod token;

pub use actor::{Actor, MaybeActor, RequestOrigin};
pub(crate) use actor::{Identity, identify};
pub(crate) use agent::AgentActor;
pub(crate) use cookie::get as cookie_value;
pub use cookie::{CookiePolicy, SESSION_COOKIE};
pub use token::Source;
pub(crate) use token::explicit as explicit_token;
