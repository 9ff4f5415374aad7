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
    /// A page that hides its origin and may be an app of somebody else.
    Hidden,
}

/// Says of the page that asks, seen from the host that it asks, whether that is the same
/// (`same-origin`), one below the same domain, as apps are to each other (`same-site`), or neither.
const FETCH_SITE: &str = "sec-fetch-site";

/// Judges the `Origin` of a request to `app` at `host`.
pub(super) fn origin(
    headers: &HeaderMap,
    host: &WildcardHost,
    app: &AppLabel,
    own_label: &str,
) -> From {
    match page(headers, host) {
        Page::None => From::Elsewhere,
        Page::Hidden => From::Hidden,
        Page::AtApp(label) if label.eq_ignore_ascii_case(own_label) => From::Elsewhere,
        Page::AtApp(label) if is_of(&label, &app.owner) => From::SameOwner,
        Page::AtApp(_) => From::OtherOwner,
    }
}

/// Judges the `Origin` of a request to an app of `owner` under a path of the dashboard's host, the
/// cookie of which apps at hosts of the same domain can make a browser send. `is_dashboard` tells
/// that host, which may itself be below the wildcard. No app at a host may read the answer, so none
/// is [`From::SameOwner`].
pub(super) fn origin_at_path(
    headers: &HeaderMap,
    host: &WildcardHost,
    owner: &str,
    is_dashboard: impl Fn(&str) -> bool,
) -> From {
    let dashboard = || url_host(headers).is_some_and(|host| is_dashboard(&host));
    match page(headers, host) {
        Page::Hidden => From::Hidden,
        Page::AtApp(label) if !is_of(&label, owner) && !dashboard() => From::OtherOwner,
        Page::None | Page::AtApp(_) => From::Elsewhere,
    }
}

/// Where the page that asks is.
enum Page {
    /// At no app's host, or there is none.
    None,
    /// At an app's host, with this label.
    AtApp(String),
    /// At a host that it does not tell.
    Hidden,
}

fn page(headers: &HeaderMap, host: &WildcardHost) -> Page {
    if headers.get(header::ORIGIN).is_some_and(|o| o == "null") {
        // What browsers say of a page that asks them to send no referrer, and of one in a sandbox.
        // The latter is of no site. Without the other header, which browsers of old do not send,
        // and none sends by plain HTTP, an app's own form looks like anybody's: it is hidden too.
        return match headers.get(FETCH_SITE).map(HeaderValue::as_bytes) {
            Some(b"same-origin" | b"none" | b"cross-site") => Page::None,
            _ => Page::Hidden,
        };
    }
    let label = url_host(headers).and_then(|origin| host.label(&origin).map(str::to_owned));
    label.map_or(Page::None, Page::AtApp)
}

fn url_host(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::ORIGIN)?.to_str().ok()?;
    Some(Url::parse(text).ok()?.host_str()?.to_owned())
}

/// Whether a label is that of an app of `owner`.
fn is_of(label: &str, owner: &str) -> bool {
    AppLabel::parse(label).is_some_and(|app| app.owner.eq_ignore_ascii_case(owner))
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
            "x",
        ] {
            assert_eq!(from(elsewhere), From::Elsewhere, "{elsewhere}");
        }
    }

    #[test]
    fn an_app_under_a_path_knows_the_apps_at_hosts() {
        let host = WildcardHost::parse("*.example.com").unwrap();
        let from = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, HeaderValue::from_static(text));
            origin_at_path(&headers, &host, "ann", |host| host == "coder.example.com")
        };
        for other in [
            "https://x--dev--bob.example.com",
            "https://nonsense.example.com",
        ] {
            assert_eq!(from(other), From::OtherOwner, "{other}");
        }
        for fine in [
            "https://coder.example.com",
            "https://x--dev--Ann.example.com",
            "https://example.org",
        ] {
            assert_eq!(from(fine), From::Elsewhere, "{fine}");
        }
    }

    #[test]
    fn a_hidden_origin_counts_by_its_site() {
        let host = WildcardHost::parse("*.apps.example.com").unwrap();
        let own = "code--dev--ann";
        let app = AppLabel::parse(own).unwrap();
        for (site, from) in [
            (Some("same-origin"), From::Elsewhere),
            (Some("none"), From::Elsewhere),
            (Some("cross-site"), From::Elsewhere),
            (Some("same-site"), From::Hidden),
            (Some("x"), From::Hidden),
            (None, From::Hidden),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, HeaderValue::from_static("null"));
            if let Some(site) = site {
                headers.insert(FETCH_SITE, HeaderValue::from_static(site));
            }
            assert_eq!(origin(&headers, &host, &app, own), from, "{site:?}");
            assert_eq!(origin_at_path(&headers, &host, "ann", |_| false), from);
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
