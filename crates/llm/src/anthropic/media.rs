//! Which files the Messages API takes, and how.

use serde_json::{Value, json};

use crate::conversation::{base64, is_text, media_as_text};
use crate::{Error, ErrorKind, MediaPart};

/// Largest image that the API takes.
const MAX_IMAGE_BYTES: usize = 5 << 20;
/// Largest PDF that fits into a request.
const MAX_PDF_BYTES: usize = 32 << 20;

/// The content block of a file.
pub(crate) fn block(media: &MediaPart, provider: &str) -> Result<Value, Error> {
    let size = media.data.bytes().len();
    match media.media_type.as_str() {
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" => {
            limit("image", size, MAX_IMAGE_BYTES, media, provider)?;
            Ok(json!({"type": "image", "source":
                {"type": "base64", "media_type": media.media_type, "data": base64(media)}}))
        }
        "application/pdf" => {
            limit("PDF", size, MAX_PDF_BYTES, media, provider)?;
            let mut block = json!({"type": "document", "source":
                {"type": "base64", "media_type": "application/pdf", "data": base64(media)}});
            title(&mut block, media);
            Ok(block)
        }
        kind if is_text(kind) => match std::str::from_utf8(media.data.bytes()) {
            Ok(text) if !text.is_empty() => {
                let mut block = json!({"type": "document", "source":
                    {"type": "text", "media_type": "text/plain", "data": text}});
                title(&mut block, media);
                Ok(block)
            }
            _ => Ok(json!({"type": "text", "text": media_as_text(media)})),
        },
        _ => Ok(json!({"type": "text", "text": media_as_text(media)})),
    }
}

fn title(block: &mut Value, media: &MediaPart) {
    if let Some(name) = &media.name {
        block["title"] = json!(name);
    }
}

fn limit(
    what: &str,
    size: usize,
    max: usize,
    media: &MediaPart,
    provider: &str,
) -> Result<(), Error> {
    if size <= max {
        return Ok(());
    }
    let name = media.name.as_deref().unwrap_or("attached");
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "The {what} \"{name}\" is {:.1} MiB; this model takes at most {} MiB. Edit the message and attach a smaller one.",
            size as f64 / f64::from(1 << 20),
            max >> 20
        ),
    )
    .provider(provider))
}
