//! Who asks, and whether it may ask at all.

use std::net::{IpAddr, Ipv6Addr};

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
        && csrf::is_suspect(
            request.method(),
            request.uri(),
            request.headers(),
            *source,
            state.http.cookies,
        )
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
            let client = ip.map_or_else(String::new, |ip| counted_as(ip).to_string());
            state.limits.count(class, &client, path)
        }
    })
}

/// The address that stands for a client who is not signed in: of IPv6 the network of 64 bits, within
/// which one client chooses its address as it likes.
fn counted_as(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// The class of a request, by its path.
fn class(method: &Method, uri: &Uri) -> Limit {
    // The forms of the pages take passwords as the API does.
    if *method == Method::POST && matches!(uri.path(), "/login" | "/setup") {
        return Limit::Login;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_limited_wherever_they_are_sent() {
        let of = |method: Method, path: &str| class(&method, &path.parse().unwrap());
        for path in [
            "/login",
            "/setup",
            "/login?redirect=x",
            "/api/v2/users/login",
        ] {
            assert_eq!(of(Method::POST, path), Limit::Login, "{path}");
        }
        assert_eq!(of(Method::GET, "/login"), Limit::Api);
        assert_eq!(of(Method::PUT, "/api/v2/users/me/password"), Limit::Login);
        assert_eq!(of(Method::GET, "/api/v2/files/x"), Limit::Files);
    }

    #[test]
    fn clients_are_counted_by_what_they_cannot_choose() {
        let of = |ip: &str| counted_as(ip.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("2001:db8:1:2::1"), "2001:db8:1:2::");
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
