//! Files of chats: what may be one, and keeping one for a chat.

use sha2::{Digest as _, Sha256};
use store::StoreError;
use store::chats::{ChatRow, NewChatFile};
use uuid::Uuid;

use authz::Subject;

use crate::machine::{MAX_FILES, Machine};

/// Largest file, in bytes.
pub const MAX_FILE: usize = 10 << 20;

/// Types that files may have.
pub const TYPES: &[&str] = &[
    "application/json",
    "application/pdf",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/csv",
    "text/markdown",
    "text/plain",
];

/// Stores a file of a chat's owner and makes the chat use it.
///
/// # Errors
/// [`StoreError::Forbidden`].
pub(crate) async fn keep(
    machine: &Machine,
    who: &Subject,
    chat: &ChatRow,
    name: &str,
    mimetype: &str,
    data: &[u8],
) -> Result<Uuid, StoreError> {
    let tx = machine.store().begin(who).await?;
    let file = NewChatFile {
        owner_id: chat.owner_id,
        organization_id: chat.organization_id,
        name,
        mimetype,
        sha256: &hex::encode(Sha256::digest(data)),
        data,
    };
    let id = tx.chat_file_insert(who, &file).await?;
    tx.chat_files_link(chat.id, &[id], MAX_FILES).await?;
    tx.commit().await?;
    Ok(id)
}

/// The type of a file: what its bytes say, as far as that agrees with what was declared.
///
/// # Errors
/// Why it cannot be a file of a chat, in a sentence.
pub fn media_type(declared: &str, name: &str, data: &[u8]) -> Result<&'static str, String> {
    let declared = declared.split(';').next().unwrap_or_default().trim();
    let declared = declared.to_ascii_lowercase();
    let unsupported = |what: &str| {
        format!(
            "{what} cannot be attached. Allowed are {}.",
            TYPES.join(", ")
        )
    };
    let sniffed = sniff(data).ok_or_else(|| unsupported("A file of this kind"))?;
    if declared.is_empty() || declared == "application/octet-stream" {
        return Ok(by_name(sniffed, name));
    }
    let Some(known) = TYPES.iter().find(|t| **t == declared) else {
        return Err(unsupported(&declared));
    };
    let refined =
        sniffed == "text/plain" && (known.starts_with("text/") || *known == "application/json");
    if *known == sniffed || refined {
        return Ok(if *known == "text/plain" {
            by_name(known, name)
        } else {
            known
        });
    }
    Err(format!(
        "The file says that it is {declared}, but its bytes are {sniffed}."
    ))
}

/// Text told apart by its name.
fn by_name(sniffed: &'static str, name: &str) -> &'static str {
    let ends = |end: &str| name.to_ascii_lowercase().ends_with(end);
    match sniffed {
        "text/plain" if ends(".md") || ends(".markdown") => "text/markdown",
        "text/plain" if ends(".csv") => "text/csv",
        "text/plain" if ends(".json") => "application/json",
        other => other,
    }
}

fn sniff(data: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| data.starts_with(magic);
    if starts(b"\x89PNG\r\n\x1a\n") {
        return Some("image/png");
    }
    if starts(b"\xff\xd8\xff") {
        return Some("image/jpeg");
    }
    if starts(b"GIF87a") || starts(b"GIF89a") {
        return Some("image/gif");
    }
    if starts(b"RIFF") && data.get(8..12) == Some(b"WEBP") {
        return Some("image/webp");
    }
    if starts(b"%PDF-") {
        return Some("application/pdf");
    }
    let text = std::str::from_utf8(data).ok()?;
    if text.contains('\0') {
        return None;
    }
    let head = text.trim_start_matches('\u{FEFF}').trim_start();
    let head: String = head.chars().take(512).collect::<String>().to_lowercase();
    // A picture that can run scripts is none.
    let svg = head.starts_with("<svg") || (head.starts_with("<?xml") && head.contains("<svg"));
    (!svg).then_some("text/plain")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_and_must_agree() {
        let png = b"\x89PNG\r\n\x1a\nrest";
        assert_eq!(media_type("image/png", "a.png", png).unwrap(), "image/png");
        assert_eq!(media_type("", "a", png).unwrap(), "image/png");
        assert_eq!(
            media_type("application/octet-stream", "a.md", b"# x").unwrap(),
            "text/markdown"
        );
        assert_eq!(
            media_type("text/plain; charset=utf-8", "a.csv", b"a,b").unwrap(),
            "text/csv"
        );
        assert_eq!(
            media_type("application/json", "a", b"{}").unwrap(),
            "application/json"
        );
        for (declared, data) in [
            ("image/jpeg", &png[..]),
            ("image/svg+xml", b"<svg/>"),
            ("text/plain", b"<?xml version='1.0'?><svg></svg>"),
            ("text/plain", b"a\0b"),
            ("text/plain", b"\xff\xfe"),
            ("video/mp4", b"xx"),
        ] {
            assert!(media_type(declared, "a", data).is_err(), "{declared}");
        }
    }
}
