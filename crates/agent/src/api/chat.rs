//! For which chat a request is made, if for any: the control plane says so in
//! headers.

use http::HeaderMap;
use uuid::Uuid;

/// The chat.
const CHAT: &str = "Coder-Chat-Id";
/// The chats above it, as a JSON array.
const ANCESTORS: &str = "Coder-Ancestor-Chat-Ids";
/// Chats above a chat that are listened to.
const MAX_ANCESTORS: usize = 64;

/// The chat that asks; headers that make no sense stand for none.
pub fn of(headers: &HeaderMap) -> Option<Uuid> {
    headers.get(CHAT)?.to_str().ok()?.parse().ok()
}

/// The chat that asks and those above it.
pub fn line(headers: &HeaderMap) -> Vec<Uuid> {
    let Some(chat) = of(headers) else {
        return Vec::new();
    };
    let above = headers
        .get(ANCESTORS)
        .and_then(|text| serde_json::from_slice::<Vec<String>>(text.as_bytes()).ok())
        .unwrap_or_default();
    let above = above.into_iter().take(MAX_ANCESTORS);
    std::iter::once(chat)
        .chain(above.filter_map(|id| id.parse().ok()))
        .filter(|id| !id.is_nil())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_with_sense_count() {
        let headers = |chat: &str, above: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CHAT, chat.parse().unwrap());
            headers.insert(ANCESTORS, above.parse().unwrap());
            line(&headers)
        };
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(headers(&a.to_string(), &format!(r#"["{b}","x"]"#)), [a, b]);
        assert_eq!(headers(&a.to_string(), "nonsense"), [a]);
        assert!(headers("x", "[]").is_empty());
        assert!(line(&HeaderMap::new()).is_empty());
    }
}
