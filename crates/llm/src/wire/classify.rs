//! What kind of failure a provider's words mean. The order of the rules matters.

use std::time::Duration;

use api_types::Secret;
use serde_json::Value;

use super::redact::redact;
use crate::{Error, ErrorKind};

/// What is known of a failure.
#[derive(Debug, Default)]
pub(crate) struct Signal<'a> {
    /// The provider's type.
    pub(crate) provider: &'a str,
    /// HTTP status; 0 within a stream.
    pub(crate) status: u16,
    /// The provider's own code or type of the error.
    pub(crate) code: String,
    /// The provider's own words.
    pub(crate) message: String,
    /// How long it asks to wait.
    pub(crate) retry_after: Option<Duration>,
}

/// Words that say that the request itself is wrong; they win over statuses that proxies invent.
const CONFIG_WORDS: &[&str] = &[
    "context length",
    "context_length",
    "context window",
    "exceed context limit",
    "maximum context",
    "prompt is too long",
    "input token count",
    "invalid model",
    "unknown model",
    "model not found",
    "model_not_found",
    "not_found_error",
    "does not exist",
    "invalid_request_error",
    "invalid request",
    "unsupported parameter",
    "unsupported_parameter",
    "unsupported value",
    "invalid_argument",
    "validationexception",
    "request_too_large",
];
/// Of a conversation that does not fit, or of too many within a minute (AWS): what stands beside it
/// tells.
const TOO_MANY_TOKENS: &str = "too many tokens";
/// Words that say that a conversation is replayed wrongly.
const REPLAY_WORDS: &[&str] = &[
    "no tool output found for",
    "no tool call found for",
    "without its required following item",
    "without its required 'reasoning' item",
];
const FILTER_WORDS: &[&str] = &[
    "content_filter",
    "content filter",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "content management policy",
    "content filtering policy",
    "prohibited_content",
];
const QUOTA_WORDS: &[&str] = &[
    "quota",
    "billing",
    "payment",
    "credit balance",
    "insufficient credits",
    "insufficient funds",
];
const RATE_WORDS: &[&str] = &[
    "rate limit",
    "rate_limit",
    "ratelimit",
    "too many requests",
    "throttl",
    "resource_exhausted",
];
const AUTH_WORDS: &[&str] = &[
    "unauthorized",
    "authentication",
    "invalid api key",
    "invalid_api_key",
    "incorrect api key",
    "api key not valid",
    "unrecognizedclient",
    "invalidsignature",
];

/// The error that `signal` means.
pub(crate) fn classify(signal: &Signal<'_>, secrets: &[Secret<String>]) -> Error {
    let words = format!("{} {}", signal.code, signal.message).to_lowercase();
    let says = |list: &[&str]| list.iter().any(|word| words.contains(word));
    let status = signal.status;
    let too_many = words.contains(TOO_MANY_TOKENS);
    let throttled =
        status == 429 || says(RATE_WORDS) || (too_many && words.contains("please wait"));
    let config = says(CONFIG_WORDS) || (too_many && !throttled);
    // (kind, retryable)
    let (kind, retryable) = if says(REPLAY_WORDS) {
        (ErrorKind::Generic, false)
    } else if says(FILTER_WORDS) {
        (ErrorKind::ContentFilter, false)
    } else if status == 529 || words.contains("overloaded") {
        (ErrorKind::Overloaded, true)
    } else if words.contains("insufficient_quota")
        || status == 402
        || (status != 429 && says(QUOTA_WORDS) && !says(RATE_WORDS))
    {
        (ErrorKind::UsageLimit, false)
    } else if status == 401
        || (says(AUTH_WORDS) && !(status >= 500 || status == 429))
        || ((status == 403 || words.contains("forbidden") || words.contains("permission_denied"))
            && !config)
    {
        (ErrorKind::Auth, false)
    } else if throttled && !config {
        (ErrorKind::RateLimit, true)
    } else if words.contains("provider_disabled") {
        (ErrorKind::ProviderDisabled, false)
    } else if matches!(status, 408 | 502 | 503 | 504) && !config {
        (ErrorKind::Timeout, true)
    } else if config || matches!(status, 300..=399 | 400 | 404 | 405 | 413 | 422) {
        (ErrorKind::Config, false)
    } else if status >= 500
        || words.contains("server error")
        || words.contains("server_error")
        || words.contains("api_error")
        || words.contains("internal")
    {
        (ErrorKind::Generic, true)
    } else {
        (ErrorKind::Generic, false)
    };
    let mut error = Error::new(kind, sentence(kind, signal.provider, status))
        .detail(&redact(&signal.message, secrets))
        .provider(signal.provider)
        .status(status);
    error.retryable = retryable;
    error.retry_after = signal.retry_after;
    error
}

