//! Reading arguments, which are whatever a model wrote.

use std::time::Duration;

use serde_json::{Map, Value};

/// Arguments of a call. Each reader says in words for the model what is wrong.
pub(super) struct Args(pub(super) Map<String, Value>);

impl Args {
    /// A text that must be there and hold something.
    pub(super) fn text(&self, name: &str) -> Result<&str, String> {
        match self.0.get(name) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
            Some(Value::String(_)) | None => Err(format!("{name} is required")),
            Some(_) => Err(format!("{name} must be a string")),
        }
    }

    /// A text that may be empty, but must be there.
    pub(super) fn any_text(&self, name: &str) -> Result<&str, String> {
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("{name} must be a string")),
            None => Err(format!("{name} is required")),
        }
    }

    /// A text, if it is there.
    pub(super) fn maybe(&self, name: &str) -> Result<Option<&str>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|t| !t.is_empty())),
            Some(_) => Err(format!("{name} must be a string")),
        }
    }

    /// A number that is not negative, if it is there.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_u64()
                // Some models write every number with a point.
                .or_else(|| value.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
                .map(Some)
                .ok_or_else(|| format!("{name} must be a number that is not negative")),
        }
    }

    /// A yes or no; no if absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(_) => Err(format!("{name} must be true or false")),
        }
    }

    /// A duration such as `10s` or `1m30s`, at most `most`.
    pub(super) fn duration(
        &self,
        name: &str,
        default: Duration,
        most: Duration,
    ) -> Result<Duration, String> {
        let Some(text) = self.maybe(name)? else {
            return Ok(default);
        };
        duration(text)
            .map(|asked| asked.min(most))
            .ok_or_else(|| format!("{name} must be a duration such as 10s or 2m, not {text:?}"))
    }
}

/// A duration as Go writes them.
fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit());
        let (unit, after) = rest[digits..].split_at(unit.unwrap_or(rest.len() - digits));
        total += number
            * match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = after;
    }
    (!text.is_empty()).then_some(())?;
    Duration::try_from_secs_f64(total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_models_write_them() {
        for (text, seconds) in [
            ("10s", 10.0),
            ("1m30s", 90.0),
            ("0s", 0.0),
            ("0", 0.0),
            ("500ms", 0.5),
            ("1.5h", 5400.0),
        ] {
            assert_eq!(
                duration(text).map(|d| d.as_secs_f64()),
                Some(seconds),
                "{text}"
            );
        }
        for bad in ["", "10", "s", "-1s", "1x", "1e400h", "é"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn wrong_types_are_named() {
        let map = serde_json::json!({ "a": 1, "b": "", "c": 2.0, "d": "x", "e": -1 });
        let args = Args(map.as_object().unwrap().clone());
        assert!(args.text("a").is_err() && args.text("b").is_err() && args.text("z").is_err());
        assert_eq!(args.number("c"), Ok(Some(2)));
        assert!(args.number("d").is_err() && args.number("e").is_err() && args.flag("a").is_err());
        assert_eq!(args.maybe("b"), Ok(None));
    }
}
