//! The little language of `?q=` on lists: words and `key:value` pairs, lower-cased.
//!
//! Knows the grammar only; what the keys mean is told by whoever asks.

use api_types::ValidationError;
use std::collections::BTreeMap;

/// Longest query that is looked at; longer ones are refused, not cut.
pub const MAX_QUERY: usize = 4096;

/// A parsed query: each key with its values in order.
#[derive(Debug, Default)]
pub struct Query {
    values: BTreeMap<String, Vec<String>>,
    errors: Vec<ValidationError>,
}

impl Query {
    /// Splits `text` at spaces outside double quotes. Words without a key are joined by
    /// spaces under `default_key`.
    pub fn parse(text: &str, default_key: &str) -> Self {
        let mut query = Query::default();
        if text.len() > MAX_QUERY {
            query.error("q", format!("Query is longer than {MAX_QUERY} bytes."));
            return query;
        }
        let mut words: Vec<String> = Vec::new();
        for token in split(&text.to_lowercase()) {
            let mut parts = split_colon(&token);
            match (parts.len(), parts.pop(), parts.pop()) {
                (1, Some(word), None) => words.push(unquote(&word)),
                (2, Some(value), Some(key)) if !key.is_empty() && !value.is_empty() => {
                    query
                        .values
                        .entry(unquote(&key))
                        .or_default()
                        .push(unquote(&value));
                }
                (2, ..) => query.error(
                    "q",
                    format!("Query element {token:?} cannot start or end with ':'."),
                ),
                _ => query.error(
                    "q",
                    format!("Query element {token:?} can only contain 1 ':'."),
                ),
            }
        }
        if !words.is_empty() {
            query
                .values
                .entry(default_key.to_owned())
                .or_default()
                .push(words.join(" "));
        }
        query
    }

    /// Takes the single value of a key. Several values are an error of the query.
    pub fn one(&mut self, key: &str) -> Option<String> {
        let mut values = self.values.remove(key)?;
        if values.len() > 1 {
            self.error(key, format!("Query param {key:?} provided more than once."));
        }
        values.pop()
    }

    /// Takes all values of a key, each also split at commas.
    pub fn list(&mut self, key: &str) -> Vec<String> {
        let values = self.values.remove(key).unwrap_or_default();
        let parts = values.iter().flat_map(|v| v.split(',')).map(str::trim);
        parts.filter(|v| !v.is_empty()).map(str::to_owned).collect()
    }

    /// Takes all values of a key as they are.
    pub fn all(&mut self, key: &str) -> Vec<String> {
        self.values.remove(key).unwrap_or_default()
    }

    /// Takes the single value of a key, converted; a value that does not convert is an
    /// error that names what was expected.
    pub fn parsed<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.one(key)?;
        let value = parse(&text);
        if value.is_none() {
            self.error(
                key,
                format!("Query param {key:?} must be {expected}, not {text:?}."),
            );
        }
        value
    }

    /// Takes the single value of a key as a truth value.
    pub fn flag(&mut self, key: &str) -> Option<bool> {
        self.parsed(key, "a boolean", |text| match text {
            "1" | "t" | "true" => Some(true),
            "0" | "f" | "false" => Some(false),
            _ => None,
        })
    }

    /// Notes that the value of a key cannot be used.
    pub fn error(&mut self, field: &str, detail: impl Into<String>) {
        self.errors.push(ValidationError {
            field: field.to_owned(),
            detail: detail.into(),
        });
    }

    /// What was wrong, unknown keys included: every key not taken by now is unknown.
    pub fn finish(mut self) -> Result<(), Vec<ValidationError>> {
        let unknown: Vec<String> = self.values.keys().cloned().collect();
        for key in unknown {
            self.error(&key, format!("{key:?} is not a valid query param"));
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(self.errors)
        }
    }
}

fn split(text: &str) -> Vec<String> {
    cut(text, char::is_whitespace)
        .into_iter()
        .filter(|token| !token.is_empty())
        .collect()
}

fn split_colon(token: &str) -> Vec<String> {
    cut(token, |c| c == ':')
}

/// Cuts at separators that stand outside double quotes.
fn cut(text: &str, separator: impl Fn(char) -> bool) -> Vec<String> {
    let mut quoted = false;
    let mut parts = vec![String::new()];
    for c in text.chars() {
        if c == '"' {
            quoted = !quoted;
        }
        if separator(c) && !quoted {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

fn unquote(text: &str) -> String {
    text.chars().filter(|&c| c != '"').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_join_into_the_default_key() {
        let mut q = Query::parse("  Hello   owner:Me world ", "name");
        assert_eq!(q.one("owner").as_deref(), Some("me"));
        assert_eq!(q.one("name").as_deref(), Some("hello world"));
        assert!(q.finish().is_ok());
    }

    #[test]
    fn quotes_keep_spaces_and_colons() {
        let mut q = Query::parse("template:\"A b: c\" name:\"x\"", "name");
        assert_eq!(q.one("template").as_deref(), Some("a b: c"));
        assert_eq!(q.one("name").as_deref(), Some("x"));
    }

    #[test]
    fn lists_repeat_or_use_commas() {
        let mut q = Query::parse("id:a,b id:c", "name");
        assert_eq!(q.list("id"), ["a", "b", "c"]);
    }

    #[test]
    fn bad_input_is_named() {
        for bad in [
            ":x",
            "x:",
            "a:b:c",
            "nope:1",
            "owner:a owner:b",
            "flag:maybe",
        ] {
            let mut q = Query::parse(bad, "name");
            q.one("owner");
            q.one("name");
            q.flag("flag");
            assert!(q.finish().is_err(), "{bad}");
        }
        assert!(
            Query::parse(&"x".repeat(MAX_QUERY + 1), "name")
                .finish()
                .is_err()
        );
    }

    #[test]
    fn an_open_quote_is_no_panic() {
        let mut q = Query::parse("name:\"abc def", "name");
        assert_eq!(q.one("name").as_deref(), Some("abc def"));
    }
}
