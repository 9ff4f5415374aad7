//! From the dashboard's host to an app's: a key for apps travels once, encrypted, and becomes a
//! cookie of the hosts of apps.

use axum::extract::{OriginalUri, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono::Utc;
use url::Url;

use super::host::{AppLabel, WildcardHost};
use super::page::Page;
use super::sealed_key;
use crate::{ApiError, AppState, MaybeActor, QueryParams};

/// `GET /applications/auth-redirect`: sends a browser back to an app with a key for it.
pub(crate) async fn auth_redirect(
    State(state): State<AppState>,
    MaybeActor(actor): MaybeActor,
    OriginalUri(uri): OriginalUri,
    params: QueryParams,
) -> Result<Response, ApiError> {
    let mut to = check_redirect(&state, params.text("redirect_uri"))?;
    let Some(actor) = actor else {
        let here = uri.path_and_query().map_or("", |path| path.as_str());
        let here: String = url::form_urlencoded::byte_serialize(here.as_bytes()).collect();
        return Ok(Redirect::to(&format!("/login?redirect={here}")).into_response());
    };
    let key = state
        .control
        .app_key_create(&actor.who, &actor.session)
        .await?;
    let sealed = sealed_key::seal(state.apps.sealing_keys(), key.expose(), Utc::now()).await?;
    to.query_pairs_mut().append_pair(sealed_key::PARAM, &sealed);
    let mut response = Redirect::to(to.as_str()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    Ok(response)
}

/// A URL of an app of ours; a key goes nowhere else.
fn check_redirect(state: &AppState, text: &str) -> Result<Url, ApiError> {
    let bad = |detail: &str| {
        ApiError::bad_request("Invalid redirect_uri query parameter.")
            .with_field("redirect_uri", detail)
    };
    if text.is_empty() {
        return Err(bad("must be set"));
    }
    let mut url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    let own = &state.control.settings().access_url;
    let is_app = state
        .apps
        .host()
        .zip(url.host_str())
        .and_then(|(wildcard, host)| wildcard.label(host))
        // Another host below the wildcard may be anybody's.
        .is_some_and(|label| AppLabel::parse(label).is_some());
    let is_dashboard = url.host_str() == own.host_str();
    let plain = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !is_app || is_dashboard || !plain {
        return Err(bad("must be the URL of an app of this deployment"));
    }
    if url.port().is_some() && url.port_or_known_default() != own.port_or_known_default() {
        return Err(bad("must have the port of the access URL"));
    }
    // Cannot fail between http and https.
    let _ = url.set_scheme(own.scheme());
    Ok(url)
}

/// Takes a key that a browser brings along to an app's host. Some answer if there was one.
pub(super) async fn take_key(
    state: &AppState,
    wildcard: &WildcardHost,
    parts: &Parts,
) -> Option<Response> {
    let query = parts.uri.query()?;
    let pairs = || url::form_urlencoded::parse(query.as_bytes());
    let (_, sealed) = pairs().find(|(name, _)| name == sealed_key::PARAM)?;
    let key = match sealed_key::open(state.apps.sealing_keys(), &sealed, Utc::now()).await {
        Ok(key) => key,
        Err(error) => return Some(ApiError::from(error).into_response()),
    };
    let rest = pairs().filter(|(name, _)| name != sealed_key::PARAM);
    let rest: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(rest)
        .finish();
    // One slash in front: two would name another host.
    let path = parts.uri.path().trim_start_matches(['/', '\\']);
    let to = if rest.is_empty() {
        format!("/{path}")
    } else {
        format!("/{path}?{rest}")
    };
    let Some(key) = key else {
        let page = Page::new(
            StatusCode::BAD_REQUEST,
            "Sign-in has expired",
            "The link that signs you in is good for one minute and for this deployment only.",
        );
        return Some(page.link(&to, "Try again").response(&parts.headers));
    };
    let mut response = Redirect::to(&to).into_response();
    let policy = state.http.cookies;
    let domain = match wildcard.domain() {
        // Browsers refuse a cookie for a whole top-level domain.
        domain if domain.contains('.') => format!("; Domain=.{domain}"),
        _ => String::new(),
    };
    let secure = if policy.secure { "; Secure" } else { "" };
    let same_site = if policy.same_site_none { "None" } else { "Lax" };
    let text = format!(
        "{}={key}; Path=/; HttpOnly; SameSite={same_site}{domain}{secure}",
        wildcard.session_cookie()
    );
    super::proxy::set_cookie(&mut response, HeaderValue::try_from(text).ok());
    Some(response)
}
