//! Takes credentials out of texts that come from outside.

use api_types::Secret;

/// Shorter texts are too likely to be part of ordinary words.
const MIN_SECRET_CHARS: usize = 6;
/// Beginnings of keys of well-known providers; the word that starts so is removed.
const KEY_PREFIXES: &[&str] = &["sk-", "sk_", "AIza", "AKIA", "ASIA", "ABSK", "gsk_", "xai-"];

/// `text` without the given secrets, without words that look like keys, and without the query and
/// user of addresses.
pub(crate) fn redact(text: &str, secrets: &[Secret<String>]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        let secret = secret.expose();
        if secret.len() >= MIN_SECRET_CHARS {
            text = text.replace(secret.as_str(), "[redacted]");
        }
    }
    let mut out = String::with_capacity(text.len());
    for word in
        text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ')'))
    {
        let (body, end) = match word.char_indices().last() {
            Some((at, last)) if last.is_whitespace() || matches!(last, '"' | '\'' | ',' | ')') => {
                word.split_at(at)
            }
            _ => (word, ""),
        };
        if let Some(at) = body.find("://") {
            out.push_str(&address(body, at));
        } else if let Some(at) = KEY_PREFIXES.iter().filter_map(|p| key_at(body, p)).min() {
            out.push_str(&body[..at]);
            out.push_str("[redacted]");
        } else {
            out.push_str(body);
        }
        out.push_str(end);
    }
    out
}

fn key_at(word: &str, prefix: &str) -> Option<usize> {
    let at = word.find(prefix)?;
    let before = word[..at].chars().next_back();
    let starts = before.is_none_or(|c| !c.is_alphanumeric());
    (starts && word.len() - at >= prefix.len() + MIN_SECRET_CHARS).then_some(at)
}

fn address(word: &str, scheme_end: usize) -> String {
    let (scheme, rest) = word.split_at(scheme_end + 3);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    let rest = match authority.rfind('@') {
        Some(at) => &rest[at + 1..],
        None => rest,
    };
    format!("{scheme}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_words_stay() {
        let secrets = [Secret::new("my-own-secret".to_owned())];
        let text = "Incorrect API key provided: sk-abc123def456. See https://u:p@example.com/a?key=1, my-own-secret \"AIzaSyABCDEF\" task-oriented desk-top";
        assert_eq!(
            redact(text, &secrets),
            "Incorrect API key provided: [redacted] See https://example.com/a, [redacted] \"[redacted]\" task-oriented desk-top"
        );
    }
}
