//! Requests of other origins: apps of the same owner may ask each other, others may not.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::Url;

use super::host::{AppLabel, WildcardHost};

const METHODS: HeaderValue = HeaderValue::from_static("HEAD, GET, POST, PUT, PATCH, DELETE");

/// Headers with which an app would rule over requests of other origins itself.
const RULES: &[HeaderName] = &[
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
];
/// What an answer varies by when they are in force.
const VARIES: &[&str] = &[
    "origin",
    "access-control-request-method",
    "access-control-request-methods",
    "access-control-request-headers",
];

/// Where a request comes from, seen from an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// The app itself, no page at all, or a page that no app can be.
    Elsewhere,
    /// Another app of the same owner.
    SameOwner,
    /// An app of somebody else.
    OtherOwner,
}

/// Judges the `Origin` of a request to `app` at `host`.
pub(super) fn origin(
    headers: &HeaderMap,
    host: &WildcardHost,
    app: &AppLabel,
    own_label: &str,
) -> From {
    let text = headers.get(header::ORIGIN).and_then(|o| o.to_str().ok());
    let Some(origin) = text.and_then(|text| Url::parse(text).ok()) else {
        return From::Elsewhere;
    };
    let Some(label) = origin.host_str().and_then(|origin| host.label(origin)) else {
        return From::Elsewhere;
    };
    if label.eq_ignore_ascii_case(own_label) {
        return From::Elsewhere;
    }
    match AppLabel::parse(label) {
        Some(other) if other.owner.eq_ignore_ascii_case(&app.owner) => From::SameOwner,
        _ => From::OtherOwner,
    }
}

/// Whether a request asks only what would be allowed.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Removes an app's own rules from its answer.
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in RULES {
        headers.remove(name);
    }
    let lines: Vec<HeaderValue> = headers.get_all(header::VARY).iter().cloned().collect();
    headers.remove(header::VARY);
    for line in lines {
        let Ok(text) = line.to_str() else { continue };
        let kept: Vec<&str> = text
            .split(',')
            .map(str::trim)
            .filter(|name| !VARIES.contains(&name.to_ascii_lowercase().as_str()))
            .collect();
        if !kept.is_empty()
            && let Ok(value) = HeaderValue::try_from(kept.join(", "))
        {
            headers.append(header::VARY, value);
        }
    }
}

/// Adds our rules to an answer to a page at `request`'s origin.
pub(super) fn allow(request: &HeaderMap, answer: &mut HeaderMap, preflight: bool) {
    let Some(origin) = request.get(header::ORIGIN) else {
        return;
    };
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    answer.insert(
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    answer.append(header::VARY, HeaderValue::from_static("Origin"));
    if preflight {
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        if let Some(wanted) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_told_apart() {
        let host = WildcardHost::parse("*.apps.example.com").unwrap();
        let own = "code--dev--ann";
        let app = AppLabel::parse(own).unwrap();
        let from = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, HeaderValue::from_static(text));
            origin(&headers, &host, &app, own)
        };
        assert_eq!(
            from("https://x--other--Ann.apps.example.com:1"),
            From::SameOwner
        );
        for other in [
            "https://x--dev--bob.apps.example.com",
            "https://nonsense.apps.example.com",
        ] {
            assert_eq!(from(other), From::OtherOwner, "{other}");
        }
        for elsewhere in [
            "https://code--dev--ann.apps.example.com",
            "https://example.com",
            "null",
            "x",
        ] {
            assert_eq!(from(elsewhere), From::Elsewhere, "{elsewhere}");
        }
    }

    #[test]
    fn an_apps_own_rules_do_not_pass() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
        headers.append(header::VARY, HeaderValue::from_static("Origin, Accept"));
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        strip(&mut headers);
        assert_eq!(headers.get_all(header::VARY).iter().count(), 1);
        assert_eq!(headers[header::VARY], "Accept");
        assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}
