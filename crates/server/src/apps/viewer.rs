//! Who asks for an app: keys for apps first, so that an app's own credentials are left to it.

use std::sync::Arc;

use authz::{Origin, Subject};
use axum::http::{HeaderMap, Uri, header};
use control::apps::AccessMethod;
use control::sessions::{KEY_ID_LEN, KEY_SECRET_LEN, Session, SessionError};

use super::headers::PATH_COOKIE;
use crate::AppState;
use crate::auth::{SESSION_COOKIE, SESSION_HEADER, cookie_value, session_cookie};

/// Keys of one request that are looked at.
const MAX_KEYS: usize = 4;

/// A signed-in user at an app.
pub(super) struct Viewer {
    pub(super) who: Subject,
    pub(super) session: Arc<Session>,
}

/// Whether the `Authorization` header holds a key of ours, and not something of the app's.
pub(super) fn has_bearer(headers: &HeaderMap) -> bool {
    bearer(headers).is_some()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && is_key(token)).then_some(token)
}

/// Whether a text has the form of a key.
fn is_key(text: &str) -> bool {
    text.split_once('-').is_some_and(|(id, secret)| {
        id.len() == KEY_ID_LEN
            && secret.len() == KEY_SECRET_LEN
            && [id, secret]
                .iter()
                .all(|part| part.bytes().all(|b| b.is_ascii_alphanumeric()))
    })
}

/// The keys that a request carries, in the order in which they count.
fn keys(state: &AppState, method: AccessMethod, uri: &Uri, headers: &HeaderMap) -> Vec<String> {
    let mut keys = Vec::new();
    let mut add =
        |key: Option<&str>| keys.extend(key.filter(|key| !key.is_empty()).map(str::to_owned));
    match (method, state.apps.host()) {
        (AccessMethod::Subdomain, Some(host)) => add(cookie_value(headers, &host.session_cookie())),
        (AccessMethod::Subdomain, None) => {}
        (AccessMethod::Path | AccessMethod::Terminal, _) => {
            add(cookie_value(headers, PATH_COOKIE));
            add(session_cookie(headers, state.http.cookies));
        }
    }
    let query = uri.query().unwrap_or_default();
    let in_query = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == SESSION_COOKIE)
        .map(|(_, value)| value.into_owned());
    add(in_query.as_deref());
    add(headers
        .get(SESSION_HEADER)
        .and_then(|value| value.to_str().ok()));
    add(bearer(headers));
    keys.truncate(MAX_KEYS);
    keys
}

/// The user of a request; none if no key is good.
pub(super) async fn viewer(
    state: &AppState,
    method: AccessMethod,
    uri: &Uri,
    headers: &HeaderMap,
    origin: Origin,
) -> Result<Option<Viewer>, control::Error> {
    let origin = Arc::new(origin);
    for key in keys(state, method, uri, headers) {
        match state.control.session_open(&key, origin.ip, true).await {
            Ok(session) => {
                let who = session.who.clone().with_origin(origin);
                return Ok(Some(Viewer { who, session }));
            }
            Err(SessionError::Failed(error)) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_ours_are_taken_from_authorization() {
        let has = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::AUTHORIZATION,
                axum::http::HeaderValue::from_static(text),
            );
            has_bearer(&headers)
        };
        assert!(has("Bearer abcdefghij-0123456789012345678901"));
        assert!(!has("Bearer eyJhbGciOi.x.y"));
        assert!(!has("Basic abcdefghij-0123456789012345678901"));
    }
}
