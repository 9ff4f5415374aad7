//! How long a provider asks to wait: `retry-after-ms`, else `Retry-After` (seconds or a date), else
//! what Google's errors say in their body (`google.rpc.RetryInfo`).

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde_json::Value;

/// A longer wish is cut: it is a mistake, or the caller should give up anyway.
const MAX_WAIT: Duration = Duration::from_hours(24);

/// The wish in `headers`, if there is a readable one.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let positive = |seconds: f64| {
        Duration::try_from_secs_f64(seconds)
            .ok()
            .map(|wait| wait.min(MAX_WAIT))
    };
    if let Some(ms) = text("retry-after-ms").and_then(|v| v.parse::<f64>().ok()) {
        return positive(ms / 1000.0);
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return positive(seconds);
    }
    let at = DateTime::parse_from_rfc2822(value).ok()?;
    Some(
        (at.with_timezone(&Utc) - now)
            .to_std()
            .unwrap_or_default()
            .min(MAX_WAIT),
    )
}

/// The wish in the body of an error, if there is a readable one: `error.details[]` with a
/// `retryDelay` such as `"34.5s"`.
pub(crate) fn told_in(body: &[u8]) -> Option<Duration> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = match &body {
        Value::Array(all) => all.first()?,
        other => other,
    };
    let details = error.pointer("/error/details")?.as_array()?;
    let info = details.iter().find_map(|detail| detail.get("retryDelay"))?;
    let seconds: f64 = info.as_str()?.strip_suffix('s')?.parse().ok()?;
    let wait = Duration::try_from_secs_f64(seconds).ok()?;
    Some(wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, http::HeaderValue::from_static(value));
        }
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z")
            .unwrap()
            .with_timezone(&Utc);
        retry_after(&headers, now)
    }

    #[test]
    fn milliseconds_win_over_seconds() {
        let both = [("retry-after-ms", "1500"), ("retry-after", "9")];
        assert_eq!(wait(&both), Some(Duration::from_millis(1500)));
        assert_eq!(
            wait(&[("retry-after", "0.5")]),
            Some(Duration::from_millis(500))
        );
    }

    #[test]
    fn dates_count_from_now_and_never_backwards() {
        assert_eq!(
            wait(&[("retry-after", "Thu, 01 Jan 2026 00:00:30 GMT")]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            wait(&[("retry-after", "Wed, 31 Dec 2025 00:00:00 GMT")]),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn nonsense_is_no_hint() {
        for bad in ["soon", "-1", "NaN", "inf", ""] {
            assert_eq!(wait(&[("retry-after", bad)]), None, "{bad}");
        }
        assert_eq!(wait(&[("retry-after", "1e12")]), Some(MAX_WAIT));
    }

    #[test]
    fn google_says_it_in_the_body() {
        let told = |delay: &str| {
            let body = format!(
                r#"[{{"error":{{"code":429,"details":[{{"@type":"x"}},{{"retryDelay":{delay}}}]}}}}]"#
            );
            told_in(body.as_bytes())
        };
        assert_eq!(told(r#""34.5s""#), Some(Duration::from_millis(34_500)));
        assert_eq!(told(r#""9999999s""#), Some(MAX_WAIT));
        for bad in [r#""soon""#, r#""-3s""#, r#""NaNs""#, "3", "null", r#""s""#] {
            assert_eq!(told(bad), None, "{bad}");
        }
        assert_eq!(told_in(b"<html>"), None);
    }
}
