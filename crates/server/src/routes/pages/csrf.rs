//! Forms of ours against those that a foreign page sends: a cookie and a
//! hidden field that hold the same random text.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderValue};
use rand::Rng as _;

use crate::ApiError;
use crate::auth::cookie_value;
use crate::middleware::CSRF_COOKIE;

const FIELD: &str = "csrf_token";
const LEN: usize = 32;

/// The text of one browser.
pub(crate) struct Token {
    text: String,
    new: bool,
}

impl Token {
    /// The browser's own, or a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let known = cookie_value(headers, CSRF_COOKIE).filter(|text| is_token(text));
        if let Some(text) = known {
            return Token {
                text: text.to_owned(),
                new: false,
            };
        }
        let mut random = rand::rng();
        let text = (0..LEN)
            .map(|_| char::from(random.sample(rand::distr::Alphanumeric)))
            .collect();
        Token { text, new: true }
    }

    /// The hidden field.
    pub(crate) fn field(&self) -> String {
        super::html::hidden(FIELD, &self.text)
    }

    /// `Set-Cookie`, if the browser has none yet.
    pub(crate) fn cookie(&self, secure: bool) -> Option<HeaderValue> {
        let secure = if secure { "; Secure" } else { "" };
        let text = format!(
            "{CSRF_COOKIE}={}; Path=/; HttpOnly; SameSite=Lax{secure}",
            self.text
        );
        self.new.then(|| HeaderValue::try_from(text).ok()).flatten()
    }
}

fn is_token(text: &str) -> bool {
    text.len() == LEN && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Refuses a form that does not come from a page of ours.
pub(crate) fn check(headers: &HeaderMap, form: &HashMap<String, String>) -> Result<(), ApiError> {
    let cookie = cookie_value(headers, CSRF_COOKIE).filter(|text| is_token(text));
    if cookie.is_some() && cookie == form.get(FIELD).map(String::as_str) {
        return Ok(());
    }
    Err(ApiError::bad_request(
        "The form has expired. Go back, reload the page and try again.",
    ))
}
