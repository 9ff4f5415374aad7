//! Query parameters, all of them checked before the first one is used.

use std::borrow::Cow;

use api_types::ValidationError;
use http::Uri;
use url::form_urlencoded;

use super::failure::Failure;

/// The parameters of a request.
pub struct Query {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
    errors: Vec<ValidationError>,
}

impl Query {
    /// Those of `uri`.
    pub fn of(uri: &Uri) -> Self {
        let text = uri.query().unwrap_or_default().as_bytes();
        let given = form_urlencoded::parse(text).map(|(name, value)| (own(name), own(value)));
        Self {
            given: given.collect(),
            known: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// A text, empty if it is absent.
    pub fn text(&mut self, name: &'static str) -> String {
        self.known.push(name);
        let found = self.given.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// A text that must be there.
    pub fn required(&mut self, name: &'static str) -> String {
        let text = self.text(name);
        if text.is_empty() {
            self.error(name, format!("Query param {name:?} is required"));
        }
        text
    }

    /// A number that is not negative.
    pub fn number(&mut self, name: &'static str, default: u64) -> u64 {
        let text = self.text(name);
        if text.is_empty() {
            return default;
        }
        // Signed numbers of 64 bits are what callers send.
        match text.parse::<i64>().ok().and_then(|n| u64::try_from(n).ok()) {
            Some(number) => number,
            None => {
                let text = format!("Query param {name:?} must be a valid 64-bit positive integer");
                self.error(name, text);
                default
            }
        }
    }

    /// Ends the reading: whatever else was given is a mistake.
    pub fn finish(mut self) -> Result<(), Failure> {
        let extra: Vec<_> = self
            .given
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| !self.known.contains(&name.as_str()))
            .collect();
        for name in extra {
            let detail = format!("Query param {name:?} is not a valid query param");
            self.error(&name, detail);
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Failure::query(self.errors))
        }
    }

    fn error(&mut self, field: &str, detail: String) {
        self.errors.push(ValidationError {
            field: field.to_owned(),
            detail,
        });
    }
}

fn own(text: Cow<'_, str>) -> String {
    text.into_owned()
}