/// Reads the usual shapes of an error body: `{"error": {"message", "code"|"type"|"status"}}`,
/// `{"message", …}`, `{"error": "text"}`, an array around one of these, or plain text.
pub(crate) fn body(body: &[u8]) -> (String, String) {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return (String::new(), plain(body));
    };
    parts_of(&value).unwrap_or_else(|| (String::new(), plain(body)))
}

/// Code and message of a JSON error, if it is one.
pub(crate) fn parts_of(value: &Value) -> Option<(String, String)> {
    let value = match value {
        Value::Array(list) => list.first()?,
        other => other,
    };
    let text = |value: &Value, key: &str| match value.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let outer = |key: &str| text(value, key).or_else(|| text(value, &capitalized(key)));
    let (inner, message) = match value.get("error") {
        Some(Value::String(message)) => (value, message.clone()),
        Some(error @ Value::Object(_)) => (error, text(error, "message")?),
        _ => (value, outer("message")?),
    };
    // Several names may be set at once; all of them help to tell the kind.
    let mut codes: Vec<String> = ["code", "type", "status", "__type"]
        .iter()
        .filter_map(|key| text(inner, key))
        .collect();
    if let Some(code) = inner.pointer("/innererror/code").and_then(Value::as_str) {
        codes.push(code.to_owned());
    }
    // OpenRouter puts the words of the provider behind it here.
    let message = match inner.pointer("/metadata/raw").and_then(Value::as_str) {
        Some(raw) => format!("{message}: {raw}"),
        None => message,
    };
    Some((codes.join(" "), message))
}

