//! What happens to every request before and after its handler.
//!
//! `outer` stamps, logs and guards; `gate` finds out who asks, refuses forged
//! and too frequent requests.

mod csrf;
mod gate;
mod outer;
mod rate_limit;
mod real_ip;
mod redirect;

pub(crate) use csrf::CSRF_COOKIE;
pub(crate) use gate::{gate, too_many};
pub(crate) use outer::{RequestInfo, outer};
pub(crate) use rate_limit::Limit;
pub use rate_limit::RateLimits;
pub use real_ip::TrustedProxies;
pub(crate) use redirect::redirect;
