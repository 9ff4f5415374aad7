//! Where a request may carry its credential, in order.

use axum::http::{HeaderMap, Uri, header};

use super::cookie::{self, CookiePolicy, SESSION_COOKIE};

/// Header with a session token: an API key, or an agent's token.
pub const SESSION_HEADER: &str = "coder-session-token";

/// Where a token was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The session cookie: sent by browsers on their own.
    Cookie,
    /// Header, query or bearer: sent on purpose.
    Explicit,
}

/// The first token that a request carries: cookie, query `coder_session_token`,
/// header, bearer, query `access_token`.
pub fn find(uri: &Uri, headers: &HeaderMap, policy: CookiePolicy) -> Option<(String, Source)> {
    if let Some(token) = cookie::session(headers, policy).filter(|token| !token.is_empty()) {
        return Some((token.to_owned(), Source::Cookie));
    }
    explicit(uri, headers).map(|token| (token, Source::Explicit))
}

/// The first token that is not in a cookie.
pub(crate) fn explicit(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    query(uri, SESSION_COOKIE)
        .or_else(|| Some(headers.get(SESSION_HEADER)?.to_str().ok()?.to_owned()))
        .filter(|token| !token.is_empty())
        .or_else(|| bearer(headers))
        .or_else(|| query(uri, "access_token"))
        .filter(|token| !token.is_empty())
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

fn query(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query()?;
    // Most requests carry none; looking is cheaper than parsing.
    if !query.contains(name) {
        return None;
    }
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| (k.parse().unwrap(), HeaderValue::from_static(v)))
            .collect()
    }

    #[test]
    fn order() {
        let policy = CookiePolicy::default();
        let uri: Uri = "/x?coder_session_token=q&access_token=a".parse().unwrap();
        let all = headers(&[
            ("cookie", "a=b; coder_session_token=c"),
            ("coder-session-token", "h"),
            ("authorization", "Bearer b"),
        ]);
        let found = |uri: &Uri, h: &HeaderMap| find(uri, h, policy).map(|(token, _)| token);
        assert_eq!(found(&uri, &all).as_deref(), Some("c"));
        let no_cookie = headers(&[("coder-session-token", "h"), ("authorization", "Bearer b")]);
        assert_eq!(found(&uri, &no_cookie).as_deref(), Some("q"));
        let bare: Uri = "/x?access_token=a".parse().unwrap();
        assert_eq!(found(&bare, &no_cookie).as_deref(), Some("h"));
        assert_eq!(
            found(&bare, &headers(&[("authorization", "bearer b")])).as_deref(),
            Some("b")
        );
        assert_eq!(found(&bare, &HeaderMap::new()).as_deref(), Some("a"));
        assert_eq!(
            found(
                &"/x".parse().unwrap(),
                &headers(&[("authorization", "Basic b")])
            ),
            None
        );
    }
}
