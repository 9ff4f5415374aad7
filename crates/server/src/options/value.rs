//! Checks the form of a value.

use super::{Kind, parse_duration};

/// Brings `text` into its normal form, or says what is wrong with it.
pub(super) fn check(kind: Kind, text: &str) -> Result<String, String> {
    match kind {
        Kind::Text | Kind::List => Ok(text.to_owned()),
        Kind::Bool => match text.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" | "yes" | "on" => Ok("true".to_owned()),
            "" | "0" | "f" | "false" | "no" | "off" => Ok("false".to_owned()),
            _ => Err(format!("{text:?} is neither true nor false")),
        },
        Kind::Duration => parse_duration(text).map(|_| text.to_owned()),
        Kind::Int => text
            .parse::<i64>()
            .map(|n| n.to_string())
            .map_err(|_| format!("{text:?} is no whole number")),
        Kind::Url => check_url(text),
        Kind::Address => check_address(text),
        Kind::Choice(words) if words.contains(&text) => Ok(text.to_owned()),
        Kind::Choice(words) => Err(format!("{text:?} is none of {}", words.join(", "))),
        Kind::Json if text.is_empty() => Ok(String::new()),
        Kind::Json => serde_json::from_str::<serde_json::Value>(text)
            .map(|_| text.to_owned())
            .map_err(|error| format!("not JSON: {error}")),
    }
}

fn check_url(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(text.to_owned())
        }
        _ => Err(format!(
            "{text:?} is no URL such as https://coder.example.com"
        )),
    }
}

fn check_address(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let port = text.rsplit_once(':').map(|(_, port)| port);
    match port.map(str::parse::<u16>) {
        Some(Ok(_)) => Ok(text.to_owned()),
        _ => Err(format!(
            "{text:?} is no address such as 127.0.0.1:3000 or [::1]:3000"
        )),
    }
}