fn capitalized(key: &str) -> String {
    let mut chars = key.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

fn plain(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    // A page of a proxy says nothing to a person.
    if text.starts_with('<') {
        return String::new();
    }
    text.to_owned()
}

/// How people call the provider.
pub(crate) fn display_name(provider: &str) -> &str {
    match provider {
        "openai" => "OpenAI",
        "anthropic" => "Anthropic",
        "google" => "Google",
        "azure" => "Azure OpenAI",
        "bedrock" => "AWS Bedrock",
        "openrouter" => "OpenRouter",
        "vercel" => "Vercel AI Gateway",
        "" | "openai-compat" => "the model provider",
        other => other,
    }
}

pub(crate) fn sentence(kind: ErrorKind, provider: &str, status: u16) -> String {
    let name = display_name(provider);
    let said = match kind {
        ErrorKind::Canceled => "The request was canceled.".to_owned(),
        ErrorKind::Overloaded => format!("{name} is temporarily overloaded."),
        ErrorKind::RateLimit => format!("{name} is rate limiting requests."),
        ErrorKind::Timeout => format!("{name} is temporarily unavailable."),
        ErrorKind::StreamSilence => format!("{name} stopped sending its answer."),
        ErrorKind::Auth => {
            format!("Authentication with {name} failed. Check the API key and its permissions.")
        }
        ErrorKind::Config => format!(
            "{name} rejected the request. Check the model's name, its options and the length of the conversation."
        ),
        ErrorKind::UsageLimit => {
            format!("The usage quota at {name} is used up. Check its billing and limits.")
        }
        ErrorKind::MissingKey => format!("No API key is configured for {name}."),
        ErrorKind::ProviderDisabled => format!("{name} is disabled by an administrator."),
        ErrorKind::ContentFilter => format!("{name} refused this content by its content filter."),
        ErrorKind::Generic if status > 0 => {
            format!("{name} returned an unexpected error (HTTP {status}).")
        }
        ErrorKind::Generic => format!("{name} returned an unexpected error."),
    };
    match said.strip_prefix("the ") {
        Some(rest) => format!("The {rest}"),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_large() {
        for (kind, said) in [
            (
                ErrorKind::Auth,
                "Authentication with the model provider failed.",
            ),
            (
                ErrorKind::Overloaded,
                "The model provider is temporarily overloaded.",
            ),
        ] {
            assert!(sentence(kind, "openai-compat", 0).starts_with(said));
        }
        assert!(sentence(ErrorKind::RateLimit, "x", 0).starts_with("x is"));
    }

    fn kind(status: u16, code: &str, message: &str) -> (ErrorKind, bool) {
        let error = classify(
            &Signal {
                provider: "openai",
                status,
                code: code.to_owned(),
                message: message.to_owned(),
                retry_after: None,
            },
            &[],
        );
        (error.kind, error.retryable)
    }

    #[test]
    fn the_table() {
        use ErrorKind::{
            Auth, Config, ContentFilter, Generic, Overloaded, ProviderDisabled, RateLimit, Timeout,
            UsageLimit,
        };
        let rows: &[(u16, &str, &str, ErrorKind, bool)] = &[
            (
                400,
                "",
                "No tool output found for function call call_1.",
                Generic,
                false,
            ),
            (
                400,
                "",
                "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
                Generic,
                false,
            ),
            (529, "", "", Overloaded, true),
            (0, "overloaded_error", "Overloaded", Overloaded, true),
            (
                429,
                "insufficient_quota",
                "You exceeded your current quota",
                UsageLimit,
                false,
            ),
            (400, "", "Your credit balance is too low", UsageLimit, false),
            (402, "", "", UsageLimit, false),
            (
                429,
                "RESOURCE_EXHAUSTED",
                "Quota exceeded for metric",
                RateLimit,
                true,
            ),
            (401, "", "", Auth, false),
            (
                400,
                "INVALID_ARGUMENT",
                "API key not valid. Please pass a valid API key.",
                Auth,
                false,
            ),
            (403, "", "forbidden", Auth, false),
            (
                403,
                "",
                "model gpt-9 does not exist or you have no access",
                Config,
                false,
            ),
            (429, "", "", RateLimit, true),
            (
                429,
                "rate_limit_exceeded",
                "Rate limit reached",
                RateLimit,
                true,
            ),
            (
                400,
                "ThrottlingException",
                "Too many requests",
                RateLimit,
                true,
            ),
            (
                429,
                "",
                "Too many tokens, please wait before trying again.",
                RateLimit,
                true,
            ),
            (
                429,
                "",
                "Too many tokens per day, please wait before trying again.",
                RateLimit,
                true,
            ),
            (
                0,
                "throttlingException",
                "Too many tokens, please wait before trying again.",
                RateLimit,
                true,
            ),
            (
                400,
                "",
                "Too many tokens, please wait before trying again.",
                RateLimit,
                true,
            ),
            (
                400,
                "",
                "too many tokens: 9000 of at most 8192",
                Config,
                false,
            ),
            (503, "", "provider_disabled: x", ProviderDisabled, false),
            (408, "", "", Timeout, true),
            (502, "", "bad gateway", Timeout, true),
            (503, "", "", Timeout, true),
            (504, "", "", Timeout, true),
            (
                503,
                "",
                "maximum context length is 8192 tokens",
                Config,
                false,
            ),
            (
                400,
                "invalid_request_error",
                "prompt is too long: 210000 tokens > 200000",
                Config,
                false,
            ),
            (
                503,
                "",
                "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000",
                Config,
                false,
            ),
            (404, "", "", Config, false),
            (
                413,
                "request_too_large",
                "Request exceeds the maximum size",
                Config,
                false,
            ),
            (422, "", "", Config, false),
            (302, "", "", Config, false),
            (500, "", "", Generic, true),
            (0, "api_error", "Internal server error", Generic, true),
            (418, "", "teapot", Generic, false),
            (400, "content_filter", "filtered", ContentFilter, false),
            (
                400,
                "",
                "Output blocked by content filtering policy",
                ContentFilter,
                false,
            ),
        ];
        for (status, code, message, want, retry) in rows {
            assert_eq!(
                kind(*status, code, message),
                (*want, *retry),
                "{status} {code} {message}"
            );
        }
    }

    #[test]
    fn bodies_of_every_shape() {
        let read = |text: &str| body(text.as_bytes());
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            read(r#"{"error":{"message":"m","type":"t","code":"c"}}"#),
            pair("c t", "m")
        );
        assert_eq!(
            read(r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]"#),
            pair("INVALID_ARGUMENT", "m")
        );
        assert_eq!(read(r#"{"message":"m"}"#), pair("", "m"));
        assert_eq!(read(r#"{"Message":"m"}"#), pair("", "m"));
        assert_eq!(read(r#"{"error":"m"}"#), pair("", "m"));
        assert_eq!(read("plain"), pair("", "plain"));
        assert_eq!(read("<html>"), pair("", ""));
    }
}
