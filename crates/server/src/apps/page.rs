//! What people see in place of an app: pages in plain HTML, or JSON for programs.

use std::fmt::Write as _;

use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, REFRESH,
    SET_COOKIE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::ApiError;
use crate::routes::pages::{csrf, escape};

/// That of all our plain pages, and what notices add.
const STYLE: &str = concat!(
    include_str!("../routes/pages/style.css"),
    include_str!("page.css")
);
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";
/// Seconds after which a page that waits for something loads again.
const RELOAD: u32 = 3;

/// A page under construction.
pub(super) struct Page {
    status: StatusCode,
    title: &'static str,
    text: String,
    body: String,
    actions: String,
    cookie: Option<HeaderValue>,
    reload: bool,
}

impl Page {
    /// A page that says `text` under `title`.
    pub(super) fn new(status: StatusCode, title: &'static str, text: impl Into<String>) -> Self {
        Page {
            status,
            title,
            text: text.into(),
            body: String::new(),
            actions: String::new(),
            cookie: None,
            reload: false,
        }
    }

    /// Adds what helps to understand it.
    pub(super) fn hint(mut self, text: &str) -> Self {
        if !text.is_empty() {
            let _ = write!(self.body, "<p class=hint>{}</p>", escape(text));
        }
        self
    }

    /// Adds a link; the first of all is the one to press.
    pub(super) fn link(mut self, to: &str, text: &str) -> Self {
        let class = self.class();
        let _ = write!(
            self.actions,
            "<a{class} href=\"{}\">{}</a>",
            escape(to),
            escape(text)
        );
        self
    }

    /// Adds a link that is not what most people came for.
    pub(super) fn aside(mut self, to: &str, text: &str) -> Self {
        let _ = write!(
            self.actions,
            "<a href=\"{}\">{}</a>",
            escape(to),
            escape(text)
        );
        self
    }

    /// Adds a button that sends a form with hidden fields.
    pub(super) fn button(
        mut self,
        action: &str,
        text: &str,
        token: &csrf::Token,
        fields: &[(&str, &str)],
    ) -> Self {
        let class = self.class();
        let _ = write!(
            self.actions,
            "<form method=post action=\"{}\">{}",
            escape(action),
            token.field()
        );
        for (name, value) in fields {
            let _ = write!(
                self.actions,
                "<input type=hidden name=\"{}\" value=\"{}\">",
                escape(name),
                escape(value)
            );
        }
        let _ = write!(
            self.actions,
            "<button{class}>{}</button></form>",
            escape(text)
        );
        self
    }

    pub(super) fn cookie(mut self, cookie: Option<HeaderValue>) -> Self {
        self.cookie = cookie;
        self
    }

    /// Loads again from time to time, and shows that something is going on.
    pub(super) fn waiting(mut self) -> Self {
        self.reload = true;
        self.body
            .push_str("<div class=bar role=progressbar aria-label=Waiting><i></i></div>");
        self
    }

    fn class(&self) -> &'static str {
        if self.actions.is_empty() {
            " class=main"
        } else {
            ""
        }
    }

    /// The answer to a request with these headers.
    pub(super) fn response(self, request: &HeaderMap) -> Response {
        if !wants_html(request) {
            return ApiError::new(self.status, self.title)
                .with_detail(self.text)
                .into_response();
        }
        let code = if self.status.is_success() {
            String::new()
        } else {
            format!("<p class=code>{}</p>", self.status.as_u16())
        };
        let actions = if self.actions.is_empty() {
            String::new()
        } else {
            format!("<div class=actions>{}</div>", self.actions)
        };
        let html = format!(
            "<!doctype html><html lang=en><head><meta charset=utf-8>\
             <meta name=viewport content=\"width=device-width, initial-scale=1\">\
             <meta name=color-scheme content=\"light dark\"><meta name=robots content=noindex>\
             <title>{title}</title><style>{STYLE}</style></head><body><main>{code}<h1>{title}</h1>\
             <p>{text}</p>{body}{actions}</main></body></html>\n",
            title = escape(self.title),
            text = escape(&self.text),
            body = self.body,
        );
        let mut response = (self.status, html).into_response();
        let headers = response.headers_mut();
        let fixed = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (CONTENT_SECURITY_POLICY, POLICY),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if self.reload {
            headers.insert(REFRESH, HeaderValue::from(RELOAD));
        }
        headers.extend(self.cookie.map(|cookie| (SET_COOKIE, cookie)));
        response
    }
}

/// Whether it is a browser that asks for a page.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await;
        String::from_utf8(bytes.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn nothing_of_users_becomes_markup() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/html,*/*"));
        let page = Page::new(StatusCode::NOT_FOUND, "Gone", "<script>x</script>")
            .hint("<b>")
            .link("javascript:\"><i>", "<u>");
        let html = body(page.response(&headers)).await;
        for bad in ["<script>", "<b>", "\"><i>", "<u>"] {
            assert!(!html.contains(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn programs_get_json() {
        let page = Page::new(StatusCode::NOT_FOUND, "Gone", "text");
        let response = page.response(&HeaderMap::new());
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(body(response).await.contains("\"message\":\"Gone\""));
    }
}
