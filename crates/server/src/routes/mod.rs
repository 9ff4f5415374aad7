//! The routes, a file per noun. Each exports `router()`, merged here.
//!
//! A handler takes what it needs by extractors ([`crate::Actor`] closes it to
//! strangers), calls one rule of `control`, and answers with [`crate::Json`].

mod organizations;

use axum::Router;

use crate::{ApiError, AppState};

/// Everything below `/api/v2`.
pub(crate) fn api() -> Router<AppState> {
    Router::new()
        .merge(organizations::router())
        .fallback(|| async { ApiError::no_route() })
}
