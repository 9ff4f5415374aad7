//! Pages as HTML.

use std::fmt::Write as _;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, SET_COOKIE,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::AppState;

const STYLE: &str = include_str!("style.css");

/// A page under construction.
pub(super) struct Page {
    title: &'static str,
    body: String,
    cookie: Option<HeaderValue>,
}

impl Page {
    pub(super) fn new(title: &'static str) -> Self {
        Page {
            title,
            body: String::new(),
            cookie: None,
        }
    }

    /// Adds a piece made by a function of this file.
    pub(super) fn add(mut self, piece: &str) -> Self {
        self.body.push_str(piece);
        self
    }

    /// Adds what went wrong, if anything did.
    pub(super) fn problem(mut self, text: &str) -> Self {
        if !text.is_empty() {
            let _ = write!(
                self.body,
                "<p class=problem role=alert>{}</p>",
                escape(text)
            );
        }
        self
    }

    /// Adds a form.
    pub(super) fn form(mut self, action: &str, button: &str, fields: &[String]) -> Self {
        let _ = write!(
            self.body,
            "<form method=post action=\"{}\">{}<button>{}</button></form>",
            escape(action),
            fields.concat(),
            escape(button)
        );
        self
    }

    pub(super) fn cookie(mut self, cookie: Option<HeaderValue>) -> Self {
        self.cookie = cookie;
        self
    }

    pub(super) fn response(self, state: &AppState, status: StatusCode) -> Response {
        let html = format!(
            "<!doctype html><html lang=en><head><meta charset=utf-8>\
             <meta name=viewport content=\"width=device-width\"><meta name=color-scheme content=\"light dark\">\
             <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>{}</main></body></html>\n",
            self.body,
            title = escape(self.title),
        );
        let mut policy = String::from(
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'",
        );
        for directive in &state.http.csp {
            let _ = write!(policy, "; {directive}");
        }
        let mut response = (status, html).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        headers.extend(self.cookie.map(|cookie| (SET_COOKIE, cookie)));
        response
    }
}

pub(super) fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", escape(text))
}

/// Text to copy.
pub(super) fn code(text: &str) -> String {
    format!("<pre tabindex=0>{}</pre>", escape(text))
}

pub(super) fn link(to: &str, text: &str) -> String {
    format!("<p><a href=\"{}\">{}</a></p>", escape(to), escape(text))
}

pub(super) fn field(name: &str, label: &str, kind: &str, autocomplete: &str) -> String {
    format!(
        "<label>{}<input name=\"{}\" type=\"{}\" autocomplete=\"{}\" required></label>",
        escape(label),
        escape(name),
        escape(kind),
        escape(autocomplete)
    )
}

pub(crate) fn hidden(name: &str, value: &str) -> String {
    format!(
        "<input type=hidden name=\"{}\" value=\"{}\">",
        escape(name),
        escape(value)
    )
}

pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_users_becomes_markup() {
        assert_eq!(paragraph("<b>&\"'"), "<p>&lt;b&gt;&amp;&quot;&#39;</p>");
        assert!(!hidden("a", "\"><script>").contains("<script>"));
    }
}
