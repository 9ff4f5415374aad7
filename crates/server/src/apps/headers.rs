//! What of a request's and an answer's headers passes between browser and app: nothing of ours
//! reaches an app, and nothing of an app reaches beyond its place.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::host::SUBDOMAIN_COOKIE;
use crate::auth::{SESSION_COOKIE, SESSION_HEADER};

/// Cookie with a signed token.
pub(super) const SIGNED_COOKIE: &str = "coder_signed_app_token";
/// Cookie with a key for apps under a path.
pub(super) const PATH_COOKIE: &str = "coder_path_app_session_token";

/// Cookies of ours, without the prefix that browsers honour.
const OUR_COOKIES: &[&str] = &[
    SESSION_COOKIE,
    SIGNED_COOKIE,
    PATH_COOKIE,
    "oauth_state",
    "oauth_redirect",
    "oauth_pkce_verifier",
];
/// Headers of ours.
const OUR_HEADERS: &[&str] = &[
    SESSION_HEADER,
    "coder-external-proxy-token",
    "x-coder-bypass-ratelimit",
];
/// Parameters of ours in addresses.
const OUR_PARAMETERS: &[&str] = &[SESSION_COOKIE, super::sealed_key::PARAM];
/// Headers in which proxies tell who the client is.
const CLIENT_HEADERS: &[&str] = &[
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "forwarded",
];
/// Headers that are for one connection only.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// With these an answer would rule over its whole origin, which under a path is the dashboard's.
const ORIGIN_WIDE: &[&str] = &[
    "clear-site-data",
    "service-worker-allowed",
    "strict-transport-security",
    "alt-svc",
    "nel",
    "report-to",
    "reporting-endpoints",
];

/// Where an app is in its origin.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// Below this path of the dashboard's origin.
    Path(&'a str),
    /// It has an origin of its own.
    Host,
}

/// Whether a cookie is one of ours.
fn is_ours(name: &str, place: Place<'_>) -> bool {
    let plain = name
        .strip_prefix("__Host-")
        .or_else(|| name.strip_prefix("__Secure-"))
        .unwrap_or(name);
    // Its own host cannot see the forms of the dashboard; there the name is free.
    let form = matches!(place, Place::Path(_)) && plain == crate::middleware::CSRF_COOKIE;
    OUR_COOKIES.contains(&plain) || plain.starts_with(SUBDOMAIN_COOKIE) || form
}

/// The protocol that a request wants to switch to.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asks = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    asks.then(|| headers.get(header::UPGRADE).cloned())?
}

/// Removes what concerns one connection only.
fn end_to_end(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(*name);
    }
}

/// Who asks, as the app is told.
pub(super) struct Client<'a> {
    /// Its address.
    pub(super) ip: Option<IpAddr>,
    /// What trusted proxies said of those before it.
    pub(super) forwarded_for: Option<HeaderValue>,
    /// The host that it asked for.
    pub(super) host: Option<&'a HeaderValue>,
    /// It came by TLS.
    pub(super) https: bool,
}

