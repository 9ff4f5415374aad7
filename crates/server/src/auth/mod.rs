//! Who sends a request.
//!
//! `token` finds the credential, a middleware opens the session once per
//! request, and the extractors [`Actor`] and [`MaybeActor`] hand it to handlers.

mod actor;
mod agent;
mod cookie;
mod token;

pub use actor::{Actor, MaybeActor, RequestOrigin};
pub(crate) use actor::{Identity, identify, origin, signed_out};
pub(crate) use agent::AgentActor;
pub use cookie::{CookiePolicy, SESSION_COOKIE};
pub(crate) use cookie::{get as cookie_value, session as session_cookie};
pub use token::Source;
pub(crate) use token::{SESSION_HEADER, explicit as explicit_token, find as find_token};
