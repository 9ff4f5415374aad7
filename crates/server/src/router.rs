//! All routes under their layers.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn_with_state, map_request};
use axum::routing::get;
use http::StatusCode;

use crate::apps::{divert, start};
use crate::middleware::{gate, outer, redirect};
use crate::within::Within;
use crate::{ApiError, AppState, routes};

/// The whole application.
pub fn router(state: AppState) -> Router {
    let api = routed(state.clone());
    let inner = api.clone().layer(from_fn_with_state(state.clone(), outer));
    let within = Within::new(inner, &state.control.settings().access_url);
    // Layers of a router see a request when its route is chosen already; one
    // around it comes before.
    Router::new()
        .merge(routes::mcp::router(state.clone(), within))
        .fallback_service(api)
        .layer(map_request(collapse_slashes))
        // Apps get their paths as they are.
        .layer(from_fn_with_state(state.clone(), redirect))
        .layer(from_fn_with_state(state.clone(), divert))
        .layer(from_fn_with_state(state, outer))
}

/// Several slashes count as one: people and scripts glue URLs together.
async fn collapse_slashes(mut request: Request) -> Request {
    let path = request.uri().path();
    if !path.contains("//") {
        return request;
    }
    let mut single = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !single.ends_with('/') {
            single.push(c);
        }
    }
    if let Some(query) = request.uri().query() {
        single.push('?');
        single.push_str(query);
    }
    if let Ok(uri) = single.parse() {
        *request.uri_mut() = uri;
    }
    request
}

fn routed(state: AppState) -> Router {
    let gate = from_fn_with_state(state.clone(), gate);
    Router::new()
        .nest("/api/v2", routes::api())
        .nest("/api/experimental", routes::experimental())
        .route("/api/v2/", get(routes::deployment::hello))
        .merge(routes::pages::router())
        .merge(start::router())
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
        .with_state(state)
}
