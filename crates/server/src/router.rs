//! All routes under their layers.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use http::StatusCode;

use crate::middleware::{gate, outer};
use crate::{ApiError, AppState, routes};

/// The whole application.
pub fn router(state: AppState) -> Router {
    let gate = from_fn_with_state(state.clone(), gate);
    Router::new()
        .nest("/api/v2", routes::api())
        .merge(routes::pages::router())
        .fallback(|| async { ApiError::no_route() })
        .method_not_allowed_fallback(|| async {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "Method not allowed on this route.",
            )
        })
        .layer(gate)
        // Without accounts: peers prove themselves by their keys, and agents have to be fetched
        // before they can sign in.
        .merge(routes::derp::router())
        .merge(routes::binaries::router())
        // Asked by load balancers, every second: nothing stands before it.
        .route("/healthz", get(|| async { "OK" }))
        .layer(from_fn_with_state(state.clone(), outer))
        .with_state(state)
}