/// Makes a request's headers fit for an app. `bearer` tells whether the `Authorization` header is
/// one of ours.
pub(super) fn clean_request(
    headers: &mut HeaderMap,
    place: Place<'_>,
    client: &Client<'_>,
    bearer: bool,
) {
    let wanted = upgrade(headers);
    end_to_end(headers);
    for name in OUR_HEADERS.iter().chain(CLIENT_HEADERS) {
        headers.remove(*name);
    }
    if bearer {
        headers.remove(header::AUTHORIZATION);
    }
    // The address of the page before may hold a token.
    let told = headers.get(header::REFERER).map(HeaderValue::as_bytes);
    if told.is_some_and(|told| {
        OUR_PARAMETERS
            .iter()
            .any(|ours| find(told, ours.as_bytes()))
    }) {
        headers.remove(header::REFERER);
    }
    strip_cookies(headers, place);
    if let Some(protocol) = wanted {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
    let mut set = |name: &'static str, value: Option<HeaderValue>| {
        if let Some(value) = value {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    let ip = || HeaderValue::try_from(client.ip?.to_string()).ok();
    set("x-forwarded-for", client.forwarded_for.clone().or_else(ip));
    set("x-forwarded-host", client.host.cloned());
    let scheme = if client.https { "https" } else { "http" };
    set("x-forwarded-proto", Some(HeaderValue::from_static(scheme)));
}

fn find(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn strip_cookies(headers: &mut HeaderMap, place: Place<'_>) {
    let lines: Vec<HeaderValue> = headers.get_all(header::COOKIE).iter().cloned().collect();
    if lines.is_empty() {
        return;
    }
    headers.remove(header::COOKIE);
    for line in lines {
        // A line that is no text may hold anything, also one of ours: it does not pass.
        let Ok(text) = line.to_str() else { continue };
        let kept: Vec<&str> = text
            .split(';')
            .map(str::trim)
            .filter(|pair| {
                let name = pair.split('=').next().unwrap_or_default().trim();
                !pair.is_empty() && !is_ours(name, place)
            })
            .collect();
        if !kept.is_empty()
            && let Ok(value) = HeaderValue::try_from(kept.join("; "))
        {
            headers.append(header::COOKIE, value);
        }
    }
}

/// Makes an answer's headers fit for the browser. `switching` keeps what an upgrade needs;
/// `cors` tells that the app rules over requests of other origins itself.
pub(super) fn clean_response(
    headers: &mut HeaderMap,
    place: Place<'_>,
    switching: bool,
    cors: bool,
) {
    let wanted = switching
        .then(|| headers.get(header::UPGRADE).cloned())
        .flatten();
    end_to_end(headers);
    if let Some(protocol) = wanted {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
    confine_cookies(headers, place);
    if let Place::Path(_) = place {
        for name in ORIGIN_WIDE {
            headers.remove(*name);
        }
    }
    if !cors {
        super::cors::strip(headers);
    }
}

/// Drops cookies with names of ours; the others stay within the app's place.
fn confine_cookies(headers: &mut HeaderMap, place: Place<'_>) {
    let lines: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .cloned()
        .collect();
    if lines.is_empty() {
        return;
    }
    headers.remove(header::SET_COOKIE);
    for line in lines {
        let Ok(text) = line.to_str() else { continue };
        if let Some(confined) = confine_cookie(text, place)
            && let Ok(value) = HeaderValue::try_from(confined)
        {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

fn confine_cookie(text: &str, place: Place<'_>) -> Option<String> {
    let mut parts = text.split(';').map(str::trim);
    let pair = parts.next()?;
    let name = pair.split('=').next().unwrap_or_default().trim();
    // A cookie without a name is sent as its bare value, which could read like one of ours.
    if name.is_empty() || !pair.contains('=') || is_ours(name, place) {
        return None;
    }
    let mut kept = vec![pair.to_owned()];
    let mut path = None;
    for attribute in parts.filter(|part| !part.is_empty()) {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        match key.trim().to_ascii_lowercase().as_str() {
            // Without it, the browser sends the cookie to this host alone.
            "domain" => {}
            "path" => path = Some(value.trim()),
            _ => kept.push(attribute.to_owned()),
        }
    }
    match (place, path) {
        (Place::Path(base), path) => {
            let within = path.filter(|path| path.starts_with(base));
            kept.push(format!("Path={}", within.unwrap_or(base)));
        }
        (Place::Host, Some(path)) => kept.push(format!("Path={path}")),
        (Place::Host, None) => {}
    }
    Some(kept.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn client() -> Client<'static> {
        Client {
            ip: "10.0.0.7".parse().ok(),
            forwarded_for: None,
            host: None,
            https: true,
        }
    }

    #[test]
    fn nothing_of_ours_reaches_an_app() {
        let mut headers = map(&[
            (
                "cookie",
                "a=1; coder_session_token=x; __Host-coder_session_token=x",
            ),
            (
                "cookie",
                "coder_signed_app_token=x;coder_subdomain_app_session_token_ab=x; b=2",
            ),
            ("cookie", "oauth_state=x; csrf_token=mine"),
            ("coder-session-token", "x"),
            ("authorization", "Basic app"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("x-own", "1"),
            ("referer", "http://a/?coder_session_token=x"),
        ]);
        clean_request(&mut headers, Place::Host, &client(), false);
        let cookies: Vec<_> = headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2", "csrf_token=mine"]);
        assert_eq!(headers["x-forwarded-for"], "10.0.0.7");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["authorization"], "Basic app");
        assert!(headers.contains_key("x-own"));
        for gone in [
            "coder-session-token",
            "referer",
            "x-real-ip",
            "x-hop",
            "connection",
        ] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
        let mut headers = map(&[("authorization", "Bearer x"), ("cookie", "csrf_token=x")]);
        clean_request(&mut headers, Place::Path("/@a/b/apps/c/"), &client(), true);
        assert!(!headers.contains_key("authorization") && !headers.contains_key("cookie"));
    }

    #[test]
    fn an_upgrade_passes() {
        let mut headers = map(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
        ]);
        clean_request(&mut headers, Place::Host, &client(), false);
        assert_eq!(headers["connection"], "Upgrade");
        assert_eq!(headers["upgrade"], "websocket");
        clean_response(&mut headers, Place::Host, false, false);
        assert!(headers.is_empty() || !headers.contains_key("upgrade"));
    }

    #[test]
    fn cookies_of_an_app_stay_in_its_place() {
        let at = |text, place| confine_cookie(text, place);
        let base = Place::Path("/@a/b/apps/c/");
        assert_eq!(
            at("s=1; Domain=.example.com; Path=/; HttpOnly", base).unwrap(),
            "s=1; HttpOnly; Path=/@a/b/apps/c/"
        );
        assert_eq!(
            at("s=1; path=/@a/b/apps/c/deep", base).unwrap(),
            "s=1; Path=/@a/b/apps/c/deep"
        );
        assert_eq!(
            at("s=1; DOMAIN = example.com; Path=/x", Place::Host).unwrap(),
            "s=1; Path=/x"
        );
        for ours in [
            "coder_session_token=evil",
            "__Host-coder_session_token=evil; Secure",
            "coder_signed_app_token=evil",
            "coder_subdomain_app_session_token_00=evil; Domain=.apps.example.com",
            "=coder_session_token=evil",
            "coder_session_token",
        ] {
            assert_eq!(at(ours, Place::Host), None, "{ours}");
        }
        assert_eq!(at("csrf_token=evil", base), None);
        assert!(at("csrf_token=mine", Place::Host).is_some());
    }

    #[test]
    fn under_a_path_an_app_does_not_rule_the_origin() {
        let pairs = [
            ("clear-site-data", "\"*\""),
            ("service-worker-allowed", "/"),
        ];
        let mut headers = map(&pairs);
        clean_response(&mut headers, Place::Path("/x/"), false, false);
        assert!(headers.is_empty());
        let mut headers = map(&pairs);
        clean_response(&mut headers, Place::Host, false, false);
        assert_eq!(headers.len(), 2);
    }
}
