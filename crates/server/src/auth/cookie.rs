//! The session cookie.

use axum::http::{HeaderMap, HeaderValue, header};

/// Name of the cookie, and of the query parameter that may stand for it.
pub const SESSION_COOKIE: &str = "coder_session_token";
const HOST_PREFIXED: &str = "__Host-coder_session_token";
/// The browser keeps it for a year; the server decides when it ends.
const MAX_AGE: u32 = 31_536_000;

/// How session cookies are set and read.
#[derive(Debug, Clone, Copy, Default)]
pub struct CookiePolicy {
    /// Only over TLS.
    pub secure: bool,
    /// `SameSite=None` instead of `Lax`.
    pub same_site_none: bool,
    /// Named `__Host-…`; those without the prefix are ignored.
    pub host_prefix: bool,
}

impl CookiePolicy {
    fn name(self) -> &'static str {
        if self.host_prefix {
            HOST_PREFIXED
        } else {
            SESSION_COOKIE
        }
    }

    fn attributes(self) -> String {
        let secure = if self.secure || self.host_prefix {
            "; Secure"
        } else {
            ""
        };
        let same_site = if self.same_site_none { "None" } else { "Lax" };
        format!("; Path=/; HttpOnly; SameSite={same_site}{secure}")
    }

    /// `Set-Cookie` for a value that is needed below a path for some seconds, as while someone is
    /// away at another server; none if it cannot stand in a cookie. Without time it is ended.
    pub fn set_brief(
        self,
        name: &str,
        value: &str,
        path: &str,
        seconds: u32,
    ) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        // Whoever comes back from there is let in by a cookie too.
        let same_site = if self.same_site_none { "None" } else { "Lax" };
        let text = format!(
            "{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
        );
        HeaderValue::try_from(text).ok()
    }

    /// `Set-Cookie` for a session. A token is plain ASCII, so this fails never.
    pub fn set(self, token: &str) -> Option<HeaderValue> {
        let text = format!(
            "{}={token}; Max-Age={MAX_AGE}{}",
            self.name(),
            self.attributes()
        );
        HeaderValue::try_from(text).ok()
    }

    /// `Set-Cookie` that ends a session in the browser.
    pub fn clear(self) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("{}=; Max-Age=0{}", self.name(), self.attributes())).ok()
    }
}

/// The value of a cookie.
pub(crate) fn get<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The session token in the cookies.
pub(crate) fn session(headers: &HeaderMap, policy: CookiePolicy) -> Option<&str> {
    get(headers, policy.name())
}
