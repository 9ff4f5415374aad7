//! Who asks, and whether it may ask at all.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::csrf;
use super::outer::RequestInfo;
use super::rate_limit::{Limit, RateLimits, Verdict};
use crate::auth::{Identity, identify};
use crate::{ApiError, AppState};

const BYPASS: &str = "x-coder-bypass-ratelimit";
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");

/// Opens the session and enforces what holds for the whole API.
pub(crate) async fn gate(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let ip = request
        .extensions()
        .get::<RequestInfo>()
        .and_then(|info| info.ip);
    let identity = identify(&state, request.uri(), request.headers(), ip).await;
    if let Identity::User { source, .. } = &identity
        && csrf::is_suspect(request.method(), request.uri(), request.headers(), *source)
    {
        return ApiError::bad_request("The request lacks its CSRF token.")
            .with_detail(
                "Reload the page, or send the session token in the Coder-Session-Token header.",
            )
            .into_response();
    }
    let verdict = match limited(&state, &request, &identity) {
        Ok(verdict) => verdict,
        Err(error) => return error.into_response(),
    };
    if let Some(refusal) = refusal(verdict) {
        return refusal;
    }
    request.extensions_mut().insert(identity);
    next.run(request).await
}

/// Counts a request that does not come through here; some answer if there were too many.
pub(crate) fn too_many(
    limits: &RateLimits,
    class: Limit,
    client: &str,
    path: &str,
) -> Option<Response> {
    refusal(limits.count(class, client, path))
}

fn refusal(verdict: Option<Verdict>) -> Option<Response> {
    let Some(Verdict {
        limit,
        wait: Some(wait),
    }) = verdict
    else {
        return None;
    };
    let message =
        format!("You've been rate limited for sending more than {limit} requests in 1m0s.");
    let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, message).with_retry_after(wait);
    let mut response = error.into_response();
    response
        .headers_mut()
        .insert(X_LIMIT, HeaderValue::from(limit));
    Some(response)
}

fn limited(
    state: &AppState,
    request: &Request,
    identity: &Identity,
) -> Result<Option<Verdict>, ApiError> {
    if request
        .headers()
        .get(BYPASS)
        .is_some_and(|value| value == "true")
    {
        let owner = matches!(identity, Identity::User { session, .. } if session.who.is_owner());
        return if owner {
            Ok(None)
        } else {
            Err(ApiError::new(
                StatusCode::PRECONDITION_REQUIRED,
                "Rate limit bypass is for owners only. Leave out the X-Coder-Bypass-Ratelimit header.",
            ))
        };
    }
    let path = request.uri().path();
    let class = class(request.method(), request.uri());
    Ok(match identity {
        Identity::User { session, .. } => {
            state
                .limits
                .count(class, &session.user.id.to_string(), path)
        }
        Identity::None(_) => {
            let ip = request
                .extensions()
                .get::<RequestInfo>()
                .and_then(|info| info.ip);
            let client = ip.map_or_else(String::new, |ip| ip.to_string());
            state.limits.count(class, &client, path)
        }
    })
}

/// The class of a request, by its path.
fn class(method: &Method, uri: &Uri) -> Limit {
    let path = uri.path().strip_prefix("/api/v2/").unwrap_or_default();
    let password =
        *method == Method::PUT && path.starts_with("users/") && path.ends_with("/password");
    let sign_in = [
        "users/login",
        "users/otp/",
        "users/validate-password",
        "users/oauth2/",
        "users/oidc/",
    ];
    if password || sign_in.iter().any(|prefix| path.starts_with(prefix)) {
        Limit::Login
    } else if path == "files" || path.starts_with("files/") {
        Limit::Files
    } else {
        Limit::Api
    }
}
